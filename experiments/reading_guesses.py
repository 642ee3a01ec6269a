"""How often the axes, the unit and the handedness of a recording are guessed wrongly.

    python experiments/reading_guesses.py SHARED_DATA

Every recording of the folders `ntu/raw`, `utd_mhad`, `nw_ucla`, `pku/raw` and of the archives in `motion` that is
longer than a second is turned (one of 24 quarter turns, and any angle about the vertical), scaled to another unit and
mirrored, all at random, and then read as if nothing were known of it. Truth is the recording itself: +y up, metres,
right-handed. Recordings with nobody in them are left out, as readers refuse them.

Prints one line per data set: recordings, and the share with each guess right, in percent. "Asked" is the share in which
a guess is called unsure, so that the window asks; "right or asked" counts a wrong guess as wrong only if it was not
asked about. "Sure" is the share of guesses of up axis and handedness that were called sure, "wrong though sure" the
share of all recordings. "real" are all but hand-made animations.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flora_engine.readers import read_sequence
from flora_engine.skeleton import LAYOUTS
from flora_engine.skeleton.orientation import TURNS, UNITS, look

FOLDERS = ("ntu/raw", "utd_mhad", "nw_ucla", "pku/raw")
SCALES = ("metres", "centimetres", "millimetres", "inches")
MIN_SECONDS = 1.0
ANIMATIONS = ("mesh2motion",)  # made by hand, some of creatures that fly


def recordings(shared: Path) -> Iterator[tuple[str, str, NDArray[np.float32]]]:
    """(data set, layout, joints (T, M, V, 3)) of every recording that is long enough."""
    for folder in FOLDERS:
        for path in sorted((shared / folder).iterdir()):
            sequence = read_sequence(path)
            if sequence.seconds > MIN_SECONDS:
                yield folder.split("/")[0], sequence.layout, sequence.joints
    for path in sorted((shared / "motion").glob("*.npz")):
        with np.load(path, allow_pickle=False) as archive:
            layout, rate, joints = str(archive["layout"]), float(archive["fps"]), archive["joints_mm"]
            for first, frames in zip(archive["first"], archive["frames"], strict=True):
                if frames / rate > MIN_SECONDS and layout in LAYOUTS and joints[first : first + frames].any():
                    yield path.stem, layout, joints[first : first + frames].astype(np.float32) / 1000


def disguise(joints: NDArray[np.float32], random: np.random.Generator) -> tuple[NDArray[np.float64], dict[str, object]]:
    """The joints turned, scaled and mirrored, and what is to be found."""
    up, unit, mirrored = random.choice(list(TURNS)), random.choice(SCALES), bool(random.integers(2))
    angle = random.uniform(0, 2 * np.pi)
    cos, sin = np.cos(angle), np.sin(angle)
    about = np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])
    turn = np.array(TURNS[up], float).T @ np.diag([-1 if mirrored else 1, 1, 1]) @ about
    return joints @ turn.T / UNITS[unit], {"up axis": up, "unit": unit, "handedness": mirrored}


def main() -> None:
    random = np.random.default_rng(0)
    right: dict[str, list[list[bool]]] = defaultdict(list)
    sure: dict[str, list[tuple[bool, bool]]] = defaultdict(list)
    for name, layout, joints in recordings(Path(sys.argv[1])):
        hidden, truth = disguise(joints, random)
        seen = look(hidden, layout)
        found = {"up axis": seen.up, "unit": seen.unit, "handedness": seen.left_handed}
        each = [found[key] == truth[key] for key in truth]
        unsure = [seen.up_sure == "unsure", seen.unit is None, seen.handed_sure == "unsure"]
        called_sure = seen.up_sure == "sure" and seen.handed_sure == "sure"
        for key in (name, *(() if name in ANIMATIONS else ("real",)), "all"):
            right[key].append([*each, all(each), any(unsure), all(a or b for a, b in zip(each, unsure, strict=True))])
            sure[key].append((called_sure, called_sure and not (each[0] and each[2])))
    columns = ("up axis", "unit", "handedness", "all three", "asked", "right or asked", "sure", "wrong though sure")
    print(f"| data set | recordings | {' | '.join(columns)} |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for name in [*(key for key in right if key not in ("real", "all")), "real", "all"]:
        shares = 100 * np.mean(right[name], axis=0)
        sures = 100 * np.mean(sure[name], axis=0)
        print(f"| {name} | {len(right[name]):,} | {' | '.join(f'{v:.1f}' for v in (*shares, *sures))} |")


if __name__ == "__main__":
    main()
