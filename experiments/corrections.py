"""How much one, three or five confirmed recordings per typed action improve the ranking, without training.

    OMP_NUM_THREADS=2 python experiments/corrections.py ../shared/data [--sets utd_mhad nw_ucla] [--seeds 40]

The base is the descriptor model that never saw the set (all other sets train it). A seed draws five actions, gives half
of the persons to the confirmed recordings and half to the test, and draws the confirmed ones. Accuracy is the mean of
the actions' recalls in per cent. “by prototypes” is the likeness alone, “mixed” what the program does; the gain is the
paired difference to the base with its standard error over seeds; “worse” counts seeds in which mixing lost.
--choose compares values of WEIGHT, HALF, FACTORS and TRUST on the sets that are not reported: so they were chosen.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from descriptor_head import Evidence
from motion_sets import NAMES, MotionSet, load_set
from open_set_scores import Floats, recall

from flora_engine.labelling import corrections
from flora_engine.labelling.bundle import BUILTIN, DESCRIPTORS
from flora_engine.labelling.corrections import Confirmed, corrected, gains
from flora_engine.models.descriptors import load_descriptor_model

REPORTED = ("utd_mhad", "nw_ucla")
SHOTS, ACTIONS = (1, 3, 5), 5


@dataclass(frozen=True)
class Base:
    """One set by the model that never saw it: z (N, D), logits (N, K), labels and persons (N,)."""

    name: str
    z: Floats
    logits: Floats
    labels: np.ndarray
    persons: np.ndarray


def base_of(evidence: Evidence, one: MotionSet, kind: str) -> Base:
    model = evidence.model([name for name in evidence.sets if name != one.name])
    softness = float(load_descriptor_model(BUILTIN / DESCRIPTORS).temperature)
    z = model.standardise(evidence.values[one.name])
    persons = np.array([int(sequence.metadata.get("subject", 0)) for sequence in one.sequences])
    return Base(one.name, z, evidence.scores(model, one.name, kind) / softness, one.labels, persons)


def drawn(base: Base, shots: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Actions, rows of the confirmed recordings and rows of the test; None if an action has too few recordings."""
    random = np.random.default_rng([seed, shots])
    people = random.permutation(np.unique(base.persons))
    mine = np.isin(base.persons, people[: (len(people) + 1) // 2])
    enough = [
        action
        for action in range(base.logits.shape[1])
        if (mine & (base.labels == action)).sum() >= shots and (~mine & (base.labels == action)).any()
    ]
    if len(enough) < 2:
        return None
    actions = np.sort(random.choice(enough, min(ACTIONS, len(enough)), replace=False))
    known = [random.choice(np.flatnonzero(mine & (base.labels == a)), shots, replace=False) for a in actions]
    return actions, np.concatenate(known), np.flatnonzero(~mine & np.isin(base.labels, actions))


def one_seed(base: Base, shots: int, seed: int) -> tuple[float, float, float] | None:
    """Accuracy of the base, by prototypes alone, and mixed."""
    found = drawn(base, shots, seed)
    if found is None:
        return None
    actions, known, test = found
    confirmed = Confirmed(base.z[known], np.searchsorted(actions, base.labels[known]))
    own, spaces = np.searchsorted(actions, base.labels[test]), [base.z.shape[1]]
    logits, known_logits = base.logits[np.ix_(test, actions)], base.logits[np.ix_(known, actions)]
    alone = gains(base.z[test], spaces, confirmed, len(actions)).sum(axis=0)
    mixed = corrected(base.z[test], logits, known_logits, spaces, confirmed)
    a, b, c = (100 * recall(scores.argmax(axis=1), own) for scores in (logits, alone, mixed))
    return a, b, c


def row(base: Base, shots: int, seeds: int) -> str | None:
    """One line of the table."""
    every = [one for seed in range(seeds) if (one := one_seed(base, shots, seed)) is not None]
    if len(every) < seeds // 2:
        return None
    values = np.array(every)
    gain = values[:, 2] - values[:, 0]
    error = [*(values.std(axis=0, ddof=1) / np.sqrt(len(values))), gain.std(ddof=1) / np.sqrt(len(values))]
    cells = [f"{m:.1f} ± {e:.1f}" for m, e in zip([*values.mean(axis=0), gain.mean()], error, strict=True)]
    return f"| {base.name} | {shots} | {' | '.join(cells)} | {(gain < -1e-9).sum()} of {len(gain)} |"


def choose(bases: Sequence[Base], seeds: int) -> None:
    """Mean gain over the sets for several values of WEIGHT, HALF, the largest of FACTORS and TRUST, per shots."""
    print(
        "| WEIGHT | HALF | largest factor | TRUST | gain at 1, 3, 5 | worst gain of a set |\n|---|---|---|---|---|---|"
    )
    ways = [(weight, half, 2.0, 5.0) for weight in (2.0, 4.0, 6.0, 8.0, 12.0, 16.0) for half in (0.5, 1.0, 2.0)]
    ways += [(6.0, 1.0, largest, trust) for largest in (4.0, 8.0) for trust in (1.0, 2.0, 5.0, 10.0)]
    for weight, half, largest, trust in ways:
        corrections.WEIGHT, corrections.HALF, corrections.TRUST = weight, half, trust
        corrections.FACTORS = tuple(factor for factor in (0.0, 0.5, 1.0, 2.0, 4.0, 8.0) if factor <= largest)
        found: dict[int, list[float]] = {shots: [] for shots in SHOTS}
        for base in bases:
            for shots in SHOTS:
                every = [one for seed in range(seeds) if (one := one_seed(base, shots, seed)) is not None]
                if every:
                    found[shots].append(float(np.mean([c - a for a, _, c in every])))
        means = ", ".join(f"{np.mean(one):.2f}" for one in found.values())
        worst = min(min(one) for one in found.values())
        print(f"| {weight:g} | {half:g} | {largest:g} | {trust:g} | {means} | {worst:.2f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--sets", nargs="+", default=REPORTED, choices=NAMES)
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--kind", default="names", choices=("names", "descriptions"))
    parser.add_argument("--choose", action="store_true")
    given = parser.parse_args()
    evidence = Evidence([load_set(given.data, name) for name in NAMES])
    if given.choose:
        names = [name for name in NAMES if name not in REPORTED]
        choose([base_of(evidence, evidence.sets[name], given.kind) for name in names], given.seeds)
        return
    columns = ("set", "confirmed per action", "base, %", "by prototypes, %", "mixed, %", "gain", "worse")
    print(f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|")
    for name in given.sets:
        base = base_of(evidence, evidence.sets[name], given.kind)
        for shots in SHOTS:
            line = row(base, shots, given.seeds)
            if line is not None:
                print(line, flush=True)


if __name__ == "__main__":
    main()
