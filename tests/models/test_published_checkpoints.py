"""Published checkpoints: strict loading, the logits they gave, and the way back."""

from pathlib import Path

import numpy as np
import pytest
import torch
from reference.shift_gcn_plain import PlainShiftGCN

from flora_engine.errors import FloraError
from flora_engine.models.shift_gcn.network import ShiftGCN
from flora_engine.models.shift_gcn.published import from_published, read_published, to_published
from flora_engine.preprocessing import prepare
from flora_engine.readers import read_sequence

CHECKPOINTS = {
    "ntu_ShiftGCN_joint_xsub.pt": 60,
    "ntu_ShiftGCN_joint_xview.pt": 60,
    "ntu120_ShiftGCN_joint_xsub.pt": 120,
    "ntu120_ShiftGCN_joint_xsetup.pt": 120,
}


@pytest.mark.parametrize(("name", "classes"), CHECKPOINTS.items())
def test_published_checkpoints_load_and_return_unchanged(shared_data: Path, name: str, classes: int) -> None:
    path = shared_data / "shift_gcn" / name
    model = read_published(path)
    assert model.classes == classes and not model.training
    published = torch.load(path, weights_only=True)
    back = to_published(model)
    assert back.keys() == published.keys()
    for key, value in published.items():
        assert value.dtype == back[key].dtype and torch.equal(value, back[key]), key


@pytest.mark.parametrize(("dataset", "name"), [("ntu60", "ntu"), ("ntu120", "ntu120")])
def test_golden_logits(shared_data: Path, dataset: str, name: str) -> None:
    golden = np.load(shared_data / "shift_gcn" / f"golden_{dataset}_xsub.npz")
    model = read_published(shared_data / "shift_gcn" / f"{name}_ShiftGCN_joint_xsub.pt")
    with torch.inference_mode():
        logits = model(torch.from_numpy(golden["x"])).numpy()
    np.testing.assert_allclose(logits, golden["logits"], atol=1e-4)
    assert (logits.argmax(1) == golden["label"]).sum() >= len(logits) - 1


def test_golden_logits_from_raw_recordings(shared_data: Path) -> None:
    """From the `.skeleton` files on: our reader and our preparation, then the published weights."""
    golden = np.load(shared_data / "shift_gcn" / "golden_ntu60_xsub.npz")
    model = read_published(shared_data / "shift_gcn" / "ntu_ShiftGCN_joint_xsub.pt")
    paths = [shared_data / "ntu" / "raw" / f"{name}.skeleton" for name in golden["names"][:6]]
    x = np.stack([prepare(read_sequence(path), "agcn", 300) for path in paths])
    with torch.inference_mode():
        logits = model(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(logits, golden["logits"][:6], atol=1e-4)


def small(joints: int = 7, persons: int = 3) -> ShiftGCN:
    torch.manual_seed(0)
    model = ShiftGCN(5, joints, persons, base_channels=8).eval()
    for module in model.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            torch.nn.init.uniform_(module.running_mean, -1, 1)
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
            torch.nn.init.uniform_(module.weight, 0.5, 2)
            torch.nn.init.uniform_(module.bias, -1, 1)
    for block in model.each_block():
        torch.nn.init.normal_(block.spatial.mask)
    return model


def test_any_size_makes_the_trip_and_means_the_same(tmp_path: Path) -> None:
    model = small()
    torch.save(to_published(model), tmp_path / "model.pt")
    again = read_published(tmp_path / "model.pt")
    assert (again.classes, again.joints, again.persons, again.base_channels) == (5, 7, 3, 8)
    plain = PlainShiftGCN(5, 7, 3, base=8).eval()
    plain.load_state_dict(to_published(model), strict=True)
    x = torch.randn(2, 3, 11, 7, 3)
    torch.testing.assert_close(model(x), plain(x), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(model(x), again(x))


def test_other_files_are_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "text.pt").write_text("hello")
    torch.save([1, 2], tmp_path / "list.pt")
    torch.save({"weight": torch.zeros(2)}, tmp_path / "other.pt")
    torch.save({"weight": Dangerous()}, tmp_path / "code.pt")
    (tmp_path / "empty.pt").write_bytes(b"")
    for name in ("text.pt", "list.pt", "other.pt", "absent.pt", "code.pt", "empty.pt"):
        with pytest.raises(FloraError) as caught:
            read_published(tmp_path / name)
        assert str(caught.value).startswith(str(tmp_path / name)) and str(caught.value).isprintable()
        assert "Choose the published .pt" in str(caught.value) or name in ("list.pt", "other.pt", "absent.pt")


class Dangerous:
    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (Path("ran"),)


def test_no_code_of_a_checkpoint_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"fc.weight": Dangerous()}, "bad.pt")
    with pytest.raises(FloraError):
        read_published(Path("bad.pt"))
    assert not Path("ran").exists()


def test_damaged_states_name_the_weight() -> None:
    state = to_published(small())
    for change, word in (
        ({"l3.tcn1.shift_in.ypos": torch.zeros(9)}, "l3.tcn1.shift_in.ypos"),
        ({"l2.gcn1.shift_in": torch.arange(56)}, "l2.gcn1.shift_in"),
        ({"surplus": torch.zeros(1)}, "surplus"),
    ):
        with pytest.raises(FloraError, match=word):
            from_published({**state, **change})
    del state["l9.gcn1.bn.weight"]
    with pytest.raises(FloraError, match=r"l9.gcn1.bn.weight"):
        from_published(state)
