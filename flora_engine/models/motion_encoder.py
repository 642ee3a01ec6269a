"""A small network that learned all data sets together, and what it adds to the descriptor model. Numpy only.

It reads the clips of `PREPARATION`, one body at a time, without fingers, which most sensors do not measure. Several
networks stand side by side. One ridge regression of their features f and the descriptors z gives p = Af + Bz + b (D,),
the expectations that fit the recording. An action with the expectations e gains share · (p·e less its mean) / its
spread, both over the recordings of training (docs/method.md, section 9).
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flora_engine.descriptors.catalogue import catalogue
from flora_engine.errors import FloraError
from flora_engine.files import open_arrays, replacing
from flora_engine.models.descriptors import unit

Floats = NDArray[np.float64]
Array = NDArray[np.float32]
PREPARATION = "matched_clip"
DILATIONS = (1, 2, 4, 1)  # of the blocks, in frames
_FARTHEST = 5.0  # metres from the start; beyond it is a sensor's spike
_AT_ONCE = 256


@dataclass(frozen=True)
class MotionEncoder:
    """n networks of width W with L blocks, V joints.

    frames: (), of a clip. joints: int64 (V,), numbers in Kinect v2. fingerprint: of the preparation. start_scale,
    start_shift: (n, 6V). start_weight: (n, W, 6V). start_bias: (n, W). scale, shift, bias: (n, L, W). weight:
    (n, L, W, W, 3). to_expectation: A, (n·2W, D). of_descriptors: B, (D, D). offset: b, (D,). mean, covariance: (D,)
    and (D, D) of p over the recordings of training. share: (), of the score. temperature, odds: of the whole model, as
    for `DescriptorModel`.
    """

    frames: NDArray[np.int64]
    joints: NDArray[np.int64]
    fingerprint: Floats
    start_scale: Array
    start_shift: Array
    start_weight: Array
    start_bias: Array
    scale: Array
    shift: Array
    weight: Array
    bias: Array
    to_expectation: Floats
    of_descriptors: Floats
    offset: Floats
    mean: Floats
    covariance: Floats
    share: Floats
    temperature: Floats
    odds: Floats

    def features(self, clips: Array) -> Array:
        """(N, n·2W) of clips (N, 3, T, 25, 2); the persons who are there count alike."""
        parts = [self._features(clips[i : i + _AT_ONCE]) for i in range(0, len(clips), _AT_ONCE)]
        return np.concatenate(parts)

    def _features(self, clips: Array) -> Array:
        joints = np.clip(clips[:, :, :, self.joints], -_FARTHEST, _FARTHEST)
        there = np.any(joints != 0, axis=(1, 2, 3))
        there[:, 0] = True
        owner, person = np.nonzero(there)
        found = self.body_features(joints[owner, ..., person])
        sums = np.zeros((len(clips), found.shape[1]), np.float32)
        np.add.at(sums, owner, found)
        return np.asarray(sums / there.sum(axis=1)[:, None], np.float32)

    def body_features(self, bodies: Array) -> Array:
        """(B, n·2W) of bodies (B, 3, T, V): per network the mean and the maximum over time."""
        motion = np.diff(bodies, axis=2, append=bodies[:, :, -1:])
        both = np.concatenate([bodies, motion], axis=1)
        x = both.transpose(0, 2, 1, 3).reshape(len(bodies), bodies.shape[2], -1)  # (B, T, 6V)
        return np.concatenate([self._network(x, number) for number in range(len(self.start_bias))], axis=1)

    def _network(self, x: Array, n: int) -> Array:
        h = (x * self.start_scale[n] + self.start_shift[n]) @ self.start_weight[n].T + self.start_bias[n]
        frames = x.shape[1]
        for block, dilation in enumerate(DILATIONS):
            a = np.maximum(h * self.scale[n, block] + self.shift[n, block], 0)
            a = np.pad(a, ((0, 0), (dilation, dilation), (0, 0)))
            taps = [a[:, k * dilation : k * dilation + frames] @ self.weight[n, block, :, :, k].T for k in range(3)]
            h = h + sum(taps) + self.bias[n, block]
        return np.concatenate([h.mean(axis=1), h.max(axis=1)], axis=1)

    def expected(self, clips: Array) -> Floats:
        """Af + b (N, D) of clips (N, 3, T, 25, 2)."""
        return np.asarray(self.features(clips).astype(np.float64) @ self.to_expectation + self.offset)

    def directions(self, expectations: Floats) -> tuple[Floats, Floats, Floats]:
        """(K, D), (K, D), (K,): an action with these expectations (K, D) gains z·first + `expected`·second + third."""
        e = unit(expectations)
        spread = np.sqrt(np.maximum(((e @ self.covariance) * e).sum(axis=1), 1e-12))[:, None]
        weight = float(self.share) * e / spread
        return weight @ self.of_descriptors.T, weight, -(weight @ self.mean)

    def save(self, path: Path) -> None:
        """Write the encoder in one step, the networks in half precision."""
        half = ("start_weight", "weight")
        arrays: dict[str, Any] = {}
        for field in fields(self):
            array = np.asarray(getattr(self, field.name))
            kind = array.dtype if array.dtype == np.int64 else np.float16 if field.name in half else np.float32
            arrays[field.name] = array.astype(kind)
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, names=np.array(list(catalogue())), **arrays)


_WIDE = (
    "fingerprint",
    "to_expectation",
    "of_descriptors",
    "offset",
    "mean",
    "covariance",
    "share",
    "temperature",
    "odds",
)


def load_motion_encoder(path: Path) -> MotionEncoder:
    """A stored encoder. Raises FloraError if it is damaged or was made for other descriptors."""
    try:
        with open_arrays(path) as stored:
            names = [str(name) for name in stored["names"]]
            arrays = {field.name: stored[field.name] for field in fields(MotionEncoder)}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise FloraError(f"the motion encoder cannot be read: {error}", path=path) from None
    if names != list(catalogue()):
        raise FloraError(
            "this motion encoder was trained on other descriptors",
            path=path,
            remedy="Use its program version, or train again.",
        )
    for name, array in arrays.items():
        if array.dtype != np.int64:
            arrays[name] = array.astype(np.float64 if name in _WIDE else np.float32)
    return MotionEncoder(**arrays)
