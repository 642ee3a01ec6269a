"""The ranking with a real bundle: tiny random weights, but every step that the built-in model takes."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QThreadPool

from app.labelling.service import LabelService
from app.main_window import MainWindow
from flora_engine.labelling.bundle import BUILTIN, bundle_title, find_bundle
from flora_engine.labelling.labeller import Labeller
from flora_engine.readers import read_sequence
from flora_engine.semantics.class_texts import parse_typed, with_known_texts

TYPED = "wave hand: one hand swings beside the head\nsit down\nsquat"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """RUN/final/bundle, as a training run leaves it."""
    path = Path(__file__).resolve().parents[1] / "labelling" / "tiny_bundle.py"
    spec = importlib.util.spec_from_file_location("tiny_bundle_of_the_window", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    folder = tmp_path_factory.mktemp("runs") / "my run" / "final" / "bundle"
    module.write(folder)
    return folder


@pytest.fixture
def make(qtbot: Any, tmp_path: Path) -> Iterator[Callable[..., MainWindow]]:
    def window(**more: Any) -> MainWindow:
        made = MainWindow(settings_file=tmp_path / "settings.json", **more)
        qtbot.addWidget(made)
        made.show()
        made.labels.set_text(TYPED)
        return made

    yield window
    QThreadPool.globalInstance().waitForDone(30_000)


def ranked(window: MainWindow, qtbot: Any, actions: int) -> dict[str, float]:
    qtbot.waitUntil(lambda: window.labels.answer is not None and len(window.labels.answer.labels) == actions)
    assert window.labels.answer is not None
    return {row.name: row.score for row in window.labels.answer.labels}


def test_the_panel_shows_what_the_bundle_ranks(
    make: Callable[..., MainWindow], qtbot: Any, bundle: Path, recordings: Path
) -> None:
    window = make(service=LabelService(folder=bundle))
    path = sorted(recordings.glob("S001*"))[0]
    window.opening.open_paths([path])
    scores = ranked(window, qtbot, 3)
    expected = Labeller(bundle).label(read_sequence(path), with_known_texts(parse_typed(TYPED)))
    assert list(scores) == [label.name for label in expected.labels]
    assert list(scores.values()) == pytest.approx([label.score for label in expected.labels], rel=1e-3)
    assert sum(scores.values()) == pytest.approx(1)
    assert window.labels.answer is not None
    assert {"prepare", "encode", "text", "score"} == set(window.labels.answer.timings)
    assert window.labels.model.index(0).data() == next(iter(scores))

    window.labels.set_text(TYPED + "\njump up")
    assert set(ranked(window, qtbot, 4)) == {*scores, "jump up"}
    assert "encode" not in window.labels.answer.timings, "the recording is encoded once"
    window.labels.set_text("")
    qtbot.waitUntil(lambda: "at least one action" in window.labels.message.text())


def test_another_bundle_is_chosen_remembered_and_given_back(
    make: Callable[..., MainWindow], qtbot: Any, bundle: Path, recordings: Path, tmp_path: Path
) -> None:
    first = tmp_path / "first"
    shutil.copytree(bundle, first)
    window = make(service=LabelService(folder=first))
    assert window.labels.model_name.text() == "first"
    window.opening.open_paths([sorted(recordings.glob("S001*"))[0]])
    before = ranked(window, qtbot, 3)
    (tmp_path / "empty").mkdir()
    window.models.use(tmp_path / "empty")
    qtbot.waitUntil(lambda: "no manifest.json" in window.notice.text())
    assert window.labels.model_name.text() == "first" and not window.settings.bundle

    window.labels.answer = None
    window.models.use(bundle.parent.parent)  # the run: its bundle is found
    qtbot.waitUntil(lambda: window.settings.bundle == str(bundle))
    assert window.labels.model_name.text() == "my run"
    assert ranked(window, qtbot, 3) == pytest.approx(before)
    window.close()

    again = make()
    assert again.models.folder == bundle and again.settings.bundle == str(bundle)
    again.close()
    shutil.move(bundle, tmp_path / "moved")
    try:
        third = make()
        assert third.models.folder == BUILTIN and third.labels.model_name.text() == "built-in model"
        assert "not there any more" in third.notice.text()
        third.close()
    finally:
        shutil.move(tmp_path / "moved", bundle)


def test_the_bundle_that_a_folder_means(tmp_path: Path) -> None:
    run = tmp_path / "run"
    for split in ("final", "split1"):
        (run / split / "bundle").mkdir(parents=True)
        (run / split / "bundle" / "manifest.json").write_text("{}")
    assert find_bundle(run) == run / "final" / "bundle"
    assert find_bundle(run / "split1") == run / "split1" / "bundle" == find_bundle(run / "split1" / "bundle")
    assert find_bundle(tmp_path / "nothing") == tmp_path / "nothing"
    assert (
        bundle_title(run / "split1" / "bundle") == "split1"
        and bundle_title(run / "final" / "bundle") == "run"
        and bundle_title(run) == "run"
    )
    assert bundle_title(BUILTIN) == "built-in model"
