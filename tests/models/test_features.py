"""Features by the graph that labels are the network's, with and without absent persons."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from test_backends import EDITS, patch
from test_shift_gcn import pair

from flora_engine.errors import FloraError
from flora_engine.models.shift_gcn import features, onnx_graph
from flora_engine.models.shift_gcn.features import FeatureExtractor
from flora_engine.models.shift_gcn.network import ShiftGCN
from flora_engine.models.shift_gcn.published import read_published

CPU = torch.device("cpu")
__all__ = ["patch"]  # a fixture


def clips(joints: int = 5, persons: int = 2, frames: int = 9) -> np.ndarray:
    x = np.random.default_rng(0).normal(size=(4, 3, frames, joints, persons)).astype(np.float32)
    x[1, ..., -1] = 0
    return x


@pytest.mark.parametrize("backend", ["auto", "torch"])
@pytest.mark.parametrize(("frames", "joints", "persons"), [(16, 25, 2), (11, 25, 2), (4, 5, 1), (37, 33, 3)])
def test_equals_the_plain_port(frames: int, joints: int, persons: int, backend: str) -> None:
    model, plain = pair(joints, persons)
    x = clips(joints, persons, frames)
    with torch.no_grad():
        expected = plain.eval().features(torch.from_numpy(x)).numpy()
    extractor = FeatureExtractor(model, CPU, backend)  # type: ignore[arg-type]
    assert extractor.name == ("onnx" if backend == "auto" else "torch")
    np.testing.assert_allclose(extractor(x), expected, atol=1e-4, rtol=1e-4)


def test_shifts_far_beyond_the_clip() -> None:
    model, plain = pair(5, 1)
    with torch.no_grad():
        for block, name in zip(model.each_block(), range(1, 11), strict=True):
            block.temporal.shift_in.ypos[:2] = torch.tensor([1000.5, -1000.5])
            getattr(plain, f"l{name}").tcn1.shift_in.ypos[:2] = torch.tensor([1000.5, -1000.5])
        x = torch.randn(2, 3, 9, 5, 1)
        expected = plain.eval().features(x).numpy()
    np.testing.assert_allclose(FeatureExtractor(model, CPU)(x.numpy()), expected, atol=1e-4, rtol=1e-4)


def test_real_sequences_by_a_published_checkpoint(shared_data: Path) -> None:
    """With its own offsets, statistics and masks, and with recordings of one person."""
    golden = np.load(shared_data / "shift_gcn" / "golden_ntu60_xsub.npz")
    model = read_published(shared_data / "shift_gcn" / "ntu_ShiftGCN_joint_xsub.pt")
    weight, bias = model.classifier.weight.detach().numpy(), model.classifier.bias.detach().numpy()
    x = golden["x"][:4]
    assert 0 < (~x.any(axis=(1, 2, 3))).sum() < len(x)
    extractor = FeatureExtractor(model, CPU)
    assert extractor.name == "onnx"
    np.testing.assert_allclose(extractor(x) @ weight.T + bias, golden["logits"][:4], atol=1e-4)


def test_absent_persons_are_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    model, plain = pair(5, 2)
    x = clips(frames=8)
    x[1:, ..., 1] = 0
    x[3] = 0  # nobody at all
    ran: list[int] = []
    make = FeatureExtractor._make_run

    def counting(self: FeatureExtractor, model: ShiftGCN, frames: int) -> object:
        run = make(self, model, frames)
        return lambda part: (ran.append(len(part)), run(part))[1]

    monkeypatch.setattr(FeatureExtractor, "_make_run", counting)
    for backend in ("auto", "torch"):
        ran.clear()
        extractor = FeatureExtractor(model, CPU, backend)  # type: ignore[arg-type]
        with torch.no_grad():
            expected = plain.eval().features(torch.from_numpy(x)).numpy()
        np.testing.assert_allclose(extractor(x), expected, atol=1e-4, rtol=1e-4)
        assert sorted(ran) == [1, 1, 1, 3]  # three first persons, one second, and an absent one of each
        np.testing.assert_allclose(extractor(x), expected, atol=1e-4, rtol=1e-4)
        assert sum(ran) == 6 + 4  # the absent ones come from memory now


def test_nothing_to_do_and_input_as_it_was() -> None:
    model, _ = pair(5, 2)
    extractor = FeatureExtractor(model, CPU)
    assert extractor(np.zeros((0, 3, 8, 5, 2), np.float32)).shape == (0, 32)
    x = clips(frames=8)
    before, threads = x.copy(), torch.get_num_threads()
    extractor(x)
    np.testing.assert_array_equal(x, before)
    assert torch.get_num_threads() == threads
    assert model.persons == 2 and model.data_bn.num_features == 2 * 5 * 3


def test_other_shapes_are_refused() -> None:
    extractor = FeatureExtractor(ShiftGCN(4, base_channels=8), CPU)
    with pytest.raises(ValueError, match=r"expected \(N, 3, T, 25, 2\)"):
        extractor(np.zeros((1, 3, 8, 20, 2), np.float32))


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: str(edit.__name__))
@pytest.mark.parametrize("backend", ["auto", "torch"])
def test_an_edit_of_the_network_changes_its_features(edit: object, backend: str, patch: pytest.MonkeyPatch) -> None:
    x = clips()
    before = FeatureExtractor(pair(5, 2)[0], CPU, backend)(x)  # type: ignore[arg-type]
    one = pair(5, 2)[0].eval()
    edit(one, patch)  # type: ignore[operator]
    extractor = FeatureExtractor(one, CPU, backend)  # type: ignore[arg-type]
    assert extractor.name == "torch"
    with torch.no_grad():
        expected = one.features(torch.from_numpy(x)).numpy()
    found = extractor(x)
    np.testing.assert_allclose(found, expected, atol=1e-4, rtol=1e-4)
    assert not np.allclose(found, before, atol=1e-3)


def test_joints_that_shift_in_time_are_left_to_torch() -> None:
    model, _ = pair(5, 2)
    with torch.no_grad():
        model.each_block()[0].temporal.shift_out.xpos[0] = 0.1
        expected = model.eval().features(torch.from_numpy(clips())).numpy()
    extractor = FeatureExtractor(model, CPU)
    assert extractor.name == "torch"
    np.testing.assert_allclose(extractor(clips()), expected, atol=1e-4, rtol=1e-4)


def test_a_graph_that_differs_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """As after an edit of the network's source, which no look at its layers can show."""
    plain = onnx_graph.taps
    monkeypatch.setattr(onnx_graph, "taps", lambda ypos, stride: plain(ypos + 0.3, stride))
    with pytest.raises(FloraError, match=r"features by onnx are not those of network.py") as error:
        FeatureExtractor(pair(5, 2)[0], CPU)(clips())
    assert "backend: torch" in str(error.value)


def test_persons_that_depend_on_each_other_are_run_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """An edit of the pooling's source: PyTorch is the definition, so it is asked for the whole network."""
    monkeypatch.setattr(features, "model_changed", lambda _model: False)
    monkeypatch.setattr(ShiftGCN, "pooled", lambda self, x: x.mean((2, 3)).view(-1, self.persons, x.shape[1]).amax(1))
    model = pair(5, 2)[0].eval()
    with torch.no_grad():
        expected = model.features(torch.from_numpy(clips())).numpy()
    np.testing.assert_allclose(FeatureExtractor(model, CPU, "torch")(clips()), expected, atol=1e-4, rtol=1e-4)
