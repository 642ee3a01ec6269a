"""What is wrong with lexicon entries: each by itself, and between them (docs/lexicon.md)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flora_engine.descriptors.catalogue import catalogue
from flora_engine.semantics.lexicon import Entry, Lexicon

TOO_NEAR = 0.97  # cosine between two entries' expectations from which no recording can tell them apart
FEWEST_USES = 3  # a descriptor that fewer entries name is not worth measuring
FEWEST_RECORDINGS = 3  # of one action, before they can contradict anything
# share of recordings on the wrong side of the pool's median, and how far off their middle lies
_AGAINST, _CLEARLY = 2 / 3, 0.2
LONGEST_MOTION = 30  # words
_KEYS = set(Entry.model_fields)
_PAIRS = (
    *("persons_", "second_person", "hand_to_other", "both_hands_to_other", "heads_distance", "foot_to_other"),
    *("touch_", "one_actor", "other_recoil"),
)


def entry_problems(entry: dict[str, Any]) -> list[str]:
    """What is wrong with one entry as it stands in its file, taken alone; empty if nothing is."""
    if set(entry) != _KEYS:
        return [f"its keys must be {', '.join(sorted(_KEYS))}"]
    names, expect, seconds = entry["names"], entry["expect"], entry["seconds"]
    unknown = sorted(set(expect) - set(catalogue()))
    pairs = [name for name in expect if name.startswith(_PAIRS)]
    words = len(str(entry["motion"]).split())
    checks = {
        "names must be lower-case texts": all(isinstance(n, str) and n and n == n.lower().strip() for n in names),
        "it needs two names or more": len(names) >= 2,
        f"motion must be one sentence of at most {LONGEST_MOTION} words": _is_sentence(entry["motion"])
        and words <= LONGEST_MOTION,
        "meaning must be a sentence": _is_sentence(entry["meaning"]),
        "persons must be 1 or 2": entry["persons"] in (1, 2),
        "seconds must be [from, to]": len(seconds) == 2 and 0 < seconds[0] <= seconds[1],
        "it needs 5 to 20 expectations": 5 <= len(expect) <= 20,
        "expectations must be -2, -1, 1 or 2": all(value in (-2, -1, 1, 2) for value in expect.values()),
        f"there is no descriptor {', '.join(unknown)}": not unknown,
        f"{', '.join(pairs)} needs persons: 2": entry["persons"] == 2 or not pairs,
    }
    return [what for what, right in checks.items() if not right]


def _is_sentence(text: object) -> bool:
    return isinstance(text, str) and text[:1].isupper() and text.endswith(".")


def repeated_names(lexicon: Lexicon) -> list[str]:
    """Names that stand in more than one entry, or twice in one."""
    counts = Counter(name for entry in lexicon.entries for name in entry.names)
    return sorted(name for name, count in counts.items() if count > 1)


def unused_descriptors(lexicon: Lexicon) -> list[str]:
    """Descriptors that fewer than `FEWEST_USES` entries name."""
    used = Counter(name for entry in lexicon.entries for name in entry.expect)
    return [name for name in catalogue() if used[name] < FEWEST_USES]


def near_pairs(lexicon: Lexicon) -> list[tuple[str, str]]:
    """Main names of entries that expect nearly the same."""
    vectors = lexicon.expectations / np.linalg.norm(lexicon.expectations, axis=1, keepdims=True)
    near = np.argwhere(np.triu(vectors @ vectors.T, 1) > TOO_NEAR)
    return [(lexicon.entries[a].names[0], lexicon.entries[b].names[0]) for a, b in near]


@dataclass(frozen=True)
class Contradiction:
    """An expectation that recordings do not bear out. score: their middle in the pool, -1 … 1. against: how many of the
    `recordings` that have a value lie on the other side of the pool's median.
    """

    descriptor: str
    expected: float
    score: float
    against: int
    recordings: int


def contradictions(entry: Entry, scores: NDArray[np.float32]) -> list[Contradiction]:
    """What recordings of an action, scores (N, D) in the pool, NaN if not measured, say against its entry; the clearest
    first.
    """
    found = []
    for place, name in enumerate(catalogue()):
        expected = float(entry.expect.get(name, 0.0))
        known = scores[:, place][np.isfinite(scores[:, place])]
        if not expected or len(known) < FEWEST_RECORDINGS:
            continue
        against, middle = int((known * np.sign(expected) < 0).sum()), float(np.median(known))
        if against >= _AGAINST * len(known) and middle * np.sign(expected) < -_CLEARLY:
            found.append(Contradiction(name, expected, middle, against, len(known)))
    return sorted(found, key=lambda one: -abs(one.score * one.expected))


def problems(files: Sequence[tuple[Path, list[dict[str, Any]]]], lexicon: Lexicon, whole: bool) -> Iterator[str]:
    """One sentence per problem: of the entries of `files`, then of all entries of `lexicon` together.

    whole: whether the lexicon is to use every descriptor, as the shipped one does.
    """
    for path, entries in files:
        for number, entry in enumerate(entries, start=1):
            first = next(iter(entry.get("names") or ["?"]))
            yield from (f"{path}: entry {number} “{first}”: {problem}" for problem in entry_problems(entry))
    yield from (f"the name “{name}” is given twice" for name in repeated_names(lexicon))
    yield from (f"“{one}” and “{other}” expect nearly the same" for one, other in near_pairs(lexicon))
    if whole:
        yield from (f"fewer than {FEWEST_USES} entries name {name}" for name in unused_descriptors(lexicon))
