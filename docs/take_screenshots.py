"""Take the pictures of the documentation again: `xvfb-run -s "-screen 0 1700x1100x24" python docs/take_screenshots.py`.

Synthetic demo recordings only. `--out DIR` puts the pictures elsewhere, `--only PART` takes some of them.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "xcb")
_SETTINGS = tempfile.TemporaryDirectory()
os.environ["FLORA_SETTINGS"] = str(Path(_SETTINGS.name) / "settings.json")

import numpy as np  # noqa: E402
from PySide6.QtCore import QDeadlineTimer, QEventLoop, Qt  # noqa: E402
from PySide6.QtGui import QFont, QImage  # noqa: E402
from PySide6.QtWidgets import QApplication, QWidget  # noqa: E402

from app.application import make_application  # noqa: E402
from app.demo import demo_folder  # noqa: E402
from app.main_window import MainWindow  # noqa: E402
from flora_engine.demo import ACTIONS, synthesise, synthesise_stream  # noqa: E402
from flora_engine.jobs import Job  # noqa: E402
from flora_engine.labelling.bundle import BUILTIN  # noqa: E402
from flora_engine.project import Incoming, Project  # noqa: E402
from flora_engine.project.splits import Split, TrainRule  # noqa: E402
from flora_engine.readers import write_ntu  # noqa: E402
from flora_engine.recipes.actions import perform  # noqa: E402
from flora_engine.recipes.demo_downloads import BENCHMARK, ENCODER, RECORDINGS, write_downloads  # noqa: E402
from flora_engine.runs.folder import list_runs  # noqa: E402

SIZES = ((1024, 640), (1600, 1000))
MOST_BYTES = 200 * 1024


def wait(condition: Callable[[], bool] = lambda: False, seconds: float = 0.4) -> bool:
    """Let the window work until `condition` or for `seconds`."""
    deadline = QDeadlineTimer(int(seconds * 1000))
    while not deadline.hasExpired():
        QApplication.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 20)
        if condition():
            return True
    return False


def save(widget: QWidget, path: Path) -> None:
    """A PNG of `widget`; one that would be large gets a palette of its 256 commonest colours."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = widget.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
    image.save(str(path), "PNG", 0)
    if path.stat().st_size > MOST_BYTES // 2:
        with_few_colours(image).save(str(path), "PNG", 0)
    print(f"{path} {path.stat().st_size // 1024} KB")


def with_few_colours(image: QImage) -> QImage:
    pixels = np.frombuffer(image.constBits(), np.uint32).reshape(image.height(), -1)[:, : image.width()]
    colours, counts = np.unique(pixels, return_counts=True)
    table = colours[np.argsort(-counts)[:256]]
    return image.convertToFormat(
        QImage.Format.Format_Indexed8,
        table.tolist(),
        Qt.ImageConversionFlag.AvoidDither | Qt.ImageConversionFlag.ThresholdDither,
    )


def take(out: Path, only: str | None) -> None:
    application = make_application()
    font = QFont(application.font())
    font.setStyleStrategy(QFont.StyleStrategy.NoSubpixelAntialias)  # coloured edges make pictures large
    application.setFont(font)
    window = MainWindow()
    window.show()
    for theme in ("light", "dark"):
        window.run_command(f"view.theme_{theme}")
        window.resize(*SIZES[-1])
        for name, part in PARTS.items():
            if only in (None, name):
                if only is not None:  # else the part before left it there
                    show_demo(window)
                part(window, out, theme)
    window.close()


def take_window(window: MainWindow, out: Path, theme: str) -> None:
    """The welcome page and the demo project, in a small and in a large window."""
    for width, height in SIZES:
        window.resize(width, height)
        window.run_command("view.layout")
        window.run_command("file.clear")
        wait()
        save(window, out / f"welcome-{theme}-{width}.png")
        show_demo(window)
        save(window, out / f"window-{theme}-{width}.png")


