"""Features of recordings, kept on disk by the content of the recording, the model and the code that makes them."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flora_engine.array_cache import ArrayCache
from flora_engine.labelling.bundle import MANIFEST
from flora_engine.resources import code_key
from flora_engine.skeleton import SkeletonSequence

Floats = NDArray[np.float32]
_SOURCES = (
    "skeleton",
    "descriptors",
    "preprocessing",
    "models/descriptors.py",
    "models/motion_encoder.py",
    "labelling/labeller.py",
)


def feature_cache() -> ArrayCache:
    """The user's."""
    return ArrayCache("features")


def content_key(sequence: SkeletonSequence) -> str:
    """Changes with everything in a recording that features may depend on."""
    joints = sequence.joints
    digest = hashlib.blake2b(f"{joints.shape} {joints.dtype} {sequence.fps} {sequence.layout}".encode(), digest_size=16)
    digest.update(joints.tobytes())
    if sequence.tracking is not None:
        digest.update(sequence.tracking.tobytes())
    return digest.hexdigest()


class KeptFeatures:
    """The features of one bundle, looked up in `cache` before they are made."""

    def __init__(self, bundle: Path, cache: ArrayCache) -> None:
        manifest = (bundle / MANIFEST).read_bytes()  # it holds the hashes of all files
        self._model = hashlib.sha256(manifest + _code().encode()).hexdigest()[:24]
        self._cache = cache

    def parts(
        self, sequences: Sequence[SkeletonSequence], make: Callable[[list[SkeletonSequence]], list[Floats]]
    ) -> list[Floats]:
        """The parts of the features of N recordings, (N, d) each, as `make` gives them; only new ones are made."""
        keys = [f"{self._model}-{content_key(one)}" for one in sequences]
        widths_key = f"{self._model}-widths"
        known = self._cache.get([widths_key, *dict.fromkeys(keys)])
        widths = known.get(widths_key)
        if widths is None:
            known = {}
        new = {key: one for key, one in zip(keys, sequences, strict=True) if key not in known}
        if new:
            parts = make(list(new.values()))
            widths = np.array([part.shape[1] for part in parts], np.float32)
            made = dict(zip(new, np.concatenate(parts, axis=1), strict=True))
            self._cache.put(made | {widths_key: widths})
            known |= made
        assert widths is not None
        rows = np.stack([known[key] for key in keys])
        return np.split(rows, np.cumsum(widths)[:-1].astype(np.int64), axis=1)


@functools.cache
def _code() -> str:
    return code_key(_SOURCES)
