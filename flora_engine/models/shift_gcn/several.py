"""Several networks, one per stream, as one encoder: their features side by side, in the order of `STREAMS`."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from flora_engine.errors import FloraError
from flora_engine.models.shift_gcn.network import ShiftGCN
from flora_engine.models.shift_gcn.streams import in_order, make_stream

Networks = ShiftGCN | Mapping[str, ShiftGCN]  # one that reads joints as they are, or one per stream


def each(networks: Networks) -> dict[str, ShiftGCN]:
    """stream → network, in the order of their features. FloraError if they take other clips than each other."""
    found = {"joint": networks} if isinstance(networks, ShiftGCN) else in_order(networks)
    shapes = {stream: (model.channels, model.joints, model.persons) for stream, model in found.items()}
    if len(set(shapes.values())) > 1:
        said = "; ".join(f"{name}: {c} channels, {v} joints, {m} persons" for name, (c, v, m) in shapes.items())
        raise FloraError(f"the encoders take different clips ({said})", remedy="Name encoders of one training.")
    return found


def feature_size(networks: Networks) -> int:
    """Numbers of a recording's feature: F, of all streams together."""
    return sum(model.feature_size for model in each(networks).values())


def features(networks: Networks, joints: Tensor) -> Tensor:
    """joints float32 (N, C, T, V, M) → (N, F), by networks that evaluate."""
    return torch.cat([model.eval().features(make_stream(joints, name)) for name, model in each(networks).items()], 1)
