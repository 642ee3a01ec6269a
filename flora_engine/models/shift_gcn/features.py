"""Features of clips by an evaluating Shift-GCN: on a CPU by the ONNX graph that labels, elsewhere by PyTorch.

Every person slot has its share of the data batch norm and is run alone, so that a person who is absent (all zeros, a
constant after that norm) is computed once for each number of frames.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from flora_engine.errors import FloraError
from flora_engine.inference import load_session
from flora_engine.models.shift_gcn.backends import BackendName, choose_backend, make_runner
from flora_engine.models.shift_gcn.network import ShiftGCN, has_spatial_offsets
from flora_engine.models.shift_gcn.onnx_graph import onnx_bytes
from flora_engine.models.shift_gcn.unchanged import changed_layers, model_changed

Array = NDArray[np.float32]
# Largest deviation from PyTorch, as a share of the largest feature. Rounding of float32 gives 1e-5 on real clips.
TOLERANCE = 1e-3
_COMPARED = 2  # clips of the first batch


class FeatureExtractor:
    """Turns clips float32 (n, C, T, V, M) into features float32 (n, F); its first batch is compared with PyTorch.

    backend: as in an encoder's configuration. On a CPU all but torch run the ONNX graph, and a network with layers that
    the graph does not know is left to PyTorch. `name` says what runs. Raises FloraError for a back end that cannot run
    on `device`, and at the first call if the features are not PyTorch's.
    """

    def __init__(self, model: ShiftGCN, device: torch.device, backend: BackendName = "auto") -> None:
        self._model, self._device = model.to(device).eval(), device
        chosen = choose_backend(backend, device.type)
        self.name: str = chosen
        if chosen == "cpu_kernels":
            self.name = "torch" if changed_layers(model) or has_spatial_offsets(model) else "onnx"
        split = not model_changed(model)
        self._persons = [_one_person(model, m) for m in range(model.persons)] if split else [model]
        self._runs: dict[tuple[int, int], Callable[[Array], Array]] = {}
        self._absent: dict[tuple[int, int], Array] = {}
        self._compared = not split

    def __call__(self, joints: Array) -> Array:
        """ValueError for a shape that the network does not take."""
        channels, frames, joint_count, persons = joints.shape[1:]
        model = self._model
        if (channels, joint_count, persons) != (model.channels, model.joints, model.persons):
            raise ValueError(f"expected (N, {model.channels}, T, {model.joints}, {model.persons}), got {joints.shape}")
        if len(self._persons) < persons:  # a changed network: as a whole
            return self._run(0, frames)(np.ascontiguousarray(joints))
        parts = [self._person(joints[..., m : m + 1], m) for m in range(persons)]
        features: Array = np.mean(parts, axis=0, dtype=np.float32)
        if not self._compared and len(joints) and not self._agrees(joints[:_COMPARED], features[:_COMPARED]):
            self._persons, self._compared = [model], True
            self._runs.clear()
            return self(joints)
        return features

    def _person(self, joints: Array, person: int) -> Array:
        """The features of one person slot of clips (n, C, T, V, 1)."""
        frames = joints.shape[2]
        present = joints.any(axis=(1, 2, 3, 4))
        features = np.empty((len(joints), self._model.feature_size), np.float32)
        if present.any():
            features[present] = self._run(person, frames)(np.ascontiguousarray(joints[present]))
        if not present.all():
            key = (person, frames)
            if key not in self._absent:
                self._absent[key] = self._run(person, frames)(np.zeros_like(joints[:1], order="C"))[0]
            features[~present] = self._absent[key]
        return features

    def _run(self, person: int, frames: int) -> Callable[[Array], Array]:
        key = (person, frames)
        if key not in self._runs:
            self._runs[key] = self._make_run(self._persons[person], frames)
        return self._runs[key]

    def _make_run(self, model: ShiftGCN, frames: int) -> Callable[[Array], Array]:
        if self.name == "onnx":
            session: Any = load_session(onnx_bytes(model, frames), threads=torch.get_num_threads())
            return lambda x: np.asarray(session.run(["feature"], {"joints": x})[0])
        runner = make_runner("triton", model) if self.name == "triton" else model

        @torch.inference_mode()
        def run(x: Array) -> Array:
            return np.asarray(runner.features(torch.from_numpy(x).to(self._device)).float().cpu().numpy())

        return run

    def _agrees(self, joints: Array, found: Array) -> bool:
        """Whether the features are the whole network's; False only if PyTorch itself ran the persons one by one."""
        with torch.inference_mode():
            expected = self._model.features(torch.from_numpy(joints).to(self._device)).float().cpu().numpy()
        deviation = float(np.abs(found - expected).max()) / max(float(np.abs(expected).max()), 1e-12)
        self._compared = deviation <= TOLERANCE
        if not self._compared and self.name != "torch":
            raise FloraError(
                f"features by {self.name} are not those of network.py: {deviation:.1%} of the largest feature off "
                f"(tolerance {TOLERANCE:.1%})",
                remedy="Set `backend: torch` in the encoder's settings, or change the graph as the network was.",
            )
        return self._compared


def _one_person(model: ShiftGCN, person: int) -> ShiftGCN:
    """The network of one person slot: its rows of the data batch norm, and the model's own blocks (shared)."""
    rows = slice(person * model.joints * model.channels, (person + 1) * model.joints * model.channels)
    alone = copy.copy(model)
    alone._modules = dict(model._modules)
    alone.persons = 1
    norm = nn.BatchNorm1d(rows.stop - rows.start, eps=model.data_bn.eps)
    norm.load_state_dict(
        {name: value[rows] if value.ndim else value for name, value in model.data_bn.state_dict().items()}
    )
    alone.data_bn = norm.to(model.data_bn.weight).eval()
    return alone
