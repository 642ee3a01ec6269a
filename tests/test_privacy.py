"""Nothing leaves the machine and nothing of other makers stays on it (docs/privacy.md)."""

from __future__ import annotations

import ast
import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import no_network
import pytest
from patience import PATIENCE

from flora_engine.demo import synthesise
from flora_engine.readers import write_ntu

ROOT = Path(__file__).resolve().parents[1]

_WINDOW = """
import sys
from pathlib import Path
from PySide6.QtCore import QTimer
from app.application import make_application
application = make_application()
from app.main_window import MainWindow
window = MainWindow()
window.show()
window.labels.set_text("wave hand\\nsit down")
window.opening.open_paths([Path(sys.argv[1])])
def check():
    if window.labels.answer is not None:
        print("ranked", len(window.labels.answer.labels))
        window.close()
        application.quit()
timer = QTimer(interval=50)
timer.timeout.connect(check)
timer.start()
sys.exit(application.exec())
"""

_JOB = """
import json, sys, threading
from app.workers.supervisor import Supervisor
ends, over = [], threading.Event()
def on_end(end):
    ends.append(end)
    over.set()
Supervisor(sys.argv[1], json.loads(sys.argv[2]), lambda event: None, on_end)
over.wait()
sys.exit(ends[0].outcome != "finished" and f"{ends[0].text} {ends[0].details}")
"""

_TRAINING = """
kind: pipeline
data:
  - {{dataset: utd_mhad, raw: "{raw}", frames: 16, persons: 1}}
splits:
  - {{name: a, unseen: [1], train: {{by: subject, values: [1]}}}}
texts: {{tokens: 8}}
encoder: {{epochs: 1, base_channels: 8, batch_size: 4, milestones: [], held_out: 0}}
flora: {{hidden: 24, velocity_heads: 2, align_iterations: 1, total_iterations: 2, evaluations: 1,
  validation_classes: 2, folds: 1, attunements: [[0, 0.0]], protocols: [held-out]}}
heads: [flora]
"""


class Home:
    """An empty home in which programs run, cut off from the network."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.guard, self.work = folder / "home", folder / "guard", folder / "work"
        self.work.mkdir(parents=True)
        xdg = {f"XDG_{name}_HOME": name.lower() for name in ("CACHE", "CONFIG", "DATA", "STATE")}
        places = {"HOME": ".", "TMPDIR": "tmp", **xdg}
        for place in places.values():
            (self.folder / place).mkdir(parents=True, exist_ok=True)
        ours = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
        self.environment = ours | {name: str(self.folder / place) for name, place in places.items()}
        self.environment |= {"QT_QPA_PLATFORM": "offscreen", **no_network.environment(self.guard)}

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments],
            env=self.environment,
            cwd=self.work,
            capture_output=True,
            text=True,
            timeout=2 * PATIENCE,
            check=False,
        )

    def files(self) -> list[str]:
        return sorted(path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*") if path.is_file())


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "recordings" / "wave.skeleton"
    path.parent.mkdir()
    write_ntu(synthesise(0), path)
    return path


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """One for all tests of this file, so that the text encoder is prepared in it once."""
    return Home(tmp_path_factory.mktemp("privacy"))


def check(home: Home, done: subprocess.CompletedProcess[str]) -> None:
    """It ended well, tried no connection, and left nothing but files in folders of ours."""
    assert done.returncode != -getattr(signal, "SIGSYS", 0), "a library asked for an Internet socket"
    assert done.returncode == 0, done.stdout + done.stderr
    assert no_network.attempts(home.guard) == ""
    foreign = [name for name in home.files() if not name.startswith(("cache/flora-studio/", "config/flora-studio/"))]
    assert foreign == []
    assert list(home.work.iterdir()) == []


def test_labelling_leaves_only_our_own_files(home: Home, recording: Path) -> None:
    done = home.run("-m", "flora_engine.cli", "label", str(recording), "--classes", "wave hand; sit down")
    check(home, done)
    assert "wave hand" in done.stdout
    assert any(name.startswith("cache/flora-studio/text-encoders/") for name in home.files())


def test_the_window_reaches_for_nothing(home: Home, recording: Path) -> None:
    done = home.run("-c", _WINDOW, str(recording))
    check(home, done)
    assert "ranked 2" in done.stdout


def test_jobs_of_the_worker_reach_for_nothing(home: Home, recording: Path, tmp_path: Path) -> None:
    """Labelling a folder, and a small training, which loads torch and transformers; started as the window does."""
    arguments = {"folder": str(recording.parent), "classes": "wave hand; sit down", "out": str(tmp_path / "table.csv")}
    check(home, home.run("-c", _JOB, "label-folder", json.dumps(arguments)))
    assert "wave" in (tmp_path / "table.csv").read_text(encoding="utf-8")
    for action, subject in itertools.product(range(6), (1, 2)):
        sequence = synthesise(action, subject=subject)
        write_ntu(sequence, tmp_path / "raw" / f"{sequence.name}.skeleton")
    (tmp_path / "small.yaml").write_text(_TRAINING.format(raw=tmp_path / "raw"), encoding="utf-8")
    arguments = {"config": str(tmp_path / "small.yaml"), "out": str(tmp_path / "runs")}
    check(home, home.run("-c", _JOB, "train", json.dumps(arguments)))
    assert list((tmp_path / "runs").glob("*/a/bundle/manifest.json"))


def test_doctor_looks_at_every_library_and_reaches_for_nothing(home: Home) -> None:
    check(home, home.run("-m", "flora_engine.cli", "doctor"))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux stops libraries that are not written in Python")
@pytest.mark.parametrize(
    ("code", "killed"),
    [
        ("import socket; socket.getaddrinfo('example.org', 443)", False),
        ("import socket; socket.socket(socket.AF_INET)", True),
        ("import ctypes; ctypes.CDLL(None).socket(10, 1, 0)", True),
        ("import subprocess, sys; subprocess.run([sys.executable, '-c', 'import socket; socket.socket()'], check=True)",
         False),
    ],
)  # fmt: skip
def test_the_guard_itself_notices(tmp_path: Path, code: str, killed: bool) -> None:
    home = Home(tmp_path)
    done = home.run("-c", code)
    assert done.returncode == (-signal.SIGSYS if killed else 1)
    assert ("getaddrinfo" in no_network.attempts(home.guard)) == ("getaddrinfo" in code)
    assert home.run("-c", "import socket; socket.socketpair()").returncode == 0


def _imported(path: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    return {name.split(".")[0] for name in names}


def _python_files(folders: Sequence[str]) -> list[Path]:
    return [path for folder in folders for path in (ROOT / folder).rglob("*.py")]


def test_one_module_imports_onnx_runtime() -> None:
    files = _python_files(("flora_engine", "app", "tests", "benchmarks"))
    importing = [path.relative_to(ROOT).as_posix() for path in files if "onnxruntime" in _imported(path)]
    assert importing == ["flora_engine/inference.py"]


def test_no_module_imports_a_network_client() -> None:
    clients = {"socket", "ssl", "http", "urllib", "ftplib", "smtplib", "requests", "httpx", "huggingface_hub"}
    found = {path.name: _imported(path) & clients for path in _python_files(("flora_engine", "app"))}
    # Only to the scheduler that the user names: whether it answers is asked before a client is made for it.
    assert {name: names for name, names in found.items() if names} == {"processes.py": {"socket"}}
