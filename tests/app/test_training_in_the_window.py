"""Training in the window: the wizard collects, the job runs beside everything else, its model can rank.

The worker is a stand-in that writes a run folder; what the real one does is in test_training_story.py.
"""

from __future__ import annotations

import functools
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PySide6.QtWidgets import QApplication, QMessageBox

from app.controllers import training
from app.main_window import MainWindow
from app.theme import apply_theme
from app.training import wizard as wizard_module
from app.training.draft import PAGES
from app.training.pages import texts as texts_module
from app.training.pages.check import needs_text
from app.training.wizard import TrainRequest, Wizard
from app.workers.jobs import HeavyJob
from flora_engine.config import parse_config
from flora_engine.datasets.catalogue import ClassText, Text, load_dataset
from flora_engine.datasets.importing import ImportOptions, import_folder
from flora_engine.demo import write_demo
from flora_engine.jobs import Job
from flora_engine.project import Project, Split, TrainRule
from flora_engine.recipes import estimate
from flora_engine.recipes import training as recipe
from flora_engine.semantics.class_texts import write_texts

_WORKER = """
import json, pathlib, sys, time
say = lambda **e: print(json.dumps(e), flush=True)
given = json.loads(input())["arguments"]
run = pathlib.Path(given.get("resume") or pathlib.Path(given["out"]) / "20260101-000000-demo")
run.mkdir(parents=True, exist_ok=True)
(run / "config.yaml").write_text("kind: pipeline")
say(kind="state", state="started", run=str(run))
say(kind="progress", stage="training", done=1, total=2, seconds_left=60)
if "resume" not in given:
    for line in sys.stdin:
        if line.strip() == "stop":
            say(kind="cancelled", forced=False)
            sys.exit(130)
        if line.strip() == "detach":
            say(kind="detached")
            break
    time.sleep(600)
(run / "final" / "bundle").mkdir(parents=True)
(run / "final" / "bundle" / "manifest.json").write_text("{}")
say(kind="finished", result={"kind": "pipeline", "run": str(run), "bundle": "final/bundle"})
"""
_MEASURED = """
import json
json.loads(input())
sizes = {"train": 20, "all": 46, "classes": 23, "seen": 20, "exact": True}
result = {"stages": [["Train the encoder", 30.0], ["Read", None]], "sizes": sizes, "memory": 2**30, "disk": 2**30,
          "free": 2**40, "device": "cpu", "seconds": 30.0}
print(json.dumps({"kind": "finished", "result": result}))
"""


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = functools.partial(HeavyJob, command=(sys.executable, "-c", _WORKER))
    monkeypatch.setattr(training, "HeavyJob", worker)
    monkeypatch.setattr(
        wizard_module, "HeavyJob", functools.partial(HeavyJob, command=(sys.executable, "-c", _MEASURED))
    )


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of the demo recordings."""
    folder = tmp_path_factory.mktemp("study")
    write_demo(Job(), folder / "raw")
    with Project.create(folder / "study") as project:
        import_folder(Job(), project, [folder / "raw"], ImportOptions(processes=1))
    return folder / "study"


@pytest.fixture
def wizard(
    window: MainWindow, study: Path, qtbot: Any, stand_in: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Wizard:
    """The wizard on the demo project; class texts are compared by a stand-in for the text encoder."""
    monkeypatch.setattr(texts_module, "similarity_of", lambda texts: np.full((len(texts), len(texts)), 0.5, np.float32))
    window.labels.set_text("")
    window.opening.open_paths([study])
    qtbot.waitUntil(lambda: window.session.project is not None and not window.opening.is_busy)
    found = window.training.show()
    found.check.out.setText(str(tmp_path / "runs"))
    return found


def split(wizard: Wizard, qtbot: Any, unseen: tuple[int, ...] = (0, 5, 9)) -> None:
    wizard.go_to(1)
    qtbot.waitUntil(lambda: wizard.split.editor.classes.topLevelItemCount() == 23)
    wizard.split.editor.show_split(Split(name="mine", unseen=unseen, train=TrainRule(by="subject", values=(1,))))
    judged = wizard.split.editor
    qtbot.waitUntil(lambda: judged.judgement is not None and judged.judgement.split.name == "mine")


def test_page_by_page_to_a_request_and_back_without_loss(wizard: Wizard, qtbot: Any, tmp_path: Path) -> None:
    assert "23 classes" in wizard.data.project.text()
    wizard.go_to(5)
    assert not wizard.start_button.isEnabled() and {page for page, _ in wizard.check._found} == {"split"}
    wizard.check.problems.itemClicked.emit(wizard.check.problems.item(0))
    assert wizard.list.currentRow() == PAGES.index("split")
    split(wizard, qtbot)
    wizard.go_to(3)
    wizard.texts.set_text(2, 1, "run slowly on the spot")
    wizard.go_to(4)
    wizard.method.forms["encoder"].editors["epochs"].setText("3")  # type: ignore[attr-defined]
    assert wizard.method.preset.currentData() == ""
    wizard.method.heads["eszsl"].setChecked(True)
    for place in (0, 5, 1, 3, 2, 4, 5):
        wizard.go_to(place)
    assert wizard.start_button.isEnabled(), wizard.check._found
    request = wizard.request()
    config = request.config
    assert config["encoder"]["epochs"] == 3 and set(config["heads"]) == {
        "eszsl",
        "flora",
        "nearest_mean",
        "descriptors",
    }
    assert config["splits"][0]["unseen"] == [0, 5, 9] and config["splits"][0]["name"] == "mine"
    assert config["texts"]["classes"][2]["motion"] == "run slowly on the spot"
    for request_type in (recipe.Request, estimate.Request):
        request_type.of(**request.arguments())
    qtbot.waitUntil(lambda: "At least 30 s" in wizard.check.needs.text())
    wizard.save_file(tmp_path / "mine.yaml")
    assert str(tmp_path / "mine.yaml") in wizard.check.command.text()
    wizard.method.forms["encoder"].set_values({})
    wizard.open_file(tmp_path / "mine.yaml")
    qtbot.waitUntil(lambda: wizard.split.editor.judgement is not None)
    for place in (4, 5):
        wizard.go_to(place)
    assert wizard.request().config == config
    (tmp_path / "bad.yaml").write_text("kind: nothing")
    wizard.open_file(tmp_path / "bad.yaml")
    assert "nothing" in wizard.message.text() and wizard.request().config == config


def test_a_leak_is_refused(wizard: Wizard, qtbot: Any) -> None:
    split(wizard, qtbot)
    wizard.split.editor.fields.values.setText("1, 2")
    qtbot.waitUntil(lambda: bool(wizard.split.trouble(wizard.draft)))
    wizard.go_to(5)
    assert not wizard.start_button.isEnabled()
    assert [page for page, _ in wizard.check._found] == ["split"]
    assert "Split  ✕" in [wizard.list.item(row).text() for row in range(6)]


def test_other_sources_keep_their_own_fields(wizard: Wizard, qtbot: Any, tmp_path: Path) -> None:
    wizard.data.choose("folder")
    wizard.data.folder.setText(str(tmp_path))
    wizard.data.dataset.setCurrentIndex(wizard.data.dataset.findData("utd_mhad"))
    wizard.go_to(1)
    assert wizard.split.catalogue.classes.count() == 27
    wizard.split.catalogue.classes.item(3).setCheckState(wizard.list.item(0).checkState().Checked)
    wizard.go_to(3)
    assert wizard.texts.table.rowCount() == 27
    wizard.go_to(0)
    wizard.data.choose("published")
    wizard.go_to(2)
    wizard.features.file.setText(str(tmp_path / "none.npz"))
    wizard.go_to(5)
    assert [page for page, _ in wizard.check._found] == ["features"]
    wizard.go_to(0)
    wizard.data.choose("project")
    split(wizard, qtbot)
    wizard.go_to(3)
    assert wizard.texts.table.rowCount() == 23
    wizard.go_to(5)
    assert wizard.start_button.isEnabled(), wizard.check._found


def test_an_encoder_that_is_trained_already_serves_the_own_split(wizard: Wizard, qtbot: Any, tmp_path: Path) -> None:
    split(wizard, qtbot)
    wizard.go_to(2)
    visible = [radio.text()[:9] for radio in wizard.features._choices.buttons() if radio.isVisible()]
    assert visible == ["Train an ", "None: mea", "Use encod"] and wizard.features.origin == "train"
    wizard.features.choose("checkpoint")
    wizard.go_to(5)
    assert [page for page, _ in wizard.check._found] == ["features"]
    (tmp_path / "published.pt").write_bytes(b"")
    wizard.go_to(2)
    assert wizard.features.checkpoints.isVisible() and not wizard.features.place.isVisible()
    wizard.features.checkpoints.setText(str(tmp_path / "published.pt"))
    wizard.go_to(5)
    assert wizard.start_button.isEnabled(), wizard.check._found
    config = wizard.request().config
    assert config["checkpoints"] == [str(tmp_path / "published.pt")] and config["splits"][0]["name"] == "mine"
    wizard.go_to(2)
    wizard.features.choose("train")
    wizard.go_to(5)
    assert "checkpoints" not in wizard.request().config


def test_the_needs_say_what_trains() -> None:
    found = {"seconds": 3.0, "device": "cpu", "memory": 2**30, "disk": 2**30, "free": 2**40}
    found |= {"stages": [("Learn", None)]}
    sizes = {"train": 20, "all": 46, "classes": 23, "seen": 20, "exact": False}
    assert "\nAbout 20 of 46 recordings train, 20 seen classes.\n" in needs_text({**found, "sizes": sizes})
    sizes |= {"train": 46, "seen": 23, "exact": True}
    assert "\n46 recordings of 23 classes train.\n" in needs_text({**found, "sizes": sizes})


def test_the_map_of_classes_follows_the_theme_while_the_wizard_is_open(wizard: Wizard, qapp: QApplication) -> None:
    wizard.go_to(3)
    try:
        for choice in ("dark", "light"):
            theme = apply_theme(qapp, choice)
            background = wizard.texts.map._chart.backgroundBrush().color()
            assert background.name() == theme.surface
    finally:
        apply_theme(qapp, "light")


def test_measurements_alone_need_no_split_and_no_encoder(wizard: Wizard, qtbot: Any) -> None:
    wizard.go_to(2)
    wizard.features.choose("measure")
    assert wizard.features.trained.isVisible() and "measurements of the recordings" in wizard.features.trained.text()
    assert not wizard.features.checkpoints.isVisible()

    def asking() -> list[str]:
        return [wizard.list.item(row).text() for row in range(6) if wizard.list.item(row).flags()]

    qtbot.waitUntil(lambda: asking() == ["Data", "Features", "Check"])
    places = []
    for step in (wizard.next, wizard.back, wizard.back, wizard.back, wizard.next, wizard.next):
        step()
        places.append(PAGES[wizard.list.currentRow()])
    assert places == ["check", "features", "data", "data", "features", "check"]
    assert wizard.start_button.isEnabled(), wizard.check._found
    config = wizard.request().config
    assert config["kind"] == "descriptors" and Path(config["data"][0]["project"]).name == "study"
    wizard.go_to(2)
    wizard.features.choose("train")
    wizard.next()
    assert PAGES[wizard.list.currentRow()] == "texts" and wizard.list.item(1).text() == "Split  ✕"
    wizard.go_to(5)
    assert {page for page, _ in wizard.check._found} == {"split"} and wizard.request().config["kind"] == "pipeline"


def test_the_published_downloads_become_a_training_that_labels(wizard: Wizard, tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("features.npz", "ntu_ShiftGCN_joint_xsub.pt")]
    for file in files:
        file.write_bytes(b"")
    page = wizard.features
    wizard.data.choose("published")
    wizard.data.benchmark.setCurrentIndex(wizard.data.benchmark.findData("star/ntu60_xsub_unseen5_split1"))
    wizard.go_to(2)
    assert page.origin == "file" and page.checkpoints.isVisible()
    assert "no model that labels" in page.labels.text() and not page.preparation.isVisible()
    page.file.setText(str(files[0]))
    page.checkpoints.setText(str(files[1]))
    assert "ends with a model" in page.labels.text() and page.preparation.isVisible() and page.place.isVisible()
    wizard.go_to(5)
    assert wizard.start_button.isEnabled(), wizard.check._found
    config = wizard.request().config
    assert config["features"] == str(files[0]) and config["encoder"] == [str(files[1])]
    assert config["data"] == {"dataset": "ntu60", "preparation": "ctrgcn", "frames": 300, "persons": 2}
    wizard.go_to(2)
    page.preparation.setCurrentIndex(page.preparation.findData("agcn"))
    page.frames.setValue(64)
    page.place.setText(str(tmp_path))
    wizard.go_to(5)
    data = wizard.request().config["data"]
    assert data == {"dataset": "ntu60", "preparation": "agcn", "frames": 64, "persons": 2, "raw": str(tmp_path)}
    wizard.go_to(2)
    assert (page.preparation.currentData(), page.frames.value(), page.place.text()) == ("agcn", 64, str(tmp_path))


def test_texts_that_are_alike_or_empty_are_named(wizard: Wizard, qtbot: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    near = np.eye(23, dtype=np.float32)
    near[1, 4] = near[4, 1] = 0.99
    monkeypatch.setattr(texts_module, "similarity_of", lambda texts: near)
    wizard.go_to(3)
    wizard.texts.set_text(6, 2, "")
    qtbot.waitUntil(lambda: not wizard.texts.is_busy)
    said = [wizard.texts.warnings.item(row).text() for row in range(wizard.texts.warnings.count())]
    names = [text.name for text in wizard.texts._texts]
    assert any(f"“{names[6]}” has an empty definition" in text for text in said)
    assert any(f"“{names[1]}” and “{names[4]}” are nearly the same (0.99)" in text for text in said)
    assert wizard.texts.map.names == names


def test_a_class_may_have_several_texts(wizard: Wizard, qtbot: Any, tmp_path: Path) -> None:
    split(wizard, qtbot)
    wizard.go_to(3)
    page = wizard.texts
    shown = lambda row: [page.table.item(row, column).text() for column in range(3)]  # noqa: E731
    name, _, definition = shown(2)
    page.set_text(2, 1, " swing  one hand |greet | ")
    assert shown(2) == [f"{name} (2 texts)", "swing one hand | greet", f"{definition} | {name}: greet"]
    page.set_text(2, 2, "Waving. | A greeting. | From afar.")
    assert "has 2 motions and would have 3 definitions" in page.message.text()
    assert shown(2)[2] == f"{definition} | {name}: greet", "what does not fit is not taken"
    page.set_text(2, 2, "Waving. | A greeting.")
    assert page.message.text() == ""
    said = {"name": name, "motion": "swing one hand", "definition": "Waving."}
    said |= {"more": ({"motion": "greet", "definition": "A greeting."},)}
    for place in (0, 3, 5):
        wizard.go_to(place)
    config = wizard.request().config
    assert config["texts"]["classes"][2] == said and "more" not in config["texts"]["classes"][1]
    assert parse_config(config).texts.classes[2].more == (Text("greet", "A greeting."),)  # type: ignore[union-attr, index]
    wizard.save_file(tmp_path / "mine.yaml")
    wizard.go_to(3)
    page.set_text(2, 1, "greet")
    assert shown(2) == [name, "greet", "A greeting."]
    wizard.open_file(tmp_path / "mine.yaml")
    for place in (3, 5):
        wizard.go_to(place)
    assert wizard.request().config == config
    page.set_text(1, 1, "")
    qtbot.waitUntil(lambda: not page.is_busy)
    page.fill_in()
    qtbot.waitUntil(lambda: not page.is_busy)
    assert shown(2)[0] == f"{name} (2 texts)"


def test_what_a_configuration_says_of_texts_stays(wizard: Wizard, tmp_path: Path) -> None:
    write_texts(tmp_path / "own.yaml", [replace(text, motion="own") for text in load_dataset("utd_mhad").classes])
    wording = {"tokens": 24, "several": "kept", "more": ["shipped"]}
    data = {"kind": "pipeline", "data": [{"dataset": "utd_mhad", "raw": str(tmp_path)}]}
    data |= {"texts": {**wording, "texts": str(tmp_path / "own.yaml")}}
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(data))
    wizard.open_file(tmp_path / "a.yaml")
    assert wizard.request().config["texts"] == data["texts"]
    wizard.go_to(3)
    texts = wizard.request().config["texts"]
    assert {text["motion"] for text in texts.pop("classes")} == {"own"} and texts == wording
    (tmp_path / "own.yaml").write_text("[")
    wizard.open_file(tmp_path / "a.yaml")
    wizard.go_to(5)
    assert "not readable as YAML" in dict(wizard.check._found)["texts"]
    assert wizard.request().config["texts"] == data["texts"]


def test_known_texts_are_filled_in(wizard: Wizard, qtbot: Any) -> None:
    page = wizard.texts
    page._set(
        [ClassText(name, name, name) for name in ("sit down", "juggling", "xyzzy")] + [ClassText("kick", "mine", "own")]
    )
    page.fill_in()
    qtbot.waitUntil(lambda: not page.is_busy)
    sit, juggling, unknown, own = page._texts
    assert sit.motion != "sit down" and juggling.motion not in ("", "juggling") and juggling.name == "juggling"
    assert (unknown.motion, own.motion) == ("xyzzy", "mine")
    assert page.message.text() == "Filled in 1 from our own texts and 1 from the lexicon."
    page._set([unknown])
    page.fill_in()
    qtbot.waitUntil(lambda: "No known text" in page.message.text())


def test_the_library_offers_the_wizard(window: MainWindow, wizard: Wizard, qtbot: Any) -> None:
    wizard.reject()
    assert window.library.train.isVisible()
    window.library.train.click()
    assert wizard.isVisible() and "23 classes" in wizard.data.project.text()


def test_train_stop_resume_and_use_the_model(window: MainWindow, wizard: Wizard, qtbot: Any, tmp_path: Path) -> None:
    split(wizard, qtbot)
    wizard.start()
    run = tmp_path / "runs" / "20260101-000000-demo"
    pages = window.training.window
    qtbot.waitUntil(lambda: pages.page_of(run) is not None and bool(window.jobs.jobs))
    assert window.settings.runs == str(tmp_path / "runs")
    window.run_command("file.clear")
    assert window.jobs.jobs, "closing the project leaves a training alone"
    window.jobs.jobs[0].stop()
    qtbot.waitUntil(lambda: not window.jobs.jobs)
    assert str(run) in window.notice.text() and window.notice.action().text() == "Resume"
    window.notice.action().click()
    qtbot.waitUntil(lambda: window.notice.action().text() == "Use this model")
    window.notice.action().click()
    qtbot.waitUntil(lambda: window.settings.bundle == str(run / "final" / "bundle"))
    assert window.labels.model_name.text() == run.name


@pytest.mark.parametrize("answer", ["Stay", "Stop with a checkpoint", "Train on in the background"])
def test_closing_asks(window: MainWindow, stand_in: None, qtbot: Any, tmp_path: Path, answer: str) -> None:
    job = window.training.start("Train", TrainRequest({}, tmp_path, "demo").arguments(), watch=False)
    run = tmp_path / "20260101-000000-demo"
    qtbot.waitUntil((run / "config.yaml").is_file)
    window.close()
    assert window.isVisible()
    box = window.training.question
    assert isinstance(box, QMessageBox)
    window.close()
    assert window.training.question is box, "asked once"
    next(button for button in box.buttons() if button.text() == answer).click()
    pid = job._supervisor.pid
    if answer == "Stay":
        assert window.isVisible() and window.jobs.jobs
        job.shut_down()
    else:
        qtbot.waitUntil(lambda: not window.isVisible())
    assert job.detached == (answer != "Stay")
    alive = Path(f"/proc/{pid}").exists()
    assert alive == (answer == "Train on in the background") or not sys.platform.startswith("linux")
    job.cancel()
    assert job._supervisor.wait(60)


def test_the_next_window_finds_what_trains(window: MainWindow, qtbot: Any, tmp_path: Path) -> None:
    from flora_engine.runs.folder import RunFolder

    run = RunFolder.create(tmp_path, "left", {"kind": "encoder"})
    window._settings.change(runs=str(tmp_path))
    with run.hold():
        window.training.find_running()
        qtbot.waitUntil(lambda: run.path.name in window.notice.text())
        window.notice.action().click()
        page = window.training.window.page_of(run.path)
        assert page is not None
        qtbot.waitUntil(lambda: page.state == "running")
    window.training.window.close()


def test_a_model_travels_as_a_file(window: MainWindow, qtbot: Any, tmp_path: Path) -> None:
    window.models.save_file(tmp_path / "mine.flora")
    assert "Wrote" in window.notice.text()
    window.models.use_file(tmp_path / "mine.flora")
    qtbot.waitUntil(lambda: window.settings.bundle == str(tmp_path / "models" / "mine"))
    (tmp_path / "bad.flora").write_bytes(b"nothing")
    window.models.use_file(tmp_path / "bad.flora")
    qtbot.waitUntil(lambda: "not a model" in window.notice.text())
    assert window.models.folder == tmp_path / "models" / "mine"
