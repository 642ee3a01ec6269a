"""The motion encoder: its numpy network is torch's, directions give the scores they promise, files are checked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_motion_encoder import JOINTS, NETWORKS, random_encoder
from torch import nn

from flora_engine.descriptors import catalogue
from flora_engine.errors import FloraError
from flora_engine.models.descriptors import unit
from flora_engine.models.motion_encoder import DILATIONS, MotionEncoder, load_motion_encoder


def _clips(count: int, persons: int = 2) -> np.ndarray:
    clips = np.random.default_rng(1).normal(size=(count, 3, 12, 25, 2)).astype(np.float32)
    clips[..., persons:] = 0
    return clips


def _by_torch(encoder: MotionEncoder, body: np.ndarray, n: int) -> np.ndarray:
    """Network `n` for bodies (B, 3, T, V), as torch's layers compute it."""
    x = torch.from_numpy(body)
    motion = torch.cat([x[:, :, 1:] - x[:, :, :-1], torch.zeros_like(x[:, :, :1])], dim=2)
    h = torch.cat([x, motion], dim=1).transpose(2, 3).flatten(1, 2)  # (B, 6V, T)

    def scaled(values: torch.Tensor, scale: np.ndarray, shift: np.ndarray) -> torch.Tensor:
        return values * torch.from_numpy(scale)[:, None] + torch.from_numpy(shift)[:, None]

    h = nn.functional.conv1d(
        scaled(h, encoder.start_scale[n], encoder.start_shift[n]),
        torch.from_numpy(encoder.start_weight[n])[..., None],
        torch.from_numpy(encoder.start_bias[n]),
    )
    for block, dilation in enumerate(DILATIONS):
        a = torch.relu(scaled(h, encoder.scale[n, block], encoder.shift[n, block]))
        weight, bias = torch.from_numpy(encoder.weight[n, block]), torch.from_numpy(encoder.bias[n, block])
        h = h + nn.functional.conv1d(a, weight, bias, padding=dilation, dilation=dilation)
    return torch.cat([h.mean(2), h.amax(2)], dim=1).numpy()


def test_the_network_is_the_one_that_torch_trains() -> None:
    encoder, clips = random_encoder(), _clips(3, persons=1)
    body = clips[:, :, :, JOINTS, 0]
    wanted = np.concatenate([_by_torch(encoder, body, n) for n in range(NETWORKS)], axis=1)
    np.testing.assert_allclose(encoder.features(clips), wanted, rtol=1e-3, atol=1e-3)


def test_two_persons_count_alike_and_nobody_else() -> None:
    encoder, clips = random_encoder(), _clips(2)
    first, second = clips.copy(), clips[..., ::-1].copy()
    first[..., 1] = second[..., 1] = 0
    mean = (encoder.features(first) + encoder.features(second)) / 2
    np.testing.assert_allclose(encoder.features(clips), mean, rtol=1e-4, atol=1e-4)
    assert np.isfinite(encoder.features(np.zeros_like(clips))).all()


def test_a_direction_gives_the_score_that_it_promises() -> None:
    encoder, clips = random_encoder(), _clips(4)
    random = np.random.default_rng(2)
    z, expectations = random.normal(size=(4, len(catalogue()))), random.normal(size=(3, len(catalogue())))
    of_descriptors, of_motion, offset = encoder.directions(expectations)
    found = z @ of_descriptors.T + encoder.expected(clips) @ of_motion.T + offset
    p = encoder.features(clips) @ encoder.to_expectation + z @ encoder.of_descriptors + encoder.offset
    np.testing.assert_allclose(found, 0.75 * (p - encoder.mean) @ unit(expectations).T / 2, rtol=1e-6)


def test_a_stored_encoder_comes_back_and_another_is_refused(tmp_path: Path) -> None:
    encoder, path = random_encoder(), tmp_path / "motion.npz"
    encoder.save(path)
    found = load_motion_encoder(path)
    np.testing.assert_allclose(found.expected(_clips(2)), encoder.expected(_clips(2)), rtol=0.05, atol=0.5)
    assert found.weight.dtype == np.float32 and found.mean.dtype == np.float64
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(FloraError, match="cannot be read"):
        load_motion_encoder(path)


def test_spikes_are_held_near() -> None:
    clips = _clips(1)
    far = np.where(np.random.default_rng(3).random(clips.shape) < 0.1, np.float32(1e6), clips)
    assert np.abs(random_encoder().features(far)).max() < 1e4