def need(condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Wait for `condition`; without it the pictures would show something else."""
    if not wait(condition, seconds):
        raise SystemExit(f"no pictures: {what} did not come within {seconds:.0f} s")


def show_demo(window: MainWindow) -> None:
    """The demo project as it opens, at its first recording, in the middle of the action."""
    before = window.session.project
    window.run_command("file.demo")
    need(lambda: window.session.project is not before and not window.library.is_busy, "the demo project", 120)
    need(lambda: window.player.sequence is not None and bool(window.library.model.table), "the demo project", 120)
    show_row(window, 0)


def show_row(window: MainWindow, row: int) -> None:
    """A recording in the middle of its action, with its ranking where there is a model."""
    name = window.library.model.table.names[row]
    window.library.select_row(row)
    need(lambda: window.player.sequence is not None and window.player.sequence.name == name, name)
    if not wait(lambda: window.labels.answer is not None, 60 if (BUILTIN / "manifest.json").is_file() else 0):
        print("no ranking is shown: there is no model at", BUILTIN, file=sys.stderr)
    window.player.playback.pause()
    window.player.seek(window.player.playback.frames // 2)
    wait(seconds=0.6)


def take_dialogs(window: MainWindow, out: Path, theme: str) -> None:
    """The statistics, the import with its look at the files, the preparation, and the split editor."""
    window.run_command("library.statistics")
    show_row(window, next(r for r, n in enumerate(window.library.model.table.names) if "A021" in n))  # two persons
    wait(seconds=1.0)
    save(window, out / f"statistics-{theme}.png")
    window.run_command("library.statistics")
    dialog = window.project_jobs.show_import([demo_folder()])
    wait(lambda: bool(dialog.looks.files) and not len(dialog.looks.waiting()), 60)
    wait()
    save(dialog, out / f"import-{theme}.png")
    dialog.reject()
    dialog = window.project_jobs.show_prepare()
    dialog.source.setText(str(raw_files()))
    wait(lambda: bool(dialog.found), 20)
    wait()
    save(dialog, out / f"prepare-{theme}.png")
    dialog.reject()
    window.run_command("library.splits")
    editor = window.edits.split_editor
    wait(lambda: editor.classes.topLevelItemCount() > 0, 20)
    names = window.session.project.classes.names()
    rule = TrainRule(by="subject", values=(1,))
    editor.show_split(Split(name="two bodies, five unseen", unseen=tuple(range(0, len(names), 5)), train=rule))
    wait(seconds=1.0)
    save(editor, out / f"splits-{theme}.png")
    editor.close()


def take_timeline(window: MainWindow, out: Path, theme: str) -> None:
    """A stream of actions, searched, accepted in part and corrected."""
    file = Path(_SETTINGS.name) / "recordings" / "stream.skeleton"
    if not file.exists():
        file.parent.mkdir()
        write_ntu(synthesise_stream([5, 6, 11, 0, 5, 12, 2, 10, 3, 11, 0, 6], seed=1)[0], file)
    typed = window.labels.text()
    window.run_command("file.clear")
    window.labels.set_text("\n".join(ACTIONS[i].name for i in (0, 2, 3, 5, 6, 10, 11, 12)))
    window.opening.open_paths([file])
    need(lambda: window.player.sequence is not None and window.player.sequence.name == "stream", "the stream")
    window.player.playback.pause()
    timelines = window.timelines
    timelines.find()
    need(lambda: bool(timelines.content.found) and not window.jobs.jobs, "the segments", 300)
    for segment in timelines.content.found[:5]:
        timelines.select(segment)
        timelines.accept()
    timelines.select(timelines.content.truth[2])
    window.player.seek(timelines.content.truth[2].start + 20)
    wait(seconds=1.0)
    save(window, out / f"timeline-{theme}.png")
    assert window.session.file is not None
    window.session.file.discard()
    window.docks.toggle_timeline()
    window.labels.set_text(typed)
    window.run_command("file.clear")
    show_demo(window)


def take_review(window: MainWindow, out: Path, theme: str) -> None:
    """The queue after a batch over the demo, of which a copy loses its classes."""
    study = Path(_SETTINGS.name) / f"study-{theme}"
    with Project.create(study) as project:
        project.recordings.add(
            Incoming(synthesise(action, subject=subject)) for action in (0, 2, 3, 5, 10, 11) for subject in (1, 2)
        )
    typed = window.labels.text()
    window.labels.set_text("\n".join(ACTIONS[i].name for i in (0, 2, 3, 5, 10, 11)))
    window.opening.open_paths([study])
    need(lambda: window.session.project is not None and window.session.project.folder == study, "the study")
    need(lambda: window.session.can_edit and not window.library.is_busy and window.library.model.rowCount() > 1, "rows")
    window.batches.rank_many()
    need(lambda: not window.jobs.jobs and len(window.review.model.queue) > 1, "the rankings", 300)
    window.review.take(1)
    wait(seconds=3.0)
    window.notice.hide()
    window.player.playback.pause()
    window.player.seek(window.player.playback.frames // 2)
    wait(seconds=0.6)
    save(window, out / f"review-{theme}.png")
    window.docks.review.hide()
    window.labels.set_text(typed)
    show_demo(window)


def take_actions(window: MainWindow, out: Path, theme: str) -> None:
    """The table of actions, with a text of one's own, a colour, keys and a hint."""
    typed = window.labels.text()
    window.labels.set_text("drink water\nwave a hand\nwave the hand\nthrow\nhop: both feet leave the floor")
    window.action_table.show()
    table = window.action_table.editor
    table.take([replace(one, key=str(place)) for place, one in enumerate(table.listed, 1)])
    table.take([replace(table.listed[0], colour="#0072b2"), *table.listed[1:]])
    need(lambda: bool(table.hints.text()), "the hint", 120)
    save(table, out / f"actions-{theme}.png")
    table.close()
    window.labels.set_text(typed)


def take_training(window: MainWindow, out: Path, theme: str) -> None:
    """The wizard's last pages, the page of a run, and the table. The run is trained on the demo if there is none."""
    wizard = window.training.show()
    wizard.go_to(1)
    need(lambda: wizard.split.editor.classes.topLevelItemCount() > 0, "the classes")
    rule = TrainRule(by="subject", values=(1,))
    wizard.split.editor.show_split(Split(name="by person", unseen=(0, 5, 9), train=rule))
    wait(seconds=1.0)
    for place, name in ((3, "texts"), (4, "method"), (5, "check")):
        wizard.go_to(place)
        if name == "texts":
            wait(lambda: not wizard.texts.is_busy, 30)
        if name == "method":
            wizard.method.tabs.setCurrentIndex(1)
        if name == "check":
            need(lambda: wizard.probe is None, "the estimate", 300)
        place_of_runs = wizard.check.out.text()
        wizard.check.out.setText("runs")  # not the folders of whoever takes the pictures
        wait()
        save(wizard, out / f"wizard-{name}-{theme}.png")
        wizard.check.out.setText(place_of_runs)
    folder = window.training.runs_folder()
    if not any(run.status() == "finished" for run in list_runs(folder)):
        wizard.start()
        need(lambda: any(run.status() == "finished" for run in list_runs(folder)), "the run", 3600)
    wizard.reject()
    window.training.show_runs()
    pages = window.training.window
    need(lambda: pages.runs.model.rowCount() > 0, "the runs")
    pages.runs.folder.setText("runs")
    save(pages, out / f"runs-{theme}.png")
    pages.runs.folder.setText(str(folder))
    page = pages.open_run(next(run.path for run in list_runs(folder) if run.status() == "finished"))
    need(lambda: page.state == "finished" and bool(page.curves.views), "the curves")
    wait(seconds=1.0)
    save(pages, out / f"run-{theme}.png")
    page.show_tab("Analysis")
    need(lambda: page.analysis.view is not None and not page.analysis.is_busy, "the analysis")
    page.analysis.confusion.choose(0, 0)
    wait(seconds=1.0)
    save(pages, out / f"run-analysis-{theme}.png")
    pages.close()


def take_encoder(window: MainWindow, out: Path, theme: str) -> None:
    """The dialog that gives an encoder to a run from synthetic downloads, in the folder of their guide."""
    before, home = Path.cwd(), Path(_SETTINGS.name) / "guide"
    place = home / "downloads"
    if not home.exists():
        features, *_ = write_downloads(Job(), place)
        settings = {"hidden": 24, "align_iterations": 10, "total_iterations": 20, "evaluations": 1, "folds": 1}
        config = {"kind": "flora", "benchmark": BENCHMARK, "features": str(features), "setting": "zsl"}
        config |= {"texts": {"tokens": 12}, "heads": ["flora"], "flora": {**settings, "attunements": [[1, 0.3]]}}
        perform(Job(), "train", {"config": config, "out": str(home / "runs"), "device": "cpu"})
    os.chdir(home)
    dialog = window.training.encoders.ask(next(run.path for run in list_runs(home / "runs")))
    dialog.fields.paths.setText(f"downloads/{ENCODER}")
    dialog.recordings.setText(f"downloads/{RECORDINGS}")
    need(dialog.go_button.isEnabled, "the plan of the encoder")
    save(dialog, out / f"encoder-{theme}.png")
    dialog.reject()
    os.chdir(before)


def raw_files() -> Path:
    """The demo's recordings under a path that looks like a user's, not like a cache."""
    folder = Path(_SETTINGS.name) / "nturgb+d_skeletons"
    if not folder.exists():
        folder.symlink_to(demo_folder())
    return folder


PARTS: dict[str, Callable[[MainWindow, Path, str], None]] = {
    "window": take_window,
    "dialogs": take_dialogs,
    "timeline": take_timeline,
    "review": take_review,
    "actions": take_actions,
    "training": take_training,
    "encoder": take_encoder,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "img")
    parser.add_argument("--only", choices=PARTS)
    arguments = parser.parse_args()
    take(arguments.out.absolute(), arguments.only)
    return 0


if __name__ == "__main__":
    sys.exit(main())
