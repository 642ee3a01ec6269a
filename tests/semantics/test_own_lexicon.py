"""Lexicon files of one's own: checked when they are added, before the shipped ones, and gone when they are removed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from flora_engine.cli import main
from flora_engine.demo import write_demo
from flora_engine.descriptors.catalogue import catalogue
from flora_engine.errors import FloraError
from flora_engine.jobs import Job
from flora_engine.labelling.measured import Measured
from flora_engine.project import Project
from flora_engine.semantics.class_texts import parse_typed
from flora_engine.semantics.lexicon import Entry, add_file, load_lexicon, own_files, remove_file, users_lexicon
from flora_engine.semantics.lexicon_checks import Contradiction, contradictions
from flora_engine.semantics.text_encoder import load_text_encoder

ENTRY = """- names: [{name}, snorkle]
  motion: The trunk swings to and fro.
  meaning: A word of the test's own.
  expect: {{pelvis_height_change: -2}}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FLORA_LEXICON", str(tmp_path / "own"))
    return tmp_path / "own"


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(ENTRY.format(name="frabjous wobble"), encoding="utf-8")
    return path


def test_own_entries_are_found_and_win(written: Path, tmp_path: Path) -> None:
    assert users_lexicon().entries == load_lexicon().entries and users_lexicon().find("frabjous wobble") is None
    add_file(written)
    lexicon = users_lexicon()
    assert lexicon.find("snorkle") == 0 and len(lexicon.entries) == len(load_lexicon().entries) + 1
    other = tmp_path / "wave.yaml"
    other.write_text(ENTRY.format(name="wave"), encoding="utf-8")
    add_file(other)
    assert users_lexicon().entries[users_lexicon().find("wave") or 0].meaning == "A word of the test's own."
    remove_file("wave.yaml")
    assert users_lexicon().entries[users_lexicon().find("wave") or 0].meaning != "A word of the test's own."


def test_a_ranking_uses_them(written: Path) -> None:
    from flora_engine.labelling.bundle import BUILTIN, DESCRIPTORS

    encoder = load_text_encoder()
    before = Measured(BUILTIN / DESCRIPTORS, encoder).read(parse_typed("snorkle"))[0]
    add_file(written)
    after = Measured(BUILTIN / DESCRIPTORS, encoder).read(parse_typed("snorkle"))[0]
    assert before.sure < 1 and after.sure == 1 and after.notice is None


def test_the_commands(written: Path, capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    assert main(["lexicon", "list"]) == 0 and "none in" in capsys.readouterr().out
    assert main(["lexicon", "add", str(written)]) == 0
    assert f"1 actions of {written} are used from now on" in capsys.readouterr().out
    assert main(["lexicon", "list"]) == 0 and "mine: 1 actions" in capsys.readouterr().out
    assert main(["lexicon", "show", "snorkle"]) == 0 and "trunk swings" in capsys.readouterr().out
    assert main(["lexicon", "remove", "mine"]) == 0 and not own_files()


def test_what_is_wrong_is_told_before_anything_changes(written: Path, tmp_path: Path, folder: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text(ENTRY.format(name="x").replace("pelvis_height_change", "pelvis"), encoding="utf-8")
    with pytest.raises(FloraError, match=r"no descriptor “pelvis” .entry 1 “x”"):
        add_file(bad)
    assert not folder.exists()
    add_file(written)
    with pytest.raises(FloraError, match="of this name already"):
        add_file(written)
    with pytest.raises(FloraError, match=r"no lexicon file “other” of yours.*Yours: mine"):
        remove_file("other")


def test_recordings_contradict_an_expectation_if_two_of_three_clearly_do() -> None:
    entry = Entry(names=("x",), motion="", meaning="", expect={"pelvis_height_change": -2, "jump_height_max": 1})
    fall, jump = (list(catalogue()).index(name) for name in entry.expect)
    scores = np.full((6, len(catalogue())), np.nan, np.float32)
    scores[:, fall] = [0.9, 0.8, 0.7, 0.6, -0.5, -0.5]  # four of six rise
    scores[:, jump] = [-0.1, -0.1, -0.1, -0.1, -0.1, np.nan]  # hardly below the middle
    assert contradictions(entry, scores) == [Contradiction("pelvis_height_change", -2.0, pytest.approx(0.65), 4, 6)]
    scores[0, fall] = -0.9
    assert not contradictions(entry, scores)
    scores[:, jump] = [-0.9, -0.9, np.nan, np.nan, np.nan, np.nan]  # too few
    assert not contradictions(entry, scores)


def test_a_project_is_held_against_the_lexicon(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text(ENTRY.format(name="squat").replace("pelvis_height_change: -2", "pelvis_height_range: -2"))
    write_demo(Job(), tmp_path / "demo", subjects=3)
    project, labels = str(tmp_path / "p"), str(tmp_path / "demo" / "classes.csv")
    assert main(["import", "--project", project, "--labels", labels, "--jobs", "1", str(tmp_path / "demo")]) == 0
    add_file(mine)
    capsys.readouterr()
    assert main(["lexicon", "compare", project]) == 0
    said = capsys.readouterr().out
    assert "squat: 1 expectations contradicted\n  pelvis_height_range: -2, but in 3 of 3 " in said
    with Project.create(tmp_path / "empty"):
        pass
    assert main(["lexicon", "compare", str(tmp_path / "empty")]) == 1
    assert "no recording of this project has a class" in capsys.readouterr().err
