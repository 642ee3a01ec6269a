"""Checkpoints: everything comes back as it was, and nothing else is read.

Weights are written and read, never computed, so that they must be equal to the bit.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from flora_engine.errors import FloraError
from flora_engine.runs import checkpoint


def test_nested_state_comes_back_as_it_was(tmp_path: Path) -> None:
    model = torch.nn.Linear(3, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True)
    model(torch.randn(4, 3)).sum().backward()
    optimizer.step()
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "at": (1, None, 2.5, [True, "ü"])}
    checkpoint.save(tmp_path / "a.safetensors", state)
    loaded = checkpoint.load(tmp_path / "a.safetensors")
    assert loaded["at"] == state["at"]
    assert list(loaded["optimizer"]["state"]) == [0, 1]
    torch.testing.assert_close(dict(loaded["model"]), dict(state["model"]), rtol=0, atol=0)
    torch.testing.assert_close(loaded["optimizer"]["state"], state["optimizer"]["state"], rtol=0, atol=0)
    assert loaded["optimizer"]["param_groups"] == state["optimizer"]["param_groups"]
    again = torch.optim.SGD(torch.nn.Linear(3, 2).parameters(), lr=9.0)
    again.load_state_dict(loaded["optimizer"])
    assert again.param_groups[0]["nesterov"] is True


def test_shared_and_strided_tensors_are_stored(tmp_path: Path) -> None:
    base = torch.arange(12.0).view(3, 4)
    checkpoint.save(tmp_path / "a", {"a": base, "b": base.t(), "c": base[1]})
    loaded = checkpoint.load(tmp_path / "a")
    torch.testing.assert_close(loaded, {"a": base, "b": base.t(), "c": base[1]}, rtol=0, atol=0)


def test_a_failed_save_leaves_the_old_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    checkpoint.save(path, {"x": 1})
    with pytest.raises(TypeError, match="cannot hold a set"):
        checkpoint.save(path, {"x": {1, 2}})
    assert checkpoint.load(path) == {"x": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["a.safetensors"]


@pytest.mark.parametrize("content", [b"", b"\x80\x04pickle", b"\xff" * 64])
def test_other_files_are_one_clear_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    with pytest.raises(FloraError, match="cannot read the checkpoint"):
        checkpoint.load(path)


def test_foreign_safetensors_and_missing_files(tmp_path: Path) -> None:
    save_file({"x": torch.zeros(2)}, tmp_path / "a.safetensors")
    with pytest.raises(FloraError, match="not a checkpoint of this program"):
        checkpoint.load(tmp_path / "a.safetensors")
    with pytest.raises(FloraError, match="cannot read"):
        checkpoint.load(tmp_path / "b.safetensors")
