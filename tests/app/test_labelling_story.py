"""Labelling through `flora gui`: a stream is searched, corrected, exported to ELAN and read back; odd input."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from app_fakes import Driver, run_story
from PySide6.QtWidgets import QApplication

from app.main_window import MainWindow
from flora_engine.demo import synthesise, synthesise_stream
from flora_engine.labelling.exchange import Recording, read_segments
from flora_engine.labelling.segments import Segment
from flora_engine.project import Incoming, Project
from flora_engine.skeleton import SkeletonSequence


def idle(window: MainWindow) -> bool:
    busy = window.labels.is_busy or window.session.is_busy or window.opening.is_busy or window.jobs.jobs
    return window.player.sequence is not None and not busy


def test_search_correct_export_to_elan_and_read_back(qapp: QApplication, home: Path, tmp_path: Path) -> None:
    stream, true = synthesise_stream([5, 6, 11, 0], seed=4)
    with Project.create(tmp_path / "study") as project:
        project.recordings.add([Incoming(stream)])
    elan, kept = tmp_path / "out.eaf", dict[str, Any]()

    def opened(window: MainWindow) -> bool:
        window.labels.set_text("squat\njump up\nclap\nwave right hand")
        return window.timelines.can_edit and idle(window)

    def search(window: MainWindow) -> bool:
        window.player.playback.pause()
        window.run_command("timeline.find")
        return bool(window.jobs.jobs)

    def accept(window: MainWindow) -> bool:
        if not idle(window) or not window.timelines.content.found or window.timelines.content.until is not None:
            return False
        window.run_command("timeline.accept")
        return True

    def correct(window: MainWindow) -> bool:
        truth = window.timelines.content.truth
        if not idle(window) or not truth:
            return False
        window.timelines.select(truth[0])
        window.timelines.rename("own class")
        segment = window.timelines.content.truth[0]
        window.timelines.move_edge(segment, "end", segment.end - 5)
        kept["truth"] = window.timelines.content.truth
        return True

    def export(window: MainWindow) -> bool:
        if not idle(window):
            return False
        annotation = window.timelines._annotation(window.timelines.content.truth)
        window.timelines.dialogs.write(elan, annotation, "elan")
        window.timelines.take(())
        return elan.is_file()

    def back(window: MainWindow) -> bool:
        if not idle(window):
            return False
        window.timelines.dialogs.read(elan, window.timelines._annotation(()), window.timelines.take)
        return True

    def undone(window: MainWindow) -> bool:
        if not idle(window):
            return False
        assert window.timelines.content.truth == kept["truth"], "what ELAN keeps is what there was, to the frame"
        window.run_command("library.undo")
        assert window.timelines.content.truth == ()
        window.run_command("library.redo")
        return True

    run_story(Driver(opened, search, accept, correct, export, back, undone), str(tmp_path / "study"))
    with Project.open(tmp_path / "study", "read") as project:
        labels = [label for label in project.labels.of(1) if label.begin is not None]
        assert labels[0].class_name == "own class" and len(labels) == len(kept["truth"])
        assert project.statements.timeline(1) is not None
    read = read_segments(elan, Recording(stream.fps, stream.frames), "elan")
    assert read == tuple(Segment(s.name, s.start, s.end) for s in kept["truth"])
    assert true[0][0] == "squat"


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")
def test_a_batch_survives_a_crash_and_corrections_change_the_ranking(
    qapp: QApplication, home: Path, tmp_path: Path
) -> None:
    with Project.create(tmp_path / "study") as project:
        takes = [synthesise(a, subject=s, seed=s) for a in (10, 5) for s in range(1, 7)]
        project.recordings.add([Incoming(take) for take in takes])
    shares: list[float] = []

    def opened(window: MainWindow) -> bool:
        window.labels.set_text("first thing\nsecond thing")
        return window.session.can_edit and idle(window) and window.library.model.rowCount() == 12

    def rank(window: MainWindow) -> bool:
        window.run_command("actions.batch")
        return bool(window.jobs.jobs)

    def crash(window: MainWindow) -> bool:
        if window.jobs.jobs:
            window.jobs.jobs[0].cancel()  # its process is killed
            return True
        return False

    def resume(window: MainWindow) -> bool:
        if not idle(window):
            return False
        if "Resume" in window.notice.action().text() and not window.notice.isHidden():
            window.notice.action().click()
        return "Ranked 12 recordings" in window.notice.text()

    def before(window: MainWindow) -> bool:
        if not idle(window) or len(window.review.model.queue) != 12 or window.labels.answer is None:
            return False
        window.library.select_row(1)
        return True

    def confirm(window: MainWindow) -> bool:
        name = "" if window.player.sequence is None else window.player.sequence.name
        if not idle(window) or name != takes[1].name or window.labels.answer is None:
            return False
        shares.append(next(label.score for label in window.labels.answer.labels if label.name == "first thing"))
        window.learning.say(1, "first thing")
        window.learning.say(7, "second thing")
        return True

    def better(window: MainWindow) -> bool:
        answer = window.labels.answer
        if not idle(window) or answer is None or answer.learned != 2:
            return False
        shares.append(next(label.score for label in answer.labels if label.name == "first thing"))
        return answer.labels[0].name == "first thing"

    run_story(Driver(opened, rank, crash, resume, before, confirm, better), str(tmp_path / "study"))
    assert shares[1] > shares[0]


def test_odd_recordings_odd_texts_and_fast_typing(qapp: QApplication, home: Path, tmp_path: Path) -> None:
    one = SkeletonSequence(synthesise(3).joints[:1], 30.0, name="one frame", source=tmp_path / "one.npz")
    with Project.create(tmp_path / "study") as project:
        project.recordings.add([Incoming(one)])
    texts = (
        "喝水\nпить воду\nशराब पीना",
        "🙂\n???\n" + "very " * 2000 + "long",
        "a\n" * 3 + "A",
        "wave: " + "x " * 500,
    )
    tried: list[str] = []

    def opened(window: MainWindow) -> bool:
        return idle(window) and window.player.sequence is not None and window.player.sequence.frames == 1

    def type_fast(window: MainWindow) -> bool:
        for length in range(1, 40):
            window.labels.set_text("walk slowly and then jump over the box"[:length])
            if length == 20:
                window.models.use_builtin()  # another model in between
        return True

    def last_counts(window: MainWindow) -> bool:
        answer = window.labels.answer
        return idle(window) and answer is not None and answer.labels[0].name.endswith("the box")

    def every_text(window: MainWindow) -> bool:
        if not idle(window) or (tried and window.labels.answer is None):
            return False
        if tried:
            answer = window.labels.answer
            assert answer is not None and sum(label.score for label in answer.labels) == pytest.approx(1)
        if len(tried) == len(texts):
            return True
        tried.append(texts[len(tried)])
        window.labels.set_text(tried[-1])
        window.labels.rank_now()
        return False

    def search(window: MainWindow) -> bool:
        window.labels.set_text("喝水\nwalk")
        window.run_command("timeline.find")
        return True

    def found(window: MainWindow) -> bool:
        content = window.timelines.content
        return idle(window) and [(s.start, s.end) for s in content.found] == [(0, 0)] and content.until is None

    run_story(Driver(opened, type_fast, last_counts, every_text, search, found), str(tmp_path / "study"))
    assert np.isfinite(one.joints).all()
