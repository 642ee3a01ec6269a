#!/usr/bin/env python3
"""Set up and run Flora Studio from a clean checkout; needs nothing but Python 3.11 or newer.

python3 build_app.py run      install what is missing, then open the window on the demo project
python3 build_app.py test     install what is missing, then run every check of the project
python3 build_app.py doctor   say what this machine can do and what to fix
python3 build_app.py bundle   make a folder that runs without installing (PyInstaller)
"""

from __future__ import annotations

import argparse
import ctypes.util
import hashlib
import importlib.util
import os
import platform
import shlex
import shutil
import signal
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
TESTED = ROOT / "constraints" / "tested.txt"  # the versions that the tests ran with; constraints/update.py writes it
WINDOWS = os.name == "nt"
PYTHON = VENV / ("Scripts/python.exe" if WINDOWS else "bin/python")

# What Qt and OpenGL load at run time on Debian and Ubuntu, by the library that shows whether it is there.
LINUX_LIBRARIES = {
    "EGL": "libegl1",
    "GL": "libgl1",
    "xkbcommon-x11": "libxkbcommon-x11-0",
    "dbus-1": "libdbus-1-3",
    "xcb-cursor": "libxcb-cursor0",
    "xcb-icccm": "libxcb-icccm4",
    "xcb-image": "libxcb-image0",
    "xcb-keysyms": "libxcb-keysyms1",
    "xcb-randr": "libxcb-randr0",
    "xcb-render-util": "libxcb-render-util0",
    "xcb-shape": "libxcb-shape0",
    "xcb-xinerama": "libxcb-xinerama0",
    "xcb-xkb": "libxcb-xkb1",
    "fontconfig": "libfontconfig1",
}
TORCH = "torch>=2.6,<2.14"  # as in pyproject.toml
TORCH_CUDA, TORCH_CPU = "https://download.pytorch.org/whl/cu128", "https://download.pytorch.org/whl/cpu"
BUNDLING = ROOT / "build" / "bundle-env"  # what a bundle holds, and the tools that make it; nothing that trains
DRIVERS = "libgl1-mesa-dri"  # loaded by name at run time; comes with libgl1's recommendations
FONTS = "fonts-dejavu-core"


def say(text: str) -> None:
    print(f"build_app: {text}", flush=True)


def call(*command: str | Path, env: dict[str, str] | None = None) -> None:
    """Run a command in the project's folder; stop with its status, and say which command it was, if it fails."""
    parts = [str(part) for part in command]
    status = subprocess.run(parts, cwd=ROOT, env=env, check=False).returncode
    if status:
        say(f"{ended(status)}:  {shlex.join(parts)}")
        raise SystemExit(status if status > 0 else 128 - status)  # as a shell reports a signal


def ended(status: int) -> str:
    """How a process ended, in words: by a signal it says nothing itself."""
    if status >= 0:
        return f"this failed with status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return f"this was ended by {name}"


def has_nvidia_gpu() -> bool:
    return shutil.which("nvidia-smi") is not None and subprocess.run(
        ["nvidia-smi", "-L"], capture_output=True, check=False
    ).stdout.startswith(b"GPU")


def wants_gpu(choice: bool | None) -> bool:
    """What the user said, else a question where there is a GPU and somebody to answer it."""
    if choice is not None or not has_nvidia_gpu():
        return bool(choice)
    if not sys.stdin.isatty():
        say("an NVIDIA GPU is here; add --gpu to install its runtimes (several GB)")
        return False
    return input("An NVIDIA GPU is here. Install its runtimes, several GB? [y/N] ").strip().lower() == "y"


def stamp(extras: str, constraints: Path | None) -> str:
    """Changes whenever what has to be installed changes."""
    pins = constraints.read_bytes() if constraints else b""
    text = (ROOT / "pyproject.toml").read_bytes() + pins + extras.encode() + sys.version.encode()
    return hashlib.sha256(text).hexdigest()


def installed_extras(mark: Path) -> set[str]:
    return set(mark.read_text().splitlines()[1:]) if mark.exists() else set()


def need_venv_module() -> None:
    """Debian and Ubuntu keep what a new environment needs (ensurepip) in a package of its own."""
    if importlib.util.find_spec("ensurepip"):
        return
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    if not (shutil.which("apt-get") and os.geteuid() == 0 and apt_install([package])):
        raise SystemExit(f"build_app: Python's venv module is missing; run:  sudo apt-get install {package}")


