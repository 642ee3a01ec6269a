"""The shipped lexicon: whole entries, unique names, descriptors that exist and are used, no two entries the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flora_engine.cli import main
from flora_engine.semantics import lexicon_checks
from flora_engine.semantics.lexicon import FOLDER, load_lexicon, plain_entries


def test_the_lexicon_is_as_large_as_promised() -> None:
    entries = load_lexicon().entries
    assert len(entries) >= 800
    assert sum(len(entry.names) for entry in entries) >= 2000


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_entry_is_whole(path: Path) -> None:
    found = {entry["names"][0]: lexicon_checks.entry_problems(entry) for entry in plain_entries(path)}
    assert not {name: problems for name, problems in found.items() if problems}


@pytest.mark.parametrize(
    "change",
    [
        {"names": ["Wave", "wave a hand"]},
        {"motion": "word " * 31 + "."},
        {"persons": 3},
        {"seconds": [4, 1]},
        {"note": "unknown key"},
    ],
)
def test_a_broken_entry_is_noticed(change: dict[str, Any]) -> None:
    good = plain_entries(FOLDER / "gestures.yaml")[0]
    assert not lexicon_checks.entry_problems(good)
    assert lexicon_checks.entry_problems(good | change)


@pytest.mark.parametrize("expectation", [{"no_such_descriptor": 1}, {"travel_path": 3}, {"touch_share": 1}])
def test_a_wrong_expectation_is_noticed(expectation: dict[str, int]) -> None:
    good = plain_entries(FOLDER / "gestures.yaml")[0]
    assert lexicon_checks.entry_problems(good | {"expect": good["expect"] | expectation})


def test_names_are_unique_descriptors_used_and_entries_different() -> None:
    lexicon = load_lexicon()
    assert not lexicon_checks.repeated_names(lexicon)
    assert not lexicon_checks.unused_descriptors(lexicon)
    assert not lexicon_checks.near_pairs(lexicon)


def test_the_command_checks_shows_and_suggests(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(
        "- {names: [flail], motion: Arms fly., meaning: A joke.,\n"
        "   persons: 1, seconds: [1, 2], expect: {travel_path: 1}}\n"
    )
    assert main(["lexicon", "check", str(own)]) == 1
    assert "“flail”: it needs two names or more" in capsys.readouterr().out
    assert main(["lexicon", "show", "wave"]) == 0
    shown = capsys.readouterr().out
    assert "also called" in shown and "(active_hand" in shown
    assert main(["lexicon", "suggest", "juggling three oranges"]) == 0
    (tmp_path / "start.yaml").write_text(capsys.readouterr().out)
    assert plain_entries(tmp_path / "start.yaml")[0]["names"][0] == "juggling three oranges"
