"""What docs/formats.md shows and says is so."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from foreign_samples import FOREIGN

from flora_engine.readers import READERS, read_sequence
from flora_engine.skeleton import LAYOUTS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "formats.md").read_text(encoding="utf-8")


def test_the_archive_example_writes_a_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "docs/formats.md", "exec"), {})
    sequence = read_sequence(tmp_path / "recording.npz")
    assert sequence.joints.shape == (90, 1, 25, 3) and sequence.metadata["class_name"] == "drink water"
    assert sequence.tracking is not None and (sequence.tracking == 2).all() and sequence.body_ids == ("1",)
    np.testing.assert_array_equal(sequence.joints[..., 2], 3)


def test_the_table_of_tools_is_what_the_tests_read() -> None:
    for name, (_, layout, rate, _) in FOREIGN.items():
        assert re.search(rf"\| `{re.escape(name)}` \| `{layout}` \| {rate:g} \|", PAGE), name


def test_every_suffix_and_layout_is_described() -> None:
    for reader in READERS:
        assert all(f"`{suffix}`" in PAGE for suffix in reader.suffixes), reader.name
    assert all(f"- `{name}`: " in PAGE for name in LAYOUTS)
