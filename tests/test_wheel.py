"""The wheel by itself: built, installed far from any checkout, and used as a stranger would."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from flora_engine import __version__

ROOT = Path(__file__).resolve().parent.parent
LABEL = ("label", "recordings", "--classes", "wave; sit down", "--json")
TRAINING = """
kind: pipeline
data: [{dataset: utd_mhad, raw: many, frames: 16, persons: 1}]
splits: [{name: a, unseen: [1, 5], train: {by: subject, values: [1]}}]
texts: {tokens: 8}
encoder: {epochs: 1, base_channels: 8, batch_size: 8, milestones: [1], held_out: 0.2}
flora: {hidden: 24, velocity_heads: 2, align_iterations: 4, total_iterations: 8, evaluations: 2, validation_classes: 2,
  folds: 2, attunements: [[0, 0.0]], protocols: [held-out]}
heads: [flora]
"""
WINDOW = """
import sys
from PySide6.QtWidgets import QApplication
from app.main_window import MainWindow
application = QApplication([])
window = MainWindow(settings_file=__import__("pathlib").Path("settings.json"), opengl=False)
window.show()
application.processEvents()
assert not window.windowIcon().isNull() or window.windowTitle() == "Flora Studio"
import flora_engine
print(flora_engine.__file__)
"""


def call(*command: str | Path, cwd: Path, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False, cwd=cwd, env=env
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = (sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--quiet", "-w", folder, ROOT)
    call(*build, cwd=folder)
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Folders of the commands and of demo recordings: an environment that holds the wheel and borrows its dependencies.

    The dependencies are those of the environment of the tests, by a path file, which does not see its editable copy of
    the project: installing gigabytes anew would test the package index.
    """
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder / "env", with_pip=False, symlinks=os.name != "nt")
    commands = folder / "env" / ("Scripts" if os.name == "nt" else "bin")
    python = commands / ("python.exe" if os.name == "nt" else "python")
    call(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--quiet", wheel, cwd=folder)
    (packages,) = (folder / "env").glob("**/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    call(commands / "flora", "demo", "recordings", cwd=elsewhere, env=clean(elsewhere))  # no test waits for another
    return commands, elsewhere


def clean(home: Path) -> dict[str, str]:
    """The environment without what could lead back to the checkout; the prepared text encoder is kept."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    cache = os.environ.get("FLORA_CACHE") or str(Path.home() / ".cache" / "flora-studio")
    return {**kept, "HOME": str(home), "FLORA_CACHE": cache, "QT_QPA_PLATFORM": "offscreen"}


def test_the_wheel_holds_resources_configurations_and_types(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("resources", "configs"):
        mine = {path.relative_to(ROOT).as_posix() for path in (ROOT / folder).rglob("*") if path.is_file()}
        assert {f"flora_engine/_shipped/{name}" for name in mine} <= names
    assert {"flora_engine/py.typed", "app/py.typed"} <= names
    assert not [name for name in names if name.startswith(("tests/", "benchmarks/", "experiments/"))]


def test_it_says_its_version_and_labels_far_from_any_checkout(installed: tuple[Path, Path]) -> None:
    commands, folder = installed
    environment = clean(folder)
    assert call(commands / "flora", "--version", cwd=folder, env=environment).strip() == f"Flora Studio {__version__}"
    assert "wave" in call(commands / "flora", *LABEL, cwd=folder, env=environment)
    doctor = call(commands / "flora", "doctor", cwd=folder, env=environment)
    assert "WRONG" not in doctor and "built-in model" in doctor
    checked = call(commands / "flora", "runs", "list", cwd=folder, env=environment)
    assert "Traceback" not in checked


def test_it_trains_far_from_any_checkout(installed: tuple[Path, Path]) -> None:
    commands, folder = installed
    environment = clean(folder)
    call(commands / "flora", "demo", "many", "--replications", "2", cwd=folder, env=environment)
    (folder / "tiny.yaml").write_text(TRAINING, encoding="utf-8")
    call(commands / "flora", "train", "--config", "tiny.yaml", "--device", "cpu", cwd=folder, env=environment)
    (run,) = (folder / "runs").iterdir()
    ranked = call(commands / "flora", *LABEL, "--model", run, cwd=folder, env=environment)
    assert len(ranked.splitlines()) > 10 and "wave" in ranked


def test_the_source_archive_holds_every_file_of_the_repository(tmp_path: Path) -> None:
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if tracked.returncode:
        pytest.skip("not a checkout of Git")
    call(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", tmp_path, cwd=ROOT)
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        names = {name.partition("/")[2] for name in opened.getnames()}
    present = {name for name in tracked.stdout.split("\0") if name and (ROOT / name).is_file()}
    assert present - names == set()


def test_its_window_opens_far_from_any_checkout(installed: tuple[Path, Path]) -> None:
    commands, folder = installed
    python = commands / ("python.exe" if os.name == "nt" else "python")
    used = call(python, "-c", WINDOW, cwd=folder, env=clean(folder)).strip()
    assert str(ROOT) not in used and used.endswith("__init__.py")
