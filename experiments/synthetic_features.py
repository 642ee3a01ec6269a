"""Synthetic encoder features of NTU RGB+D size, for speed and memory; never evidence of accuracy.

Class texts are random; class means are a noisy, mildly bent linear function of them, so that zero-shot transfer is
possible but not perfect.
"""

from __future__ import annotations

import numpy as np

from flora_engine.datasets.features import Features


def synthetic_features(
    classes: int = 120,
    unseen: int = 10,
    train: int = 63_026,
    test: int = 5_000,
    tokens: int = 61,
    text: int = 768,
    width: int = 256,
    difficulty: float = 1.0,
    seed: int = 0,
) -> tuple[Features, np.ndarray, np.ndarray]:
    """(features, states float32 (classes, tokens, text), unseen classes). difficulty: spread around the means."""
    random = np.random.default_rng(seed)
    core = random.normal(size=(classes, 24))
    states = core @ random.normal(size=(24, text)) / 24**0.5
    states = (
        states[:, None, :]
        + 0.7 * random.normal(size=(1, tokens, text))
        + 0.7 * random.normal(size=(classes, tokens, text))
    )
    means = np.tanh(core @ random.normal(size=(24, width)) / 24**0.5) + 0.3 * random.normal(size=(classes, width))
    new = np.sort(random.permutation(classes)[:unseen])
    old = np.setdiff1d(np.arange(classes), new)

    def draw(pool: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        labels = np.sort(random.choice(pool, count))
        labels[: len(pool)] = pool  # no class without a sample
        noise = random.standard_normal((count, width), dtype=np.float32)
        return means[labels].astype(np.float32) + np.float32(difficulty) * noise, labels.astype(np.int64)

    features = Features(*draw(old, train), *draw(new, test), *draw(np.arange(classes), test))
    return features, states.astype(np.float32), new
