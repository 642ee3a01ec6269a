"""Shift-GCN against its plain port: outputs, gradients, sizes; and its ONNX graph."""

from pathlib import Path

import numpy as np
import pytest
import torch
from reference.shift_gcn_plain import PlainShiftGCN

from flora_engine.errors import FloraError
from flora_engine.inference import load_session
from flora_engine.models.shift_gcn.network import ShiftGCN, parameter_groups, shift_in_rows, shift_out_rows
from flora_engine.models.shift_gcn.onnx_graph import export_onnx
from flora_engine.models.shift_gcn.published import to_published


def randomised(model: ShiftGCN) -> ShiftGCN:
    """Weights as after training: nothing left at 0 or 1, shifts of several frames, some exactly integer."""
    generator = torch.Generator().manual_seed(1)
    for name, value in model.state_dict().items():
        if name.endswith("ypos"):
            value.uniform_(-5, 5, generator=generator)
            value[:3] = torch.tensor([0.0, 2.0, -1.0])
        elif name.endswith("running_var") or (".bn" in name and name.endswith("weight")):
            value.uniform_(0.5, 1.5, generator=generator)
        elif name.endswith(("bias", "running_mean", "mask")):
            value.uniform_(-0.5, 0.5, generator=generator)
    return model


def pair(joints: int = 25, persons: int = 2) -> tuple[ShiftGCN, PlainShiftGCN]:
    torch.manual_seed(0)
    model = randomised(ShiftGCN(6, joints, persons, base_channels=8))
    plain = PlainShiftGCN(6, joints, persons, base=8)
    plain.load_state_dict(to_published(model), strict=True)
    return model, plain


@pytest.mark.parametrize(("frames", "joints", "persons"), [(16, 25, 2), (11, 25, 2), (4, 5, 1), (13, 33, 3)])
def test_evaluation_equals_the_plain_port(frames: int, joints: int, persons: int) -> None:
    model, plain = pair(joints, persons)
    x = torch.randn(3, 3, frames, joints, persons)
    with torch.no_grad():
        torch.testing.assert_close(model.eval()(x), plain.eval()(x), atol=1e-4, rtol=1e-4)
        assert model.features(x).shape == (3, model.feature_size) == (3, 32)


def test_training_step_equals_the_plain_port() -> None:
    """Float64: every gradient (with the published rule for the shifts) and every running statistic."""
    model, plain = pair(9)
    x, target = torch.randn(4, 3, 13, 9, 2, dtype=torch.float64), torch.tensor([0, 1, 5, 2])
    ours, theirs = model.double().train(), plain.double().train()
    for one in (ours, theirs):
        torch.nn.functional.cross_entropy(one(x), target).backward()
    expected = {n: p.grad for n, p in theirs.named_parameters() if p.grad is not None}
    carrier = ShiftGCN(6, 9, 2, base_channels=8).double()
    with torch.no_grad():
        for mine, parameter in zip(carrier.parameters(), ours.parameters(), strict=True):
            mine.copy_(parameter.grad)
    found = to_published(carrier)
    assert len(expected) > 100
    for name, grad in expected.items():
        torch.testing.assert_close(found[name], grad, atol=1e-8, rtol=1e-6, msg=lambda m, n=name: f"{n}: {m}")
    state = to_published(ours)
    for name, value in theirs.state_dict().items():
        torch.testing.assert_close(state[name], value, msg=lambda m, n=name: f"{n}: {m}")


def test_a_training_step_with_fewer_digits_points_the_same_way() -> None:
    model, _ = pair()
    x, target = torch.randn(8, 3, 16, 25, 2), torch.arange(8) % 6
    gradients = []
    for enabled in (False, True):
        model.train().zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            loss = torch.nn.functional.cross_entropy(model(x).float(), target)
        loss.backward()
        gradients.append(torch.cat([p.grad.flatten() for n, p in model.named_parameters() if n.endswith("weight")]))
    assert all(gradient.dtype == torch.float32 for gradient in gradients)
    assert 0.9 < torch.nn.functional.cosine_similarity(*gradients, dim=0) < 1


