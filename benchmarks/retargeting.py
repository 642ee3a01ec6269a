"""How well Kinect v1 recordings, retargeted to Kinect v2, suit a network that learned from Kinect v2 alone.

    python benchmarks/retargeting.py --checkpoint CHECKPOINT.pt --utd-mhad FOLDER --nw-ucla FOLDER [--clips 16]

CHECKPOINT is a published Shift-GCN of NTU RGB+D 60, joint stream (its licence is non-commercial: for measuring only).
It ranks the 60 actions of NTU for recordings of actions that both sets have, with joints taken by name and with
matched ones. Nothing is trained. Northwestern-UCLA is brought to 30 frames a
second first.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from flora_engine.models.shift_gcn.features import FeatureExtractor
from flora_engine.models.shift_gcn.published import read_published
from flora_engine.preprocessing import agcn
from flora_engine.readers import read_sequence
from flora_engine.skeleton import SkeletonSequence, to_kinect_v2

# Action in a file's name → action of NTU RGB+D, both from 1.
UTD_MHAD = {3: 23, 4: 10, 5: 7, 6: 40, 24: 9, 25: 8}
NW_UCLA = {1: 6, 2: 6, 3: 5, 5: 8, 6: 9, 8: 14, 9: 15, 11: 7}


def chosen(folder: Path, pattern: str, actions: dict[int, int], clips: int) -> list[tuple[SkeletonSequence, int]]:
    """Up to `clips` recordings of each action, drawn with seed 0, with their class of NTU, from 0."""
    random, found = np.random.default_rng(0), []
    for action, other in actions.items():
        paths = sorted(folder.glob(pattern.format(action)))
        found += [(read_sequence(paths[i]), other - 1) for i in random.permutation(len(paths))[:clips]]
    return [(sequence, label) for sequence, label in found if sequence.frames >= 8]


def at_30(sequence: SkeletonSequence) -> SkeletonSequence:
    count = round(sequence.frames * 30 / sequence.fps)
    times = np.linspace(0, sequence.frames - 1, count)
    before = np.floor(times).astype(int)
    after, share = np.minimum(before + 1, sequence.frames - 1), (times - before)[:, None, None, None]
    joints = sequence.joints[before] * (1 - share) + sequence.joints[after] * share
    return replace(sequence, joints=joints.astype(np.float32), fps=30.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--utd-mhad", type=Path, required=True)
    parser.add_argument("--nw-ucla", type=Path, required=True)
    parser.add_argument("--clips", type=int, default=16)
    given = parser.parse_args()
    model = read_published(given.checkpoint).eval()
    weight, bias = (value.detach().numpy() for value in (model.classifier.weight, model.classifier.bias))
    features = FeatureExtractor(model, torch.device("cpu"))
    sets = {
        "UTD-MHAD": chosen(given.utd_mhad, "a{}_s*", UTD_MHAD, given.clips),
        "Northwestern-UCLA": chosen(given.nw_ucla, "a{:02d}_s*", NW_UCLA, given.clips),
    }
    print("| data | joint table | clips | top-1 | top-5 | mean rank of 60 |\n|---|---|---|---|---|---|")
    for name, recordings in sets.items():
        for table, matched in (("by name", False), ("matched", True)):
            ranks = []
            for sequence, label in recordings:
                joints = to_kinect_v2(at_30(sequence), matched).joints
                scores = (features(agcn.prepare(joints)[None]) @ weight.T + bias)[0]
                ranks.append(1 + int((scores > scores[label]).sum()))
            r = np.array(ranks)
            print(f"| {name} | {table} | {len(r)} | {np.mean(r == 1):.1%} | {np.mean(r <= 5):.1%} | {r.mean():.1f} |")


if __name__ == "__main__":
    main()
