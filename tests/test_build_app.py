"""The setup script: what it decides, without installing anything."""

from __future__ import annotations

import importlib.util
import re
import signal
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from patience import PATIENCE

from flora_engine.commands import doctor
from flora_engine.errors import extra_missing

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def build_app() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_app", ROOT / "build_app.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_ci_calls_the_readme_test_command_and_nothing_else() -> None:
    commands = [line for line in (ROOT / ".ci" / "run").read_text().splitlines() if line and not line.startswith("#")]
    assert commands[-1] == "exec python3 build_app.py test"
    assert all(line.startswith(("set ", "cd ", "exec ")) for line in commands)
    assert "python3 build_app.py test" in (ROOT / "README.md").read_text()


def test_torch_is_asked_for_in_one_version_range(build_app: ModuleType) -> None:
    assert f'"{build_app.TORCH}"' in (ROOT / "pyproject.toml").read_text()


def test_a_second_start_installs_nothing(
    build_app: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[object, ...]] = []
    monkeypatch.setattr(build_app, "VENV", tmp_path / "venv")
    monkeypatch.setattr(build_app, "PYTHON", tmp_path / "venv" / "python")
    monkeypatch.setattr(build_app, "call", lambda *command, env=None: calls.append(command))
    monkeypatch.setattr(
        build_app.venv, "create", lambda folder, **_: (folder.mkdir(), (folder / "python").write_text(""))
    )
    build_app.install({"dev"})
    assert len(calls) == 1 and calls[0][-1] == ".[dev]"
    build_app.install({"dev"})
    build_app.install(set())  # what was installed for tests stays
    assert len(calls) == 1
    build_app.install({"dev"}, None)
    monkeypatch.setattr(build_app, "stamp", lambda *_: "something changed")
    build_app.install({"dev"})
    assert len(calls) == 2


def test_versions_are_pinned_and_a_changed_pin_installs_again(build_app: ModuleType, tmp_path: Path) -> None:
    (pins := tmp_path / "pins.txt").write_text("numpy==2.0\n")
    first = build_app.stamp("dev", pins)
    assert first == build_app.stamp("dev", pins) != build_app.stamp("dev", None)
    pins.write_text("numpy==2.1\n")
    assert build_app.stamp("dev", pins) != first


