"""The data sets that the program knows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from flora_engine.datasets import catalogue
from flora_engine.datasets.catalogue import dataset_names, load_dataset
from flora_engine.errors import FloraError
from flora_engine.skeleton.layouts import LAYOUTS


@pytest.mark.parametrize(
    ("name", "classes", "first", "last"),
    [
        ("ntu60", 60, "drink water", "walking apart from each other"),
        ("ntu120", 120, "drink water", "finger-guessing game (playing rock-paper-scissors)"),
        ("pku51", 51, "bow", "writing"),
        ("pku41", 51, "bow", "writing"),
        ("utd_mhad", 27, "right arm swipe to the left", "squat"),
        ("nw_ucla", 10, "pick up with one hand", "carry"),
        ("kinder_gator", 48, "raise one leg with the knee bent", "wave your hand"),
        ("msr_daily", 16, "call on a mobile phone", "write on paper"),
        ("sbu", 8, "approaching each other", "shaking hands"),
        ("precog", 8, "back fist", "side kick with the right leg"),
        ("mesh2motion", 75, "stamp in anger", "walk formally"),
    ],
)
def test_every_data_set_has_its_classes_in_label_order(name: str, classes: int, first: str, last: str):
    names = load_dataset(name).class_names
    assert (len(names), names[0], names[-1]) == (classes, first, last)
    assert len(set(names)) == classes


@pytest.mark.parametrize("name", dataset_names())
def test_layouts_exist_and_rules_name_what_trains(name: str):
    dataset = load_dataset(name)
    assert dataset.layout in LAYOUTS
    assert dataset.train_rules
    assert all(rule.values for rule in dataset.train_rules.values())


def test_pku_classes_are_in_alphabetical_order():
    names = load_dataset("pku51").class_names
    assert list(names) == sorted(names)


def test_ntu60_is_the_first_half_of_ntu120():
    assert load_dataset("ntu60").classes == load_dataset("ntu120").classes[:60]


def test_the_published_train_rules():
    rules = load_dataset("ntu120").train_rules
    subjects = np.array(rules["xsub"].values)
    assert (len(subjects), subjects.min(), subjects.max()) == (53, 1, 103)
    assert set(load_dataset("ntu60").train_rules["xsub"].values) == set(subjects[subjects <= 40].tolist())
    assert rules["xset"].values == tuple(range(2, 33, 2))
    assert load_dataset("ntu60").train_rules["xview"].values == (2, 3)


def test_an_unknown_data_set_lists_the_known_ones():
    with pytest.raises(FloraError, match=r"“ntu” is unknown.*ntu120"):
        load_dataset("ntu")
    with pytest.raises(FloraError, match="unknown"):
        load_dataset("../datasets/ntu60")


def test_a_part_of_another_set_is_chosen_by_label(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "whole.yaml").write_text(
        "title: t\nlayout: kinect_v2\nfile_names: f\ntrain_rules: {}\nclasses: [{name: a}, {name: b}, {name: c}]\n"
    )
    (tmp_path / "part.yaml").write_text(
        "title: t\nlayout: kinect_v2\nfile_names: f\ntrain_rules: {}\nclasses: {from: whole, labels: [2, 0]}\n"
    )
    (tmp_path / "wrong.yaml").write_text("title: t\nlayout: 3\nfile_names: f\ntrain_rules: {}\nclasses: [{name: a}]\n")
    monkeypatch.setattr(catalogue, "FOLDER", tmp_path)
    assert load_dataset("part").class_names == ("c", "a")
    with pytest.raises(FloraError, match="not a description of a data set"):
        load_dataset("wrong")
