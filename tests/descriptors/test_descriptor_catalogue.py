"""The catalogue is complete and consistent, and everything in it is measured."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
from bodies import person, recording, rotation

from flora_engine.descriptors import analyse, catalogue, measure
from flora_engine.skeleton import KINECT_V2

UNITS = {"torsos", "degrees", "torsos/s", "degrees/s", "share", "1/s", ""}


def test_names_are_stable_words_and_phrases_are_unique() -> None:
    entries = catalogue()
    assert 120 <= len(entries) <= 200
    phrases = Counter(phrase for entry in entries.values() for phrase in (entry.high, entry.low))
    for name, entry in entries.items():
        assert re.fullmatch(r"[a-z]+(_[a-z]+)+", name) and entry.name == name
        assert entry.unit in UNITS and entry.high and entry.low and entry.definition, name
        assert not re.search(r"[{}]", entry.high + entry.low + entry.definition), name
        assert entry.high != entry.low, name
        assert set(re.sub(r"\bactive\b", "left", joint) for joint in entry.joints) <= set(KINECT_V2.joints), name
    assert not [phrase for phrase, count in phrases.items() if count > 3]


def test_each_side_has_the_descriptors_of_the_other() -> None:
    names = catalogue()
    assert {n.removeprefix("right_") for n in names if n.startswith("right_")} == {
        n.removeprefix("left_") for n in names if n.startswith("left_")
    }


def test_everything_is_measured_on_two_persons_who_walk() -> None:
    swing = 30 * np.sin(2 * np.pi * np.arange(120) / 30)
    walker = person(120, right_leg=swing, left_leg=-swing, right_arm=(40 + swing, 0.0))
    values = measure(recording(walker, person(120) @ rotation(180) + np.array([0, 0, -1.5])))
    assert not [name for name, value in zip(catalogue(), values, strict=True) if np.isnan(value)]


def test_nothing_is_measured_that_the_catalogue_does_not_name() -> None:
    found = analyse(recording(person(), person() @ rotation(180) + np.array([0, 0, -1.5])))
    assert set(found.signals) <= {entry.signal for entry in catalogue().values()}
    assert set(found.wholes) <= set(catalogue())
