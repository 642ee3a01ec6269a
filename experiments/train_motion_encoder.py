"""Train the motion encoder of the built-in bundle on all sets, calibrate the model with it, and store it.

    OMP_NUM_THREADS=1 python experiments/train_motion_encoder.py ../shared/data --keep FOLDER [--out motion.npz]

FOLDER is that of all_sets_encoder.py: the encoders that left sets out calibrate the temperature and the odds of “none
of these”. Run it again after a new descriptors.npz; only the calibration is then computed anew.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from all_sets_encoder import (
    GROUPS,
    MEASURED,
    Bodies,
    Targets,
    add_options,
    all_descriptors,
    balance,
    bodies_of,
    kept,
    kept_path,
    levelled,
    members,
    ridge_map,
    targets_of,
)
from descriptor_head import Evidence, odds, temperature
from motion_sets import NAMES, load_set
from open_set_scores import Floats

from flora_engine.labelling.bundle import BUILTIN, MANIFEST, MOTION, Manifest, write_manifest
from flora_engine.models.descriptors import unit
from flora_engine.models.motion_encoder import PREPARATION, MotionEncoder
from flora_engine.preprocessing import preparation

Scored = dict[str, tuple[Floats, Floats]]
SHARE = 0.75  # chosen on the mean over the sets left out (docs/decisions/0010-words.md)


def _norm(state: dict[str, torch.Tensor], name: str) -> tuple[np.ndarray, np.ndarray]:
    """Scale and shift of a batch norm that no longer learns."""
    scale = state[f"{name}.weight"] / torch.sqrt(state[f"{name}.running_var"] + 1e-5)
    return scale.numpy(), (state[f"{name}.bias"] - scale * state[f"{name}.running_mean"]).numpy()


def network_of(path: Path) -> dict[str, np.ndarray]:
    """The arrays of `MotionEncoder` for one stored network."""
    state = torch.load(path, weights_only=True)
    start = _norm(state, "network.start.0")
    blocks = range(sum(name.startswith("network.blocks.") and name.endswith(".2.weight") for name in state))
    norms = [_norm(state, f"network.blocks.{number}.0") for number in blocks]
    return {
        "start_scale": start[0],
        "start_shift": start[1],
        "start_weight": state["network.start.1.weight"][..., 0].numpy(),
        "start_bias": state["network.start.1.bias"].numpy(),
        "scale": np.stack([scale for scale, _ in norms]),
        "shift": np.stack([shift for _, shift in norms]),
        "weight": np.stack([state[f"network.blocks.{number}.2.weight"].numpy() for number in blocks]),
        "bias": np.stack([state[f"network.blocks.{number}.2.bias"].numpy() for number in blocks]),
    }


def mapped(
    given: argparse.Namespace, bodies: Bodies, targets: Targets, z: Floats, number: int
) -> tuple[Floats, tuple[Floats, Floats]]:
    """p (N, D) of all recordings by what learned all sets but those of group `number`, and its map from [z, f]."""
    found = [kept(given, *member, number, bodies, targets) for member in members(given)]
    both = np.concatenate([z, *(one["features"] for one in found)], axis=1).astype(np.float64)
    weight, offset = ridge_map(both, targets, targets.wanted.double().numpy()[targets.label.numpy()])
    return both @ weight + offset, (weight, offset)


def whole(evidence: Evidence, bodies: Bodies, given: argparse.Namespace) -> MotionEncoder:
    """The encoder of all sets, not calibrated."""
    number = len(GROUPS)
    model = evidence.model(list(NAMES))
    targets, z = targets_of(evidence, list(NAMES), model), all_descriptors(evidence, model)
    p, (weight, offset) = mapped(given, bodies, targets, z, number)
    networks = [network_of(kept_path(given, *member, number).with_suffix(".pt")) for member in members(given)]
    weights, learned = balance(targets), p[targets.rows.numpy()]
    mean = weights @ learned
    return MotionEncoder(
        frames=np.array(given.frames),
        joints=np.array(MEASURED),
        fingerprint=np.array(preparation(PREPARATION).fingerprint),
        **{name: np.stack([one[name] for one in networks]) for name in networks[0]},
        to_expectation=weight[z.shape[1] :],
        of_descriptors=weight[: z.shape[1]],
        offset=offset,
        mean=mean,
        covariance=(learned * weights[:, None]).T @ learned - np.outer(mean, mean),
        share=np.array(SHARE),
        temperature=np.array(1.0),
        odds=np.zeros(2),
    )


def left_out(evidence: Evidence, bodies: Bodies, given: argparse.Namespace, kind: str) -> Scored:
    """Of every set by models that never saw it, with the encoders': scores of its classes, and of the lexicon's."""
    scores = evidence.left_out(kind)
    ends = dict(zip(NAMES, np.cumsum([len(evidence.sets[name].labels) for name in NAMES]), strict=True))
    for number, group in enumerate(GROUPS):
        names = [name for name in NAMES if name not in group]
        model = evidence.model(names)
        targets = targets_of(evidence, names, model)
        p, _ = mapped(given, bodies, targets, all_descriptors(evidence, model), number)
        for name in group:
            rows = slice(ends[name] - len(evidence.sets[name].labels), ends[name])
            for place, expected in enumerate((evidence.expected[name, kind], evidence.actions[name][0])):
                scores[name][place][:] += SHARE * levelled(p @ unit(expected).T, targets)[rows]
    return scores


def left_out_of(evidence: Evidence, keep: Path) -> Scored:
    """`left_out` of names, with the default options and the encoders in the folder `keep`."""
    parser = argparse.ArgumentParser()
    add_options(parser)
    given = parser.parse_args([".", "--keep", str(keep)])
    return left_out(evidence, bodies_of(list(evidence.sets.values()), given.frames), given, "names")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser)
    parser.add_argument("--out", type=Path, default=BUILTIN / MOTION)
    given = parser.parse_args()
    evidence = Evidence([load_set(given.data, name) for name in NAMES])
    bodies = bodies_of(list(evidence.sets.values()), given.frames)
    scores = left_out(evidence, bodies, given, "names")
    labels = {name: one.labels for name, one in evidence.sets.items()}
    encoder = replace(
        whole(evidence, bodies, given),
        temperature=np.array(temperature(scores, labels)),
        odds=np.array(odds(scores, labels)),
    )
    encoder.save(given.out)
    if given.out.parent == BUILTIN:  # its manifest holds the hash
        write_manifest(BUILTIN, Manifest.model_validate_json((BUILTIN / MANIFEST).read_text(encoding="utf-8")))
    print(f"{given.out}: {given.out.stat().st_size / 1e6:.1f} MB")
    print(f"temperature {float(encoder.temperature):.2f}, odds of none {encoder.odds}")


if __name__ == "__main__":
    main()
