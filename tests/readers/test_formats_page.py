"""What docs/formats.md shows and says is so."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bvh_samples import PARTS, RIGS
from foreign_samples import FOREIGN
from reference_body import raising

from flora_engine import readers
from flora_engine.errors import FloraError
from flora_engine.readers import READERS, read_sequence
from flora_engine.skeleton import LAYOUTS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "formats.md").read_text(encoding="utf-8")


CODE = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


class _Point:
    """An entry point as importlib.metadata gives it."""

    def __init__(self, name: str, load: Callable[[], object]) -> None:
        self.name, self.load = name, load


@pytest.fixture
def points(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[_Point]]:
    added: list[_Point] = []
    monkeypatch.setattr(readers, "entry_points", lambda group: added if group == "flora.readers" else [])
    readers.added_readers.cache_clear()
    yield added
    readers.added_readers.cache_clear()


def _fail(*arguments: object) -> None:
    raise RuntimeError("no such library")


def test_the_example_of_an_added_reader_works(tmp_path: Path, points: list[_Point]) -> None:
    made: dict[str, Any] = {}
    exec(compile(CODE[1], "docs/formats.md", "exec"), made)
    points.append(_Point("triples", lambda: made["READER"]))
    path = tmp_path / "a.triples"
    names = [name.replace(" ", "_") for name in LAYOUTS["smpl_22"].joints]
    joints = raising(LAYOUTS["smpl_22"], 4).reshape(4, -1)
    path.write_text("\n".join([" ".join(names), *(" ".join(map(str, row)) for row in joints)]))
    assert readers.can_read(path)
    sequence = read_sequence(path)
    assert (sequence.layout, sequence.fps, sequence.frames) == ("smpl_22", 25, 4)
    path.write_text("a b\n1 2 3\n")
    with pytest.raises(FloraError, match="does not hold three numbers per joint"):
        read_sequence(path)


def test_a_faulty_added_reader_harms_nobody_else(tmp_path: Path, points: list[_Point]) -> None:
    points += [_Point("lost", _fail), _Point("thing", lambda: 3)]
    broken = readers.Reader("broken", "", "", (".x",), lambda path, head: path.suffix == ".x", _fail)
    points.append(_Point("broken", lambda: broken))
    (tmp_path / "a.x").write_text("x")
    with pytest.warns(RuntimeWarning) as warned, pytest.raises(FloraError, match="the added reader broken failed"):
        read_sequence(tmp_path / "a.x")
    assert len(warned) == 2
    np.savez(tmp_path / "b.npz", joints=np.ones((2, 1, 25, 3)))
    assert read_sequence(tmp_path / "b.npz").frames == 2


def test_the_archive_example_writes_a_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = CODE[0]
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


def test_the_table_of_rigs_is_what_the_tests_read() -> None:
    for names in RIGS.values():
        shown = [dict(zip(PARTS, names, strict=True))[part] for part in ("Hips", "Spine", "LeftArm", "LeftUpLeg")]
        assert f"| {', '.join(f'`{name}`' for name in shown)} |" in PAGE