@pytest.mark.parametrize("name", ["tested.txt", "lowest.txt"])
def test_every_direct_dependency_is_pinned_within_its_range(name: str) -> None:
    """If this fails after a change of pyproject.toml: pip install uv, then python constraints/update.py."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    lines = (ROOT / "constraints" / name).read_text("utf-8").splitlines()
    pins = [Requirement(line) for line in lines if not line.startswith("#")]
    here = {canonicalize_name(pin.name): pin for pin in pins if pin.marker is None or pin.marker.evaluate()}
    extras = project["optional-dependencies"]
    lists = (project["dependencies"], extras["gui"], extras["train"], extras["bundle"], extras["docs"], extras["dev"])
    wanted = [Requirement(text) for many in lists for text in many if "flora-studio" not in text]
    assert not [pin for pin in here if pin.startswith(("torch", "triton", "nvidia", "cuda"))]
    for one in wanted:
        if one.name != "torch":
            (version,) = here[canonicalize_name(one.name)].specifier
            assert version.operator == "==" and one.specifier.contains(version.version), one


def test_no_extra_lays_a_second_onnx_runtime_over_the_first() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    lists = (project["dependencies"], *project["optional-dependencies"].values())
    wanted = {Requirement(text).name for many in lists for text in many}
    assert {name for name in wanted if name.startswith("onnxruntime")} == {"onnxruntime"}


def test_doctor_names_two_onnx_runtimes_over_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_version", lambda name: "1.32" if name in ("onnxruntime", "onnxruntime-gpu") else "")
    found = doctor.check_onnxruntime()
    assert not found.ok and "onnxruntime and onnxruntime-gpu" in found.text
    assert "pip install --no-deps onnxruntime-gpu" in found.fix
    monkeypatch.setattr(doctor, "_version", lambda name: "1.32" if name == "onnxruntime" else "")
    assert doctor.check_onnxruntime().ok


@pytest.mark.skipif(sys.platform == "win32", reason="no process ends by a signal there")
def test_a_command_that_a_signal_ends_is_named(build_app: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        build_app.call(sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    assert ended.value.code == 128 + signal.SIGKILL
    assert "ended by SIGKILL" in (said := capsys.readouterr().out) and sys.executable in said
    with pytest.raises(SystemExit) as ended:
        build_app.call(sys.executable, "-c", "raise SystemExit(3)")
    assert ended.value.code == 3 and "status 3" in capsys.readouterr().out


def test_a_gpu_is_offered_only_where_there_is_one(build_app: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_app, "has_nvidia_gpu", lambda: False)
    assert not build_app.wants_gpu(None)
    monkeypatch.setattr(build_app, "has_nvidia_gpu", lambda: True)
    monkeypatch.setattr(sys, "stdin", type("Nobody", (), {"isatty": lambda self: False})())
    assert not build_app.wants_gpu(None)  # unattended: named, not installed
    assert build_app.wants_gpu(True)
    assert not build_app.wants_gpu(False)


def test_missing_libraries_are_named_with_the_command(
    build_app: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(build_app, "missing_packages", lambda: ["libegl1"])
    monkeypatch.setattr(build_app.os, "geteuid", lambda: 1000, raising=False)
    monkeypatch.setattr(build_app.shutil, "which", lambda name: f"/usr/bin/{name}")
    assert not build_app.system_libraries()
    assert "sudo apt-get install libegl1" in capsys.readouterr().out


def test_without_a_display_it_says_so_and_names_the_command(
    build_app: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(build_app, "install", lambda *_: None)
    monkeypatch.setattr(build_app.subprocess, "run", lambda *_, **__: None)
    monkeypatch.setattr(build_app, "has_display", lambda: False)
    monkeypatch.setattr(sys, "argv", ["build_app.py", "run", "--no-gpu"])
    build_app.main()
    assert "flora label" in capsys.readouterr().out


def test_doctor_tells_each_thing_on_a_line() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "flora_engine.cli", "doctor"], capture_output=True, text=True, check=False, cwd=ROOT
    )
    told = re.findall(r"^(?:ok   |WRONG) ([^:]+):", done.stdout, re.MULTILINE)
    assert told == ["Python", "torch", "ONNX Runtime", "Qt", "OpenGL", "text encoder", "built-in model", "disk"]
    assert "a matrix product took" in done.stdout


def test_the_bundles_program_runs_its_own_workers() -> None:
    """There `sys.executable` is the program itself, not an interpreter."""
    command = [sys.executable, "-m", "app", "-m", "flora_engine.worker"]
    job = '{"version": 1, "action": "no such action", "arguments": {}}\n'
    said = subprocess.run([*command[:3], "-c", "print(6 * 7)"], capture_output=True, text=True, check=True, cwd=ROOT)
    assert said.stdout.strip() == "42"  # as doctor asks Qt
    done = subprocess.run(command, input=job, capture_output=True, text=True, timeout=PATIENCE, check=False, cwd=ROOT)
    assert done.returncode == 1
    assert '"failed"' in done.stdout.splitlines()[-1]


def test_a_missing_library_is_one_sentence_with_its_extra() -> None:
    code = "import sys; sys.modules['PySide6'] = None; from flora_engine.cli import main; sys.exit(main(['gui']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 1 and len(done.stderr.strip().splitlines()) == 1
    assert "PySide6 is not installed" in done.stderr and "flora-studio[gui]" in done.stderr
    assert "flora-studio[train]" in str(extra_missing(ModuleNotFoundError(name="torch.nn")))
    assert "flora-studio[train]" in str(extra_missing(ModuleNotFoundError(name="numba")))
    assert extra_missing(ModuleNotFoundError(name="flora_engine.nothing")) is None
    assert extra_missing(ModuleNotFoundError()) is None
