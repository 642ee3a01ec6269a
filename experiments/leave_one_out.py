"""Every data set left out whole: how well heads that never saw it rank its classes, in words.

    python experiments/leave_one_out.py ../shared/data --out leave_one_out.json [--sets sbu,precog] [--heads shipped]

One row per set, head and kind of text (names alone; names with a description each): mean of the classes' recalls over
all classes and over 50 seeded draws of five, with 95 % intervals, and the share of the most predicted class.
The shipped model is measured as it lies in resources/models; it has seen UTD-MHAD and Northwestern-UCLA.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
from motion_sets import NAMES, MotionSet, load_set
from open_set_scores import Floats, Outcome, measure

from flora_engine.datasets.catalogue import ClassText
from flora_engine.labelling.labeller import Labeller
from flora_engine.semantics.class_texts import parse_typed

KINDS = ("names", "descriptions")
# (set that is left out, kind of text) -> scores (N, K), larger is better
Head = Callable[[MotionSet, str], Floats]


def typed(motion_set: MotionSet, kind: str) -> list[ClassText]:
    """The classes as a user types them: a name, or a name and a description."""
    lines = [
        text.name.replace(":", " ") if kind == "names" else f"{text.name.replace(':', ' ')}: {text.motion}"
        for text in motion_set.texts
    ]
    found = parse_typed("\n".join(line.replace(";", ",") for line in lines))
    assert len(found) == len(lines), "two classes of one name"
    return found


def shipped(bundle: Path | None = None) -> Head:
    """A bundle as `flora label` uses it; its scores of a class must not depend on the other classes typed."""
    labeller = Labeller(bundle) if bundle else Labeller()
    assert labeller.manifest.attunement.neighbours == 0, "draws of five would have to be ranked one by one"
    kept: dict[str, Floats] = {}

    def head(left_out: MotionSet, kind: str) -> Floats:
        if left_out.name not in kept:
            some = [left_out.sequences[i : i + 64] for i in range(0, len(left_out.sequences), 64)]
            kept[left_out.name] = np.concatenate([labeller.latents(part)[0] for part in some])
        texts = typed(left_out, kind)
        found = []
        for start in range(0, len(left_out.sequences), 64):
            for ranking in labeller.rank(kept[left_out.name][start : start + 64], texts):
                scores = {label.name: label.score for label in ranking.labels}
                found.append([scores[text.name] for text in texts])
        return np.log(np.maximum(np.array(found), 1e-300))

    return head


HEADS: dict[str, Callable[[], Head]] = {"shipped": shipped}


def line(name: str, head: str, kind: str, outcome: Outcome) -> str:
    """One row of the table in docs/results.md."""
    every, five = ("{:.1f} ({:.1f}–{:.1f})".format(*values) for values in (outcome.every, outcome.five))
    return f"| {name} | {head} | {kind} | {every} | {outcome.chance:.1f} | {five} | {outcome.most:.0f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--sets", default=",".join(NAMES))
    parser.add_argument("--heads", default=",".join(HEADS))
    parser.add_argument("--out", type=Path, default=Path("leave_one_out.json"))
    given = parser.parse_args()
    sets = [load_set(given.data, name) for name in given.sets.split(",")]
    rows = []
    print(
        "| set | head | text | all classes, % | chance | five, % | most predicted, % |\n|---|---|---|---|---|---|---|"
    )
    for head_name in given.heads.split(","):
        head = HEADS[head_name]()
        for one in sets:
            for kind in KINDS:
                outcome = measure(head(one, kind), one.labels)
                rows.append({"set": one.name, "head": head_name, "text": kind, **asdict(outcome)})
                print(line(one.name, head_name, kind, outcome), flush=True)
    given.out.write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