def test_joint_shift_tables() -> None:
    channels, joints = 6, 4
    x = torch.arange(channels * joints).view(channels, joints)
    moved = x.flatten()[list(shift_in_rows(channels, joints))].view(channels, joints)
    for c in range(channels):
        assert moved[c].tolist() == [x[c, (v + c) % joints] for v in range(joints)]
    back = moved.flatten()[list(shift_out_rows(channels, joints))]
    assert torch.equal(back, x.flatten())


def test_wrong_inputs_are_named() -> None:
    model = ShiftGCN(4, base_channels=8)
    for shape in ((1, 3, 3, 25, 2), (1, 3, 8, 20, 2), (1, 3, 8, 25, 1), (1, 2, 8, 25, 2)):
        with pytest.raises(ValueError, match=r"expected \(N, 3, T ≥ 4, 25, 2\)"):
            model(torch.zeros(shape))


def test_published_weight_decays_reach_every_parameter_once() -> None:
    model = ShiftGCN(4, base_channels=8)
    groups = parameter_groups(model)
    found = [id(p) for group in groups for p in group["params"]]
    assert sorted(found) == sorted(id(p) for p in model.parameters())
    decays = {id(p): group["weight_decay"] for group in groups for p in group["params"]}
    for name, parameter in model.named_parameters():
        special = {"spatial.weight": 1e-3, "spatial.mask": 0.0}
        expected = next((decay for ending, decay in special.items() if name.endswith(ending)), 1e-4)
        assert decays[id(parameter)] == expected, name


def test_it_learns_to_tell_a_wave_from_rest() -> None:
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    x = 0.05 * torch.randn(48, 3, 8, 5, 1, generator=generator)
    label = torch.arange(48) % 2
    x[label == 1, :, :, :3, 0] += torch.sin(torch.arange(8) * 1.5)[:, None]
    train, test = slice(0, 32), slice(32, 48)
    model = ShiftGCN(2, 5, 1, base_channels=8)
    optimiser = torch.optim.SGD(parameter_groups(model), lr=0.05, momentum=0.9, nesterov=True)
    for _ in range(15):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(model(x[train]), label[train]).backward()
        optimiser.step()
    with torch.no_grad():  # batch statistics: the running ones lag behind so few steps
        assert (model(x[test]).argmax(1) == label[test]).float().mean() >= 0.9


@pytest.mark.parametrize(("frames", "joints", "persons"), [(64, 25, 2), (11, 25, 1), (4, 7, 2)])
def test_onnx_graph_equals_torch(tmp_path: Path, frames: int, joints: int, persons: int) -> None:
    model = pair(joints, persons)[0].eval()
    export_onnx(model, tmp_path / "encoder.onnx", frames)
    session = load_session(tmp_path / "encoder.onnx")
    for n in (1, 3):
        x = torch.randn(n, 3, frames, joints, persons)
        with torch.no_grad():
            expected = model.features(x).numpy()
        np.testing.assert_allclose(session.run(["feature"], {"joints": x.numpy()})[0], expected, atol=1e-4, rtol=1e-4)


def test_onnx_refuses_what_it_cannot_say(tmp_path: Path) -> None:
    model = ShiftGCN(4, base_channels=8)
    with pytest.raises(FloraError, match="at least 4"):
        export_onnx(model, tmp_path / "x.onnx", 3)
    with torch.no_grad():
        model.each_block()[2].temporal.shift_in.xpos[1] = 0.5
    with pytest.raises(FloraError, match="move joints"):
        export_onnx(model, tmp_path / "x.onnx", 8)
    model = ShiftGCN(4, base_channels=8)
    layer = model.each_block()[1].spatial
    layer.forward = lambda x: x  # type: ignore[method-assign]
    with pytest.raises(FloraError, match=r"cannot say what this network computes: changed are blocks.1.spatial"):
        export_onnx(model, tmp_path / "x.onnx", 8)
    assert not (tmp_path / "x.onnx").exists()
