"""The shipped lexicon: whole entries, unique names, descriptors that exist and are used, no two entries the same."""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import Any

import numpy as np
import yaml

from flora_engine.descriptors.catalogue import catalogue
from flora_engine.resources import RESOURCES

LEXICON = RESOURCES / "lexicon"
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# Cosine between two entries' expectations from which nobody can tell their recordings apart.
TOO_NEAR = 0.97


@cache
def entries() -> list[dict[str, Any]]:
    """All entries of all files, each with the name of its file."""
    found = []
    for path in sorted(LEXICON.glob("*.yaml")):
        found += [entry | {"file": path.name} for entry in yaml.load(path.read_text("utf-8"), LOADER)]
    return found


def test_the_lexicon_is_as_large_as_promised() -> None:
    assert len(entries()) >= 800
    assert sum(len(entry["names"]) for entry in entries()) >= 2000


def wrong(entry: dict[str, Any]) -> list[str]:
    """What is wrong with one entry, taken alone."""
    keys = {"names", "motion", "meaning", "persons", "seconds", "expect", "file"}
    if set(entry) != keys:
        return [f"keys {sorted(set(entry) ^ keys)}"]
    names, expect, seconds = entry["names"], entry["expect"], entry["seconds"]
    checks = {
        "names are lower case texts": all(isinstance(n, str) and n == n.lower().strip() and n for n in names),
        "there are two names or more": len(names) >= 2,
        "motion is a sentence of at most 30 words": _sentence(entry["motion"]) and len(entry["motion"].split()) <= 30,
        "meaning is a sentence": _sentence(entry["meaning"]),
        "one or two persons": entry["persons"] in (1, 2),
        "seconds are from and to": len(seconds) == 2 and 0 < seconds[0] <= seconds[1],
        "5 to 15 expectations": 5 <= len(expect) <= 15,
        "expectations are -2, -1, 1 or 2": all(value in (-2, -1, 1, 2) for value in expect.values()),
        "descriptors are in the catalogue": set(expect) <= set(catalogue()),
        "what two persons do speaks of two": entry["persons"] == 2 or not _of_pairs(expect),
    }
    return [what for what, right in checks.items() if not right]


def _sentence(text: object) -> bool:
    return isinstance(text, str) and text[:1].isupper() and text.endswith(".")


def _of_pairs(expect: dict[str, int]) -> set[str]:
    pair = ("persons_", "second_person", "hand_to_other", "both_hands_to_other", "heads_distance", "foot_to_other")
    return {name for name in expect if name.startswith((*pair, "touch_", "one_actor", "other_recoil"))}


def test_every_entry_is_whole() -> None:
    faults = {(entry["file"], entry["names"][0]): found for entry in entries() if (found := wrong(entry))}
    assert not faults


def test_a_broken_entry_is_noticed() -> None:
    good = entries()[0]
    assert not wrong(good)
    for change in (
        {"names": ["Wave", "wave a hand"]},
        {"motion": "word " * 31 + "."},
        {"persons": 3},
        {"seconds": [4, 1]},
        {"expect": good["expect"] | {"no_such_descriptor": 1}},
        {"expect": good["expect"] | {"travel_path": 3}},
        {"expect": good["expect"] | {"touch_share": 1}},
        {"note": "unknown key"},
    ):
        assert wrong(good | change), change


def test_a_name_stands_in_one_entry_only() -> None:
    counts = Counter(name for entry in entries() for name in entry["names"])
    assert not [name for name, count in counts.items() if count > 1]


def test_every_descriptor_is_used() -> None:
    used = Counter(name for entry in entries() for name in entry["expect"])
    assert not {name: used[name] for name in catalogue() if used[name] < 3}


def test_no_two_entries_expect_the_same() -> None:
    places = {name: i for i, name in enumerate(catalogue())}
    vectors = np.zeros((len(entries()), len(places)))
    for row, entry in zip(vectors, entries(), strict=True):
        for name, value in entry["expect"].items():
            row[places[name]] = value
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    near = np.argwhere(np.triu(vectors @ vectors.T, 1) > TOO_NEAR)
    names = [entry["names"][0] for entry in entries()]
    assert not [(names[a], names[b]) for a, b in near]
