"""The bundle's parts, its text encoder and its menu entry; `build_app.py bundle` itself tries what it has made."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
import tomllib
from importlib.metadata import Distribution
from pathlib import Path
from types import ModuleType

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from flora_engine.cli import main
from flora_engine.commands import desktop
from flora_engine.readers import READERS

ROOT = Path(__file__).resolve().parent.parent


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"bundling_{name}", ROOT / "bundling" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def parts() -> ModuleType:
    return load("parts")


@pytest.fixture(scope="module")
def found(parts: ModuleType) -> list[Distribution]:
    distributions: list[Distribution] = parts.parts()
    return distributions


def test_a_bundle_holds_what_the_window_needs_and_nothing_that_trains(found: list[Distribution]) -> None:
    names = {one.metadata["Name"].lower().replace("_", "-") for one in found}
    assert {"flora-studio", "numpy", "onnxruntime", "pyside6-essentials", "pydantic", "tokenizers"} <= names
    assert not names & {"torch", "transformers", "onnx", "huggingface-hub", "pytest"}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = " ".join([*project["dependencies"], *project["optional-dependencies"]["gui"]])
    assert "pydantic" in wanted and not re.search("numba|torch|onnx>|transformers|scipy", wanted)


def test_every_part_has_a_licence_that_spdx_knows_and_its_text(parts: ModuleType, found: list[Distribution]) -> None:
    for one in found:
        for name in re.split(r" (?:AND|OR|WITH) ", parts.licence(one)):
            assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]*", name), one.metadata["Name"]
        texts = parts.licence_files(one)
        assert texts and all(len(text) > 100 or "AUTHORS" in name for name, text in texts.items()), one.metadata["Name"]


def test_a_part_whose_licence_nobody_knows_stops_the_bundle(parts: ModuleType, tmp_path: Path) -> None:
    folder = tmp_path / "thing-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: thing\nVersion: 1.0\n")
    with pytest.raises(LookupError, match="thing"):
        parts.licence(Distribution.at(folder))


def test_the_bill_of_materials_is_cyclonedx(
    parts: ModuleType, found: list[Distribution], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts.importlib.metadata, "version", lambda _: "6.0")  # PyInstaller is not installed here
    parts.write(tmp_path)
    bom = json.loads((tmp_path / "sbom.cdx.json").read_text("utf-8"))
    assert (bom["bomFormat"], bom["specVersion"]) == ("CycloneDX", "1.6")
    assert bom["metadata"]["component"]["name"] == "flora-studio"
    components = {one["name"]: one for one in bom["components"]}
    assert {"numpy", "CPython", "all-MiniLM-L6-v2", "PyInstaller bootloader"} <= set(components)
    assert all(one["version"] and one["licenses"] for one in components.values())
    references = {one["bom-ref"] for one in [*bom["components"], bom["metadata"]["component"]]}
    assert len(references) == len(components) + 1
    assert all(one["ref"] in references and set(one["dependsOn"]) <= references for one in bom["dependencies"])
    assert all((tmp_path / "licences" / one.metadata["Name"]).is_dir() for one in found)


def test_the_table_of_words_is_halved_and_the_rest_stays(tmp_path: Path) -> None:
    module = load("text_encoder")
    table = np.random.default_rng(0).normal(size=(20_000, 4)).astype(np.float32)
    weight = np.eye(4, dtype=np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Gather", ["words", "ids"], ["rows"]),
            helper.make_node("MatMul", ["rows", "weight"], ["out"]),
        ],
        "tiny",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, ["n"])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["n", 4])],
        [numpy_helper.from_array(table, "words"), numpy_helper.from_array(weight, "weight")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    assert module.halve_tables(model) == 1
    onnx.checker.check_model(model)
    session = module.OnnxTextEncoder.__init__.__globals__["load_session"](model.SerializeToString())
    (out,) = session.run(None, {"ids": np.array([3, 19_999])})
    assert out.dtype == np.float32
    np.testing.assert_array_equal(out, table[[3, 19_999]].astype(np.float16).astype(np.float32))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the menu of freedesktop.org")
def test_the_menu_entry_comes_with_its_files_and_goes_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert main(["desktop"]) == 0 and ".skeleton" in capsys.readouterr().out
    files = [path for path in desktop.linux_files(tmp_path / "data")]
    assert len(files) == 3 and all(path.stat().st_size for path in files)
    entry = files[0].read_text("utf-8")
    assert f'Exec="{sys.executable}" "-m" "app" %F' in entry and "@" not in entry
    assert main(["desktop", "--remove"]) == 0
    assert not [path for path in files if path.exists()]


def test_the_menu_offers_files_that_readers_read_and_the_entry_names_their_kinds() -> None:
    readable = {suffix for reader in READERS for suffix in reader.suffixes}
    assert set(desktop.suffixes()) <= readable
    kinds = re.findall(r'type="(application/[^"]+)"', (ROOT / "resources/desktop/flora-studio.xml").read_text("utf-8"))
    (named,) = re.findall(r"^MimeType=(.*);$", (ROOT / "resources/desktop" / desktop.ENTRY).read_text("utf-8"), re.M)
    assert set(named.split(";")) == {*kinds, "inode/directory"}


def test_a_command_of_a_desktop_entry_is_quoted_as_the_specification_says() -> None:
    assert desktop.quoted(["/opt/my tools/100%/a$b", "x"]) == '"/opt/my tools/100%%/a\\\\$b" "x"'


def test_the_keys_of_windows_open_the_file_that_was_clicked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desktop, "program", lambda: ["C:\\Flora Studio\\flora-studio.exe"])
    values = desktop.windows_values()
    assert values["FloraStudio.Recording\\shell\\open\\command"][1] == '"C:\\Flora Studio\\flora-studio.exe" "%1"'
    assert values[".bvh\\OpenWithProgids"] == ("FloraStudio.Recording", "")


def test_the_icons_of_windows_and_macos_hold_every_size() -> None:
    ico = (ROOT / "resources/icons/flora.ico").read_bytes()
    assert ico[:6] == b"\0\0\1\0\6\0" and ico.count(b"\x89PNG") == 6
    icns = (ROOT / "resources/icons/flora.icns").read_bytes()
    assert icns[:4] == b"icns" and int.from_bytes(icns[4:8], "big") == len(icns) and icns.count(b"\x89PNG") == 4
