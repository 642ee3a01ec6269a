"""A motion encoder with random weights, and the real preparation's fingerprint."""

from __future__ import annotations

import numpy as np

from flora_engine.descriptors import catalogue
from flora_engine.models.motion_encoder import DILATIONS, PREPARATION, MotionEncoder
from flora_engine.preprocessing import preparation

JOINTS, WIDTH, NETWORKS = np.array([0, 4, 7, 20]), 8, 2


def random_encoder(seed: int = 0) -> MotionEncoder:
    random = np.random.default_rng(seed)
    size = len(catalogue())

    def draw(*shape: int) -> np.ndarray:
        return random.normal(size=shape).astype(np.float32)

    return MotionEncoder(
        frames=np.array(12),
        joints=JOINTS,
        fingerprint=np.array(preparation(PREPARATION).fingerprint),
        start_scale=draw(NETWORKS, 24),
        start_shift=draw(NETWORKS, 24),
        start_weight=draw(NETWORKS, WIDTH, 24),
        start_bias=draw(NETWORKS, WIDTH),
        scale=draw(NETWORKS, len(DILATIONS), WIDTH),
        shift=draw(NETWORKS, len(DILATIONS), WIDTH),
        weight=draw(NETWORKS, len(DILATIONS), WIDTH, WIDTH, 3) / 5,
        bias=draw(NETWORKS, len(DILATIONS), WIDTH),
        to_expectation=draw(NETWORKS * 2 * WIDTH, size).astype(np.float64),
        of_descriptors=draw(size, size).astype(np.float64),
        offset=draw(size).astype(np.float64),
        mean=draw(size).astype(np.float64),
        covariance=np.eye(size) * 4,
        share=np.array(0.75),
        temperature=np.array(1.0),
        odds=np.array([0.5, -2.0]),
    )
