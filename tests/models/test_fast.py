"""The fast CPU encoder gives the model's features."""

from pathlib import Path

import numpy as np
import pytest
import torch
from test_shift_gcn import pair

from flora_engine.models.shift_gcn.fast import FastShiftGCN
from flora_engine.models.shift_gcn.network import ShiftGCN
from flora_engine.models.shift_gcn.published import read_published


@pytest.mark.parametrize(("frames", "joints", "persons"), [(16, 25, 2), (11, 25, 2), (4, 5, 1), (37, 33, 3)])
def test_equals_the_plain_port(frames: int, joints: int, persons: int) -> None:
    model, plain = pair(joints, persons)
    x = torch.randn(3, 3, frames, joints, persons)
    x[1, ..., -1] = 0
    with torch.no_grad():
        expected = plain.eval().features(x).numpy()
    fast = FastShiftGCN.from_model(model)
    for threads in (1, 3):
        np.testing.assert_allclose(fast.features(x.numpy(), threads=threads), expected, atol=1e-4, rtol=1e-4)


def test_shifts_far_beyond_the_clip() -> None:
    model, plain = pair(5, 1)
    with torch.no_grad():
        for block, name in zip(model.each_block(), range(1, 11), strict=True):
            block.temporal.shift_in.ypos[:2] = torch.tensor([1000.5, -1000.5])
            getattr(plain, f"l{name}").tcn1.shift_in.ypos[:2] = torch.tensor([1000.5, -1000.5])
        x = torch.randn(2, 3, 9, 5, 1)
        expected = plain.eval().features(x).numpy()
    np.testing.assert_allclose(FastShiftGCN.from_model(model).features(x.numpy()), expected, atol=1e-4, rtol=1e-4)


def test_real_sequences_equal_torch_with_and_without_the_absent_person(shared_data: Path) -> None:
    golden = np.load(shared_data / "shift_gcn" / "golden_ntu60_xsub.npz")
    model = read_published(shared_data / "shift_gcn" / "ntu_ShiftGCN_joint_xsub.pt")
    weight, bias = model.classifier.weight.detach().numpy(), model.classifier.bias.detach().numpy()
    x = golden["x"][:4]
    assert 0 < (~x.any(axis=(1, 2, 3))).sum() < len(x)
    fast = FastShiftGCN.from_model(model)
    for skip_absent in (True, False):
        logits = fast.features(x, skip_absent=skip_absent) @ weight.T + bias
        np.testing.assert_allclose(logits, golden["logits"][:4], atol=1e-4)


def test_nobody_at_all_and_nothing_to_do() -> None:
    model, plain = pair(5, 2)
    fast = FastShiftGCN.from_model(model)
    nobody = torch.zeros(2, 3, 8, 5, 2)
    with torch.no_grad():
        expected = plain.eval().features(nobody).numpy()
    np.testing.assert_allclose(fast.features(nobody.numpy()), expected, atol=1e-5)
    np.testing.assert_allclose(fast.features(nobody.numpy()), expected, atol=1e-5)  # now from memory
    assert fast.features(np.zeros((0, 3, 8, 5, 2), np.float32)).shape == (0, 32)


def test_input_and_thread_settings_stay_as_they_were() -> None:
    model, _ = pair(5, 1)
    x = np.random.default_rng(0).normal(size=(2, 3, 8, 5, 1)).astype(np.float32)
    before, threads = x.copy(), torch.get_num_threads()
    FastShiftGCN.from_model(model).features(x)
    np.testing.assert_array_equal(x, before)
    assert torch.get_num_threads() == threads


def test_what_it_cannot_do_is_refused() -> None:
    model = ShiftGCN(4, base_channels=8)
    with pytest.raises(ValueError, match=r"expected \(N, 3, T ≥ 4, 25, 2\)"):
        FastShiftGCN.from_model(model).features(np.zeros((1, 3, 8, 20, 2), np.float32))
    with torch.no_grad():
        model.each_block()[0].temporal.shift_out.xpos[0] = 0.1
    with pytest.raises(ValueError, match="move no joints"):
        FastShiftGCN.from_model(model)
