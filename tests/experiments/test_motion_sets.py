"""The sets that are left out: sides joined, labels and texts that fit, numbers that mean what they say."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from flora_engine.datasets.catalogue import load_dataset
from flora_engine.errors import FloraError

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "experiments"))
import motion_sets
import open_set_scores


def test_both_sides_of_an_action_are_one_class() -> None:
    raw = ["kick a ball", "wave your other hand", "kick a ball with the other leg", "wave your hand"]
    numbers = [load_dataset("kinder_gator").places[name] for name in raw]
    assert numbers[0] == numbers[2] != numbers[1] == numbers[3]


@pytest.mark.parametrize("name", motion_sets.ARCHIVES)
def test_every_class_of_an_archive_has_its_own_text(shared_data: Path, name: str) -> None:
    found = motion_sets.load_set(shared_data, name)
    assert set(found.labels.tolist()) == set(range(len(found.texts)))
    assert all(np.isfinite(one.joints).all() and one.frames > 0 for one in found.sequences)


def test_a_label_is_the_class_that_its_archive_names(shared_data: Path) -> None:
    found = motion_sets.load_set(shared_data, "kinder_gator")
    raw = np.load(shared_data / "motion" / "kinder_gator.npz")
    for word in ("bow", "swim", "kick a ball", "draw the letter c", "jump"):
        rows = [i for i, label in enumerate(raw["label"]) if str(raw["classes"][label]) == word]
        assert {found.texts[found.labels[i]].name.lower() for i in rows} == {word}


def test_an_unknown_set_and_an_empty_folder_are_said(tmp_path: Path) -> None:
    with pytest.raises(FloraError, match="no motion set “other”"):
        motion_sets.load_set(tmp_path, "other")
    with pytest.raises(FloraError, match="no such folder"):
        motion_sets.load_set(tmp_path, "utd_mhad")
    with pytest.raises(FloraError, match="no such motion archive"):
        motion_sets.load_set(tmp_path, "sbu")


def test_recalls_and_draws() -> None:
    labels = np.array([0, 0, 0, 1, 2])
    scores = np.eye(3)[[0, 0, 1, 1, 1]]
    outcome = open_set_scores.measure(scores, labels)
    assert outcome.every[0] == pytest.approx(100 * (2 / 3 + 1 + 0) / 3)
    assert outcome.most == pytest.approx(60) and outcome.chance == pytest.approx(100 / 3)
    assert outcome.every[1] <= outcome.every[0] <= outcome.every[2]
    assert [len(drawn) for drawn in open_set_scores.draws(9)] == [5] * 50
