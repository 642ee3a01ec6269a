"""Local features of clips: the last block of a Shift-GCN per joint and stretch of time, before the mean over both.

Heads that attend to body parts (`heads.reads_local`) read them beside the features. Of published feature files only
those of PURLS hold them; else recordings and an encoder must be at hand. They take STRETCHES · V times the space.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from flora_engine.datasets.features import STRETCHES
from flora_engine.jobs import Job
from flora_engine.models.shift_gcn.network import ShiftGCN
from flora_engine.models.shift_gcn.streams import STREAMS, make_stream
from flora_engine.training.distributed import choose_device
from flora_engine.training.extraction import load_any_encoder


def by_joint_and_time(model: ShiftGCN, x: Tensor) -> Tensor:
    """x (N, C, T, V, M) → (N, STRETCHES, V, F): the mean over persons and over the frames of each stretch.

    A stretch shares a frame with its neighbour if the last block has fewer frames than there are stretches.
    """
    blocks: Tensor = model.blocks(model.bodies(x))
    blocks = blocks.view(len(x), model.persons, *blocks.shape[1:]).mean(1)  # (N, F, V, frames)
    frames = blocks.shape[3]
    bounds = [
        (s * frames // STRETCHES, max(s * frames // STRETCHES + 1, (s + 1) * frames // STRETCHES))
        for s in range(STRETCHES)
    ]
    return torch.stack([blocks[..., first:last].mean(3) for first, last in bounds], dim=1).transpose(2, 3)


@torch.inference_mode()
def local_features(
    job: Job,
    checkpoints: Mapping[str, Path],
    joints: NDArray[np.float32],
    *,
    batch_size: int = 16,
    device: str | None = None,
) -> NDArray[np.float32]:
    """Local features float32 (N, STRETCHES·V·F) of clips float32 (N, 3, T, V, M); F counts the features of all streams,
    in the order of STREAMS. They are computed by PyTorch. Raises Cancelled, FloraError as `load_any_encoder`.
    """
    place = choose_device(device)
    models = {name: load_any_encoder(checkpoints[name])[0].to(place).eval() for name in STREAMS if name in checkpoints}
    found: list[NDArray[np.float32]] = []
    for start in range(0, len(joints), batch_size):
        job.check()
        job.progress("local features", start, len(joints))
        clips = np.asarray(joints[start : start + batch_size], np.float32)
        streams = [
            by_joint_and_time(model, torch.from_numpy(make_stream(clips, name)).to(place)).float()
            for name, model in models.items()
        ]
        found.append(torch.cat(streams, dim=3).flatten(1).cpu().numpy())
    job.progress("local features", len(joints), len(joints))
    return np.concatenate(found)
