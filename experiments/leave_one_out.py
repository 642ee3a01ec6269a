"""Every data set left out whole: how well heads that never saw it rank its classes, in words.

    python experiments/leave_one_out.py ../shared/data [--heads descriptors --heads …] [--out FILE]

One row per set, head and kind of text (names alone; names with a description each): mean of the classes' recalls over
all classes and over 50 seeded draws of five, with 95 % intervals, the share of the most predicted class, and how well
the best score tells recordings of one of five actions from those of none of them.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
from descriptor_head import Evidence, auroc, lexicon_half
from leave_one_out_texts import KINDS, typed
from motion_sets import NAMES, MotionSet, load_set
from open_set_scores import Floats, Outcome, measure

from flora_engine.evaluation.open_sets import present_and_absent
from flora_engine.labelling.bundle import DESCRIPTORS, find_bundle, load_manifest, write_manifest
from flora_engine.labelling.labeller import Labeller
from flora_engine.models.descriptors import unit

# (set that is left out, kind of text) -> scores (N, K), larger is better
Head = Callable[[MotionSet, str], Floats]


def graphs_alone(run: Path) -> Head:
    """The bundle of a run without its descriptors: what training gave before there were any.

    Its scores of a class must not depend on the other classes typed. The run of configs/demo/two_sets.yaml has seen
    UTD-MHAD and Northwestern-UCLA.
    """
    trained = find_bundle(run)
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / "bundle"
        shutil.copytree(trained, bundle)
        (bundle / DESCRIPTORS).unlink(missing_ok=True)
        write_manifest(bundle, load_manifest(trained).model_copy(update={"descriptors": None, "files": {}}))
        labeller = Labeller(bundle)
    how = labeller.manifest.attunement
    assert how is not None and how.neighbours == 0, "draws of five would have to be ranked one by one"
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


FREE = ("precog", "mesh2motion")  # MIT and CC0


def descriptors(
    sets: list[MotionSet],
    *,
    own: bool = True,
    half: int | None = None,
    used: int | None = None,
    only: tuple[str, ...] = NAMES,
) -> Head:
    """The descriptor model of the other sets. own: with the entries of the set's own names. half: the seed of a random
    half of the lexicon. used: train on so many of the other sets alone, in the order of NAMES. only: or on these.
    """
    evidence = Evidence(sets, own, None if half is None else lexicon_half(half))

    def head(left_out: MotionSet, kind: str) -> Floats:
        others = [name for name in evidence.sets if name != left_out.name and name in only]
        return evidence.scores(evidence.model(others[:used]), left_out.name, kind)

    return head


def lexicon_alone(sets: list[MotionSet], *, own: bool = True) -> Head:
    """Nothing learned but the pool's percentiles: expectations of unit length, times what was measured."""
    evidence = Evidence(sets, own)

    def head(left_out: MotionSet, kind: str) -> Floats:
        model = evidence.model([name for name in evidence.sets if name != left_out.name])
        return model.standardise(evidence.values[left_out.name]) @ unit(evidence.expected[left_out.name, kind]).T

    return head


def embeddings_alone(sets: list[MotionSet]) -> Head:
    """No lexicon: ridge regression from measured values to the sentence embeddings of class names."""
    evidence = Evidence(sets)

    def head(left_out: MotionSet, kind: str) -> Floats:
        model = evidence.model([name for name in evidence.sets if name != left_out.name])
        vectors = unit(evidence.vectors[left_out.name, kind] - model.text_mean)
        return model.standardise(evidence.values[left_out.name]) @ model.to_text @ vectors.T

    return head


HEADS: dict[str, Callable[[list[MotionSet]], Head]] = {
    "descriptors": descriptors,
    "descriptors, own entries left out": lambda sets: descriptors(sets, own=False),
    "lexicon alone": lexicon_alone,
    "lexicon alone, own entries left out": lambda sets: lexicon_alone(sets, own=False),
    "embeddings alone": embeddings_alone,
    "descriptors, half of the lexicon (1)": lambda sets: descriptors(sets, half=1),
    "descriptors, half of the lexicon (2)": lambda sets: descriptors(sets, half=2),
    "descriptors, 2 sets": lambda sets: descriptors(sets, used=2),
    "descriptors, 4 sets": lambda sets: descriptors(sets, used=4),
    "descriptors, MIT and CC0 sets": lambda sets: descriptors(sets, only=FREE),
}


def line(name: str, head: str, kind: str, outcome: Outcome, none: float) -> str:
    """One row of the table in docs/results.md."""
    every, five = ("{:.1f} ({:.1f}–{:.1f})".format(*values) for values in (outcome.every, outcome.five))
    return f"| {name} | {head} | {kind} | {every} | {outcome.chance:.1f} | {five} | {outcome.most:.0f} | {none:.2f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--heads", action="append", choices=HEADS, help="all if none is named")
    parser.add_argument("--graphs", type=Path, metavar="RUN", help="add the graphs alone of this run or bundle")
    parser.add_argument("--out", type=Path, default=Path("leave_one_out.json"))
    given = parser.parse_args()
    sets = [load_set(given.data, name) for name in NAMES]
    rows = []
    columns = ("set", "head", "text", "all classes, %", "chance", "five, %", "most predicted, %", "AUROC of none")
    print(f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|")
    heads = {name: HEADS[name](sets) for name in given.heads or HEADS}
    if given.graphs is not None:
        heads["graphs alone"] = graphs_alone(given.graphs)
    for head_name, head in heads.items():
        for one in sets:
            for kind in KINDS:
                scores = head(one, kind)
                outcome = measure(scores, one.labels)
                none = auroc(*present_and_absent(scores, one.labels))
                rows.append({"set": one.name, "head": head_name, "text": kind, "none": none, **asdict(outcome)})
                print(line(one.name, head_name, kind, outcome, none), flush=True)
    given.out.write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
