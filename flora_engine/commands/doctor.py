"""`flora doctor`: one line for each thing the program needs, and the fix for whatever is wrong."""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from flora_engine.errors import FloraError
from flora_engine.inference import onnx_runtime
from flora_engine.jobs import Event, Job
from flora_engine.resources import PACKAGE, cache_folder

_INSTALL = "python3 build_app.py run installs it"
_GUI = "pip install 'flora-studio[gui]' installs it"
_TRAIN = "pip install 'flora-studio[train]' installs it"
_ONLY_LABELS = "This folder only labels; to train, install Flora Studio with Python."
_RUNTIMES = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-directml", "onnxruntime-openvino")
_FREE_GB = 2


@dataclass(frozen=True)
class Finding:
    """ok False: something the program needs is missing. fix: what to do about it; may also advise where ok."""

    name: str
    ok: bool
    text: str
    fix: str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--prepare", action="store_true", help="also export the text encoder if it is not prepared yet")


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _train() -> str:
    return _ONLY_LABELS if getattr(sys, "frozen", False) else _TRAIN


def check_python() -> Finding:
    return Finding("Python", sys.version_info >= (3, 11), f"{platform.python_version()} on {platform.platform()}")


def check_torch() -> Finding:
    """One real tensor operation on the best device."""
    try:
        import torch
    except (ImportError, OSError) as error:
        if isinstance(error, ModuleNotFoundError) and error.name == "torch":
            return Finding("torch", True, "not installed; training needs it, labelling does not", _train())
        return Finding("torch", False, f"cannot be imported ({error}); training needs it, labelling does not", _INSTALL)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    start = time.perf_counter()
    a = torch.arange(256.0 * 256, device=device).view(256, 256) / 65536
    right = bool(torch.allclose((a @ a).cpu(), a.cpu() @ a.cpu(), rtol=1e-3))
    name = torch.cuda.get_device_name() if device == "cuda" else f"cpu, {torch.get_num_threads()} threads"
    milliseconds = (time.perf_counter() - start) * 1000
    return Finding("torch", right, f"{torch.__version__} on {name}; a matrix product took {milliseconds:.0f} ms")


def check_onnxruntime() -> Finding:
    """All builds of ONNX Runtime own one folder: of two, each holds files of the other."""
    installed = [name for name in _RUNTIMES if _version(name)]
    if len(installed) > 1:
        wanted = installed[-1]
        fix = f"pip uninstall {' '.join(installed)}, then pip install --no-deps {wanted}"
        return Finding("ONNX Runtime", False, f"{' and '.join(installed)} are installed over each other", fix)
    try:
        runtime = onnx_runtime()
    except (ImportError, OSError) as error:
        return Finding("ONNX Runtime", False, f"cannot be imported ({error})", _INSTALL)
    providers = [p.removesuffix("ExecutionProvider") for p in runtime.get_available_providers()]
    return Finding("ONNX Runtime", "CPU" in providers, f"{runtime.__version__}; providers: {', '.join(providers)}")


def _qt_probe(code: str) -> subprocess.CompletedProcess[str]:
    """Qt runs in a process of its own: a missing library or driver aborts instead of raising."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)


def check_qt() -> Finding:
    version = _version("PySide6-Essentials")
    if not version:
        return Finding("Qt", True, "PySide6 is not installed; the window needs it, labelling does not", _GUI)
    probe = _qt_probe("import PySide6.QtWidgets, PySide6.QtOpenGLWidgets")
    if probe.returncode:
        reason = (probe.stderr.strip().splitlines() or ["it aborts"])[-1]
        return Finding(
            "Qt", False, f"PySide6 {version}: {reason}", "python3 build_app.py run names the system packages"
        )
    return Finding("Qt", True, f"PySide6 {version}")


_GL_PROBE = """
from PySide6.QtGui import QGuiApplication, QOffscreenSurface, QOpenGLContext
application = QGuiApplication([])
context = QOpenGLContext()
surface = QOffscreenSurface()
surface.create()
assert context.create() and context.makeCurrent(surface)
from OpenGL.GL import GL_RENDERER, GL_VERSION, glGetString
print((glGetString(GL_RENDERER) or b"?").decode(), "|", (glGetString(GL_VERSION) or b"?").decode())
"""


def check_opengl() -> Finding:
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return Finding("OpenGL", True, "not tried: there is no display here, so no window; flora label works without")
    probe = _qt_probe(_GL_PROBE)
    if probe.returncode:
        return Finding(
            "OpenGL", True, "not working; the window draws in 2D instead", "Install or update the GPU driver."
        )
    return Finding("OpenGL", True, probe.stdout.strip())


def _announce(event: Event) -> None:
    if event["kind"] == "progress" and event["done"] == 0:
        print(f"  {event['stage']} …", flush=True)


def check_text_encoder(prepare: bool) -> Finding:
    from flora_engine.semantics.text_encoder import is_prepared, load_text_encoder

    try:
        if not prepare and not is_prepared():
            return Finding("text encoder", True, "all-MiniLM-L6-v2, not prepared yet", "It is prepared at first use.")
        start = time.perf_counter()
        encoder = load_text_encoder(job=Job(_announce))
        encoder.encode(["raise both hands"], 16)
    except FloraError as error:
        return Finding("text encoder", False, str(error), _INSTALL)
    seconds = time.perf_counter() - start
    return Finding("text encoder", True, f"all-MiniLM-L6-v2, {encoder.channels} channels; ready in {seconds:.1f} s")


def check_model() -> Finding:
    from flora_engine.labelling.bundle import BUILTIN, load_manifest

    try:
        manifest = load_manifest(BUILTIN)
    except FloraError as error:
        return Finding("built-in model", False, str(error), "Restore resources/models from the source.")
    size = sum(path.stat().st_size for path in BUILTIN.iterdir()) / 1e6
    return Finding("built-in model", True, f"{manifest.name}, {size:.1f} MB")


def check_disk() -> Finding:
    place = next(folder for folder in (cache_folder(), *cache_folder().parents, PACKAGE) if folder.exists())
    free = shutil.disk_usage(place).free / 1e9
    fix = "" if free >= _FREE_GB else f"Free some space, or set FLORA_CACHE to another disk; {_FREE_GB} GB is enough."
    return Finding("disk", free >= _FREE_GB, f"{free:.0f} GB free for the cache at {cache_folder()}", fix)


def run(arguments: argparse.Namespace) -> int:
    checks: list[Callable[[], Finding]] = [
        *(check_python, check_torch, check_onnxruntime, check_qt, check_opengl),
        lambda: check_text_encoder(arguments.prepare),
        *(check_model, check_disk),
    ]
    wrong = 0
    for check in checks:
        finding = check()
        wrong += not finding.ok
        print(f"{'ok   ' if finding.ok else 'WRONG'} {finding.name}: {finding.text}", flush=True)
        if finding.fix:
            print(f"      → {finding.fix}", flush=True)
    return 1 if wrong else 0
