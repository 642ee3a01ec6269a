"""Shift-GCN as an ONNX graph, for labelling without torch.

Written node by node from the weights: batch norms are folded, the joint shifts are row gathers, and the temporal
shifts are depth-wise convolutions along time, whose few taps hold the interpolation and a batch norm's scale.
Training extracts its features by the same graph (`features`), so what labels is what was trained for.
Tensors are (B, C, V, T), B = N·M. Several streams are made inside the graph, so whoever runs it gives joints alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from flora_engine.errors import FloraError
from flora_engine.files import replacing
from flora_engine.models.shift_gcn.folding import Array, array, conv_bias, folded, scale_and_shift
from flora_engine.models.shift_gcn.network import (
    MINIMUM_FRAMES,
    Block,
    Pointwise,
    ShiftGCN,
    SpatialShift,
    TemporalShift,
    has_spatial_offsets,
)
from flora_engine.models.shift_gcn.several import Networks, each, feature_size
from flora_engine.models.shift_gcn.streams import parents
from flora_engine.models.shift_gcn.unchanged import changed_layers


def taps(ypos: Array, stride: int) -> tuple[Array, int]:
    """The temporal shift as a depth-wise kernel: weights (C, K), and the frame offset of tap 0."""
    y = ypos if stride == 1 else ypos + 0.5
    below = np.floor(y).astype(int)
    first = int(below.min())
    kernel = np.zeros((len(y), int(below.max()) + 2 - first))
    rows = np.arange(len(y))
    kernel[rows, below - first] = 1 - (y - below)
    kernel[rows, below - first + 1] = y - below
    return kernel, first


def shifted_ones(ypos: Array, frames: int) -> Array:
    """(C, T): what the stride-1 shift makes of a constant 1, which is less than 1 if it reads outside."""
    kernel, first = taps(ypos, 1)
    source = np.arange(frames)[:, None] + first + np.arange(kernel.shape[1])
    inside: Array = ((source >= 0) & (source < frames)).astype(float)
    return kernel @ inside.T


class _Graph:
    """Nodes and weights under construction; every method returns the name of its output."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: dict[str, onnx.TensorProto] = {}

    def constant(self, values: NDArray[np.generic]) -> str:
        name = f"w{len(self.weights)}"
        stored = values.astype(np.float32) if values.dtype.kind == "f" else values.astype(np.int64)
        self.weights[name] = numpy_helper.from_array(np.ascontiguousarray(stored), name)
        return name

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"{kind.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def reshape(self, x: str, *shape: int) -> str:
        return self.add("Reshape", x, self.constant(np.array(shape)))

    def scaled(self, x: str, scale: Array, shift: Array) -> str:
        return self.add("Add", self.add("Mul", x, self.constant(scale)), self.constant(shift))

    def pointwise(self, x: str, weight: Array, bias: Array, stride: int = 1) -> str:
        """1×1 convolution with weight (C', C), every stride-th frame."""
        return self.add(
            "Conv", x, self.constant(weight[:, :, None, None]), self.constant(bias), kernel_shape=[1, 1],
            strides=[1, stride],
        )  # fmt: skip

    def rows(self, x: str, order: NDArray[np.int64], joints: int, frames: int) -> str:
        """Permute the C·V rows of (B, C, V, T)."""
        flat = self.reshape(x, -1, len(order), frames)
        moved = self.add("Gather", flat, self.constant(order), axis=1)
        return self.reshape(moved, -1, len(order) // joints, joints, frames)

    def shift(self, x: str, ypos: Array, stride: int, frames: int, scale: Array, bias: Array | None) -> str:
        """The temporal shift times scale (C,), plus bias (C,)."""
        kernel, first = taps(ypos, stride)
        last = (frames // stride - 1) * stride + first + kernel.shape[1] - 1
        # Padding makes tap 0 of output 0 read frame `first`; where that lies inside, leading zero taps reach it.
        lead = max(first, 0)
        kernel = np.pad(kernel, ((0, 0), (lead, 0)))
        trail = last - (frames - 1)
        kernel = np.pad(kernel, ((0, 0), (0, max(-trail, 0))))
        inputs = [x, self.constant((kernel * scale[:, None])[:, None, None, :])]
        if bias is not None:
            inputs.append(self.constant(bias))
        return self.add(
            "Conv", *inputs, group=len(ypos), kernel_shape=[1, kernel.shape[1]], strides=[1, stride],
            pads=[0, max(-first, 0), 0, max(trail, 0)],
        )  # fmt: skip


def _spatial(graph: _Graph, layer: SpatialShift, x: str, joints: int, frames: int) -> str:
    channels, width = layer.weight.shape
    mask = np.tanh(array(layer.mask)) + 1
    scale, shift = (values.reshape(width, joints, 1) for values in scale_and_shift(layer.bn))
    y = graph.rows(x, layer.rows_in.cpu().numpy(), joints, frames)
    y = graph.add("Mul", y, graph.constant(mask.reshape(channels, joints, 1)))
    y = graph.pointwise(y, array(layer.weight).T, np.zeros(width))
    y = graph.rows(y, layer.rows_out.cpu().numpy(), joints, frames)
    y = graph.scaled(y, scale, shift + scale * array(layer.bias)[:, None, None])
    kept = x if layer.down is None else graph.pointwise(x, *folded(layer.down))
    return graph.add("Relu", graph.add("Add", y, kept))


def _temporal(graph: _Graph, layer: TemporalShift, x: str, frames: int) -> str:
    scale, shift = scale_and_shift(layer.bn_in)
    weight, bias = array(layer.conv.weight)[:, :, 0, 0], conv_bias(layer.conv)
    ypos = array(layer.shift_in.ypos)
    # The norm's constant is shifted with zeros outside: full inside, less at the ends, known in advance.
    constant = weight @ (shift[:, None] * shifted_ones(ypos, frames)) + bias[:, None]
    y = graph.shift(x, ypos, 1, frames, scale, None)
    y = graph.pointwise(y, weight, np.zeros(len(weight)))
    y = graph.add("Relu", graph.add("Add", y, graph.constant(constant[:, None, :])))
    return graph.shift(y, array(layer.shift_out.ypos), layer.stride, frames, *scale_and_shift(layer.bn_out))


def _block(graph: _Graph, block: Block, x: str, joints: int, frames: int) -> str:
    y = _temporal(graph, block.temporal, _spatial(graph, block.spatial, x, joints, frames), frames)
    if not block.has_residual:
        return graph.add("Relu", y)
    kept = x
    if block.residual is not None:
        kept = _residual(graph, block.residual, x, frames)
    return graph.add("Relu", graph.add("Add", y, kept))


def _residual(graph: _Graph, layer: Pointwise, x: str, frames: int) -> str:
    if frames % layer.stride:
        cut = [graph.constant(np.array([value])) for value in (0, frames // layer.stride * layer.stride, 3)]
        x = graph.add("Slice", x, *cut)
    return graph.pointwise(x, *folded(layer), stride=layer.stride)


def export_onnx(networks: Networks, path: Path, frames: int) -> None:
    """Write the graph of `onnx_bytes` to a file."""
    content = onnx_bytes(networks, frames)
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def onnx_bytes(networks: Networks, frames: int) -> bytes:
    """`features` of evaluating networks: "joints" (N, C, frames, V, M) float32 → "feature" (N, F), any N.

    networks: one, which reads joints as they are, or one per stream. The graph then makes each stream itself, and F is
    that of all side by side, in the order of `STREAMS`. Batch norms use their running statistics whatever the model's
    mode. FloraError if a layer is not as in `network`, if a temporal shift moves joints, if the networks take other
    clips than each other, or for fewer than four frames.
    """
    if frames < MINIMUM_FRAMES:
        raise FloraError(f"the encoder takes clips of at least {MINIMUM_FRAMES} frames, not {frames}")
    by_stream = each(networks)
    for model in by_stream.values():
        _check(model)
    model = next(iter(by_stream.values()))
    graph = _Graph()
    found = [_feature(graph, one, _stream(graph, name, one.joints), frames) for name, one in by_stream.items()]
    graph.nodes.append(helper.make_node("Concat", found, ["feature"], axis=1))
    shape: list[str | int | None] = ["N", model.channels, frames, model.joints, model.persons]
    proto = helper.make_graph(
        graph.nodes,
        "skeleton_encoder",
        [helper.make_tensor_value_info("joints", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("feature", TensorProto.FLOAT, ["N", feature_size(networks)])],
        list(graph.weights.values()),
    )
    written = helper.make_model(proto, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(written, full_check=True)
    return bytes(written.SerializeToString())


def _check(model: ShiftGCN) -> None:
    changed = changed_layers(model)
    if changed:
        raise FloraError(
            f"the ONNX graph cannot say what this network computes: changed are {', '.join(changed[:5])}",
            remedy="Teach onnx_graph.py the change, or keep the layers of network.py.",
        )
    if has_spatial_offsets(model):
        raise FloraError("the ONNX graph cannot hold temporal shifts that move joints")


def _stream(graph: _Graph, stream: str, joints: int) -> str:
    """`streams.make_stream` of the graph's input (N, C, T, V, M)."""
    x = "joints"
    if stream.startswith("bone"):
        x = graph.add("Sub", x, graph.add("Gather", x, graph.constant(np.array(parents(joints))), axis=3))
    if stream.endswith("motion"):
        head = [graph.constant(np.array([value])) for value in (1, np.iinfo(np.int64).max, 2)]
        last = [graph.constant(np.array([value])) for value in (-1, np.iinfo(np.int64).max, 2)]
        following = graph.add("Concat", graph.add("Slice", x, *head), graph.add("Slice", x, *last), axis=2)
        x = graph.add("Sub", following, x)
    return x


def _feature(graph: _Graph, model: ShiftGCN, x: str, frames: int) -> str:
    """The feature (N, F) of one network from its stream (N, C, T, V, M)."""
    joints, persons, channels = model.joints, model.persons, model.channels
    scale, shift = (
        values.reshape(persons, joints, channels).transpose(2, 1, 0)[:, None]  # (C, 1, V, M)
        for values in scale_and_shift(model.data_bn)
    )
    x = graph.scaled(x, scale, shift)
    x = graph.add("Transpose", x, perm=[0, 4, 1, 3, 2])  # (N, M, C, V, T)
    x = graph.reshape(x, -1, channels, joints, frames)
    left = frames
    for block in model.each_block():
        x = _block(graph, block, x, joints, left)
        left //= block.temporal.stride
    x = graph.reshape(x, -1, persons, model.feature_size, joints * left)
    return graph.add("ReduceMean", x, graph.constant(np.array([1, 3])), keepdims=0)
