"""Local features: what the encoder says of each joint and stretch of time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from flora_engine.datasets.features import STRETCHES
from flora_engine.errors import Cancelled
from flora_engine.jobs import Job
from flora_engine.models.shift_gcn.network import ShiftGCN
from flora_engine.training import local_features as module
from flora_engine.training.local_features import by_joint_and_time, local_features


def network(seed: int, persons: int = 2) -> ShiftGCN:
    torch.manual_seed(seed)
    return ShiftGCN(3, persons=persons, base_channels=2).eval()


@torch.inference_mode()
def test_their_mean_is_the_feature_if_stretches_are_equally_long() -> None:
    model, x = network(0), torch.randn(4, 3, 24, 25, 2)
    found = by_joint_and_time(model, x)
    assert found.shape == (4, STRETCHES, 25, 8)
    torch.testing.assert_close(found.mean(dim=(1, 2)), model.features(x), rtol=1e-4, atol=1e-5)


@torch.inference_mode()
def test_each_is_the_mean_over_persons_and_the_frames_of_its_stretch() -> None:
    model, x = network(1), torch.randn(2, 3, 29, 25, 2)
    blocks = model.blocks(model.bodies(x)).numpy()  # (N·M, F, V, 7): stretches of 2, 2 and 3 frames
    found = by_joint_and_time(model, x).numpy()
    for n in range(2):
        both = (blocks[2 * n] + blocks[2 * n + 1]) / 2
        for stretch, (first, last) in enumerate([(0, 2), (2, 4), (4, 7)]):
            for joint in (0, 11, 24):
                np.testing.assert_allclose(
                    found[n, stretch, joint], both[:, joint, first:last].mean(axis=1), rtol=1e-4, atol=1e-5
                )


@torch.inference_mode()
def test_the_shortest_clip_has_all_stretches() -> None:
    found = by_joint_and_time(network(0), torch.randn(1, 3, 4, 25, 2))
    assert torch.isfinite(found).all()
    torch.testing.assert_close(found[:, 0], found[:, 2])


def test_streams_stand_side_by_side_at_each_place(monkeypatch: pytest.MonkeyPatch) -> None:
    models = {"joint.pt": network(0), "bone.pt": network(1)}
    monkeypatch.setattr(module, "load_any_encoder", lambda path: (models[path.name], {}))
    clips = np.random.default_rng(0).normal(size=(5, 3, 16, 25, 2)).astype(np.float32)
    files: Any = {"bone": Path("bone.pt"), "joint": Path("joint.pt")}
    both = local_features(Job(), files, clips, batch_size=2).reshape(5, STRETCHES, 25, 16)
    for stream, place in (("joint", slice(0, 8)), ("bone", slice(8, 16))):
        alone = local_features(Job(), {stream: files[stream]}, clips).reshape(5, STRETCHES, 25, 8)
        np.testing.assert_allclose(both[..., place], alone, rtol=1e-4, atol=1e-5)


def test_it_stops_between_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "load_any_encoder", lambda path: (network(0), {}))
    job = Job()
    job.stop()
    with pytest.raises(Cancelled):
        local_features(job, {"joint": Path("joint.pt")}, np.zeros((3, 3, 16, 25, 2), np.float32))