def install(extras: set[str], torch_index: str | None = None, constraints: Path | None = TESTED) -> None:
    """Make `.venv` hold the project and `extras`; does nothing if it already does.

    torch_index: a package index to take torch alone from, for a build other than the default of the platform.
    constraints: a file with the versions to take; None takes the newest that pyproject.toml allows.
    """
    mark = VENV / "installed.txt"
    extras = extras | installed_extras(mark)
    wanted = ",".join(sorted(extras))
    if PYTHON.exists() and mark.exists() and mark.read_text().splitlines()[:1] == [stamp(wanted, constraints)]:
        return
    if not PYTHON.exists():
        need_venv_module()
        say(f"making {VENV.name} with Python {platform.python_version()}")
        venv.create(VENV, with_pip=True, clear=VENV.exists())
    mark.unlink(missing_ok=True)
    say("installing; the first time this takes a few minutes")
    pip: list[str | Path] = [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if constraints:
        pip += ["--constraint", constraints]
    else:
        pip += ["--upgrade", "--upgrade-strategy", "eager"]
    if torch_index:
        call(*pip, "--index-url", torch_index, TORCH)
    call(*pip, "--editable", f".[{wanted}]")
    if "gpu" in extras:
        # Both packages own the same folder: the CPU one has to go before the GPU one is laid down.
        call(PYTHON, "-m", "pip", "uninstall", "--quiet", "--yes", "onnxruntime")
        call(*pip, "--force-reinstall", "--no-deps", "onnxruntime-gpu")
        if subprocess.run([PYTHON, "-c", "import torch; assert torch.cuda.is_available()"], check=False).returncode:
            say(f"torch sees no GPU; delete .venv and add:  --torch-index {TORCH_CUDA}")
    mark.write_text("\n".join([stamp(wanted, constraints), *sorted(extras)]))


def missing_packages() -> list[str]:
    """Debian packages that Qt and OpenGL need and this Linux machine lacks."""
    if not sys.platform.startswith("linux"):
        return []
    missing = [package for library, package in LINUX_LIBRARIES.items() if not ctypes.util.find_library(library)]
    if missing and shutil.which("dpkg-query"):
        missing = [package for package in missing if not _dpkg_has(package)]
    if shutil.which("dpkg-query"):
        missing += [package for package in (DRIVERS, FONTS) if not _dpkg_has(package)]
    return missing


def _dpkg_has(package: str) -> bool:
    query = subprocess.run(["dpkg-query", "-W", "-f=${Status}", package], capture_output=True, text=True, check=False)
    return query.stdout.endswith("ok installed")


def apt_install(packages: list[str]) -> bool:
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    apt = ["apt-get", "-qq", "-o", "Dpkg::Use-Pty=0"]
    subprocess.run([*apt, "update"], env=env, check=False)
    install = [*apt, "install", "-y", "--no-install-recommends", *packages]
    return subprocess.run(install, env=env, check=False, stdout=subprocess.DEVNULL).returncode == 0


def system_libraries(extra: tuple[str, ...] = ()) -> bool:
    """Install what is missing where we may (root on Debian), else print the command; returns whether all is there."""
    missing = missing_packages() + [p for p in extra if not shutil.which(p)]
    if not missing:
        return True
    if shutil.which("apt-get") and os.geteuid() == 0:
        say(f"installing {len(missing)} system packages for Qt and OpenGL")
        if apt_install(missing):
            return True
    command = "sudo apt-get install" if shutil.which("apt-get") else "install with your package manager:"
    say(f"these system packages are missing; run:  {command} {' '.join(missing)}")
    return False


def has_display() -> bool:
    return not sys.platform.startswith("linux") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def run(arguments: argparse.Namespace) -> None:
    install({"all", "gpu"} if wants_gpu(arguments.gpu) else {"all"}, arguments.torch_index, arguments.constraints)
    # What is wrong has been reported, with what to do; much works all the same, so the window opens.
    subprocess.run([PYTHON, "-m", "flora_engine.cli", "doctor", "--prepare"], cwd=ROOT, check=False)
    if not has_display():
        say("no display here, so no window; label recordings with:  .venv/bin/flora label FILE --classes 'wave; sit'")
        return
    system_libraries()
    call(PYTHON, "-m", "flora_engine.cli", "gui", *(arguments.files or ["--demo"]))


def test(arguments: argparse.Namespace) -> None:
    """Lint, types, links of the documents, and all tests; widgets offscreen, then OpenGL on a virtual display."""
    install({"dev"}, arguments.torch_index, arguments.constraints)
    libraries = system_libraries(("xvfb",) if not shutil.which("xvfb-run") else ())
    call(PYTHON, "-m", "ruff", "format", "--check", ".")
    call(PYTHON, "-m", "ruff", "check", ".")
    call(PYTHON, "-m", "mypy")
    call(PYTHON, "-m", "flora_engine.cli", "doctor", "--prepare")
    call(PYTHON, "-m", "mkdocs", "build", "--strict", "--quiet", env={**os.environ, "NO_MKDOCS_2_WARNING": "1"})
    offscreen = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    call(PYTHON, "-m", "pytest", "-q", "-n", "2", "-m", "not gl", env=offscreen)
    if not sys.platform.startswith("linux") or (libraries and shutil.which("xvfb-run")):
        display = ["xvfb-run", "-a", "-s", "-screen 0 1700x1100x24"] if sys.platform.startswith("linux") else []
        env = {**os.environ, "QT_QPA_PLATFORM": "xcb"} if display else None
        call(*display, PYTHON, "-m", "pytest", "-q", "-m", "gl", env=env)
    else:
        raise SystemExit("build_app: the OpenGL tests need xvfb and the system packages named above")


def doctor(arguments: argparse.Namespace) -> None:
    install({"all"}, arguments.torch_index, arguments.constraints)
    call(PYTHON, "-m", "flora_engine.cli", "doctor")


def bundling_python(constraints: Path | None) -> Path:
    """The interpreter of an environment of its own for `bundle`, made at the first time."""
    python = BUNDLING / PYTHON.relative_to(VENV)
    if not python.exists():
        need_venv_module()
        venv.create(BUNDLING, with_pip=True, clear=BUNDLING.exists())
    pins = ("--constraint", constraints) if constraints else ("--upgrade",)
    call(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *pins, "--editable", ".[bundle]")
    return python


def exported_text_encoder(python: Path, arguments: argparse.Namespace) -> str:
    """The folder of the exported text encoder; if this computer has none yet, it is exported, which needs torch."""
    find = "from flora_engine.semantics.text_encoder import *; print(prepare_text_encoder(Job()))"
    for one in (python, PYTHON):
        if one == PYTHON:
            install({"all"}, arguments.torch_index, arguments.constraints)
        done = subprocess.run([one, "-c", find], cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return done.stdout.strip()
    raise SystemExit(f"build_app: the text encoder cannot be exported\n{done.stderr}")


def bundle(arguments: argparse.Namespace) -> None:
    """One folder with the program and its own Python, under dist/, tried as somebody without Python would."""
    python = bundling_python(arguments.constraints)
    exported = exported_text_encoder(python, arguments)
    encoder, folder = ROOT / "build" / "text-encoder", ROOT / "dist" / "flora-studio"
    call(python, "bundling/text_encoder.py", exported, encoder)
    shutil.make_archive(str(ROOT / "dist" / "text-encoder-minilm"), "zip", Path(exported).parent, Path(exported).name)
    env = {**os.environ, "FLORA_TEXT_ENCODER": str(encoder)}
    call(python, "-m", "PyInstaller", "--noconfirm", "--log-level", "WARN", "bundling/flora-studio.spec", env=env)
    if not WINDOWS:
        (folder / "flora").symlink_to("flora-studio")
    call(python, "bundling/parts.py", folder)
    call(python, "bundling/smoke.py", folder)
    say(f"made {folder}")


def main() -> None:
    if sys.version_info < (3, 11):  # noqa: UP036 - this file is what an older Python runs first
        raise SystemExit(f"build_app: Python 3.11 or newer is needed; this is {platform.python_version()}")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    start = commands.add_parser("run", help="install what is missing, then open the window")
    start.add_argument("files", nargs="*", help="recordings or a project to open")
    start.add_argument(
        "--gpu", action=argparse.BooleanOptionalAction, help="install the NVIDIA runtimes or not, unasked"
    )
    parsers = [start, *(commands.add_parser(name) for name in ("test", "doctor", "bundle"))]
    index_help = f"take torch from this index: {TORCH_CPU} saves GBs on Linux, {TORCH_CUDA} brings CUDA on Windows"
    versions_help = "versions to install; the default is constraints/tested.txt, those that the tests ran with"
    newest_help = "install the newest versions that pyproject.toml allows instead"
    for one in parsers:
        one.add_argument("--torch-index", metavar="URL", help=index_help)
        one.add_argument("--constraints", metavar="FILE", type=Path, default=TESTED, help=versions_help)
        one.add_argument("--newest", dest="constraints", action="store_const", const=None, help=newest_help)
    arguments = parser.parse_args()
    {"run": run, "test": test, "doctor": doctor, "bundle": bundle}[arguments.command](arguments)


if __name__ == "__main__":
    main()
