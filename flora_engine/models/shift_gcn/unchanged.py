"""Which layers of a model are exactly those of `network`, so that other code may compute what they compute.

Back ends and the ONNX graph hold the network's arithmetic a second time. What a subclass, a replaced method, a hook or
a layer of another shape makes of it they cannot know, so they ask here first and leave such layers to PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

import torch
from torch import Tensor, nn

from flora_engine.models.shift_gcn import network
from flora_engine.models.shift_gcn.network import (
    Block,
    Offsets,
    Pointwise,
    ShiftGCN,
    SpatialShift,
    TemporalShift,
    shift_in_rows,
    shift_out_rows,
)

_PARTS = ("forward",)
_METHODS: dict[type[nn.Module], dict[str, object]] = {
    kind: {name: getattr(kind, name) for name in names}
    for kind, names in {
        ShiftGCN: ("forward", "features", "bodies", "pooled", "logits"),
        **dict.fromkeys((Block, SpatialShift, TemporalShift, Pointwise), _PARTS),
        **dict.fromkeys((nn.Sequential, nn.Linear, nn.Conv2d, nn.BatchNorm1d, nn.BatchNorm2d), _PARTS),
        Offsets: (),
    }.items()
}
_FUNCTIONS = {name: getattr(network, name) for name in ("spatial_shift", "temporal_shift")}
_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def changed_layers(model: ShiftGCN) -> list[str]:
    """Names of the model's layers that are not as `network` has them, the outermost first; empty: nothing is changed.

    The model itself is called "the model". A replaced `spatial_shift` or `temporal_shift` changes each block.
    """
    names = ["the model"] if model_changed(model) else []
    for number, block in enumerate(model.blocks):
        names += [f"blocks.{number}{name and '.'}{name}" for name in _changed_in_block(block)]
    return names


def block_changed(block: nn.Module) -> bool:
    """Whether anything in one of the model's blocks is not as `network` has it."""
    return next(_changed_in_block(block), None) is not None


def model_changed(model: ShiftGCN) -> bool:
    """Whether what surrounds the blocks (data norm, pooling, classifier) is not as `network` has it."""
    fits = type(model.data_bn) is nn.BatchNorm1d and type(model.blocks) is nn.Sequential
    fits = fits and type(model.classifier) is nn.Linear
    return not fits or any(map(_differs, (model, model.data_bn, model.blocks, model.classifier)))


def _differs(module: nn.Module) -> bool:
    """Whether this module, without those inside it, runs other code than its class had at first."""
    methods = _METHODS.get(type(module))
    if methods is None or any(getattr(module, name) for name in _HOOKS):
        return True
    return any(getattr(type(module), name) is not method or name in vars(module) for name, method in methods.items())


def _changed_in_block(block: nn.Module) -> Iterator[str]:
    if any(getattr(network, name) is not function for name, function in _FUNCTIONS.items()):
        yield ""
        return
    if type(block) is not Block or not _is_made_as_expected(block):
        yield ""
        return
    yield from (name for name, module in block.named_modules() if _differs(module))


def _is_made_as_expected(block: Block) -> bool:
    """Whether the block has the parts, sizes and joint tables that `network` gives it."""
    spatial, temporal = block.spatial, block.temporal
    if type(spatial) is not SpatialShift or type(temporal) is not TemporalShift:
        return False
    sides = [part for part in (spatial.down, block.residual) if part is not None]
    if any(type(part) is not Pointwise for part in sides):
        return False
    norms = [temporal.bn_in, temporal.bn_out, *(part.bn for part in sides)]
    parts: list[tuple[object, type]] = [(norm, nn.BatchNorm2d) for norm in norms]
    parts += [(spatial.bn, nn.BatchNorm1d), (temporal.shift_in, Offsets), (temporal.shift_out, Offsets)]
    if any(type(part) is not kind for part, kind in parts):
        return False
    if any(norm.weight is None or norm.bias is None for norm in (*norms, spatial.bn)):
        return False
    return all(map(_is_pointwise, (temporal.conv, *(part.conv for part in sides)))) and _has_usual_rows(spatial)


def _is_pointwise(conv: nn.Module) -> bool:
    if type(conv) is not nn.Conv2d:
        return False
    return (conv.kernel_size, conv.stride, conv.groups, conv.padding) == ((1, 1), (1, 1), 1, (0, 0))


def _has_usual_rows(layer: SpatialShift) -> bool:
    (channels, width), joints = layer.weight.shape, layer.mask.shape[1]
    tables = {"rows_in": (shift_in_rows, channels), "rows_out": (shift_out_rows, width)}
    return all(
        torch.equal(getattr(layer, name).cpu(), _table(make, size, joints)) for name, (make, size) in tables.items()
    )


@cache
def _table(make: Callable[[int, int], tuple[int, ...]], channels: int, joints: int) -> Tensor:
    return torch.tensor(make(channels, joints))
