"""A bundle travels as one file and is checked when it arrives."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from flora_engine.errors import FloraError
from flora_engine.labelling.bundle import BUILTIN, load_manifest
from flora_engine.labelling.bundle_file import CARD, read_bundle_file, write_bundle_file


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("packed") / "mine.flora"
    write_bundle_file(BUILTIN, path)
    return path


def test_it_arrives_whole_and_beside_another_of_its_name(packed: Path, tmp_path: Path) -> None:
    first, second = (read_bundle_file(packed, tmp_path / "models") for _ in range(2))
    assert [first.name, second.name] == ["mine", "mine-2"]
    assert load_manifest(second) == load_manifest(BUILTIN)
    assert (first / CARD).read_bytes() == (BUILTIN / CARD).read_bytes()


def test_what_is_damaged_or_no_model_is_refused_and_leaves_nothing(packed: Path, tmp_path: Path) -> None:
    content = packed.read_bytes()
    bad = tmp_path / "bad.flora"
    models = tmp_path / "models"
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 0xFF
    for broken in (b"", b"text", content[: len(content) // 2], bytes(flipped)):
        bad.write_bytes(broken)
        with pytest.raises(FloraError):
            read_bundle_file(bad, models)
    for name in ("../escape", "a/b", "/root", "manifest.json"):
        with zipfile.ZipFile(bad, "w") as file:
            file.writestr(name, "{}")
        with pytest.raises(FloraError):
            read_bundle_file(bad, models)
    assert list(models.iterdir()) == [] and not (tmp_path / "escape").exists()
    with pytest.raises(FloraError):
        write_bundle_file(tmp_path, tmp_path / "none.flora")
    with pytest.raises(FloraError):
        write_bundle_file(BUILTIN, bad / "below a file.flora")
    assert not (tmp_path / "none.flora").exists()
