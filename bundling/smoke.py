"""Try a bundle as somebody without Python would: `python bundling/smoke.py dist/flora-studio`.

Nothing of this environment reaches the program: no PATH, no home folder of the user, no Python. It says its version,
reports what the machine can do, labels a synthetic recording and opens the window offscreen; then the size of the
folder and the seconds of each are printed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SUFFIX = ".exe" if os.name == "nt" else ""
MOST = 300  # MB as `du -sm` counts them
LABEL = ("label", "recordings", "--classes", "wave; sit down", "--json")
# The window says nothing by itself: this runs it inside the program and closes it when it is idle.
WINDOW = """
from pathlib import Path
from PySide6.QtCore import QTimer
from app.application import make_application
from app.main_window import MainWindow
application = make_application()
window = MainWindow(settings_file=Path("settings.json"), opengl=False)
window.show()
window.opening.open_paths([Path("recordings")])
QTimer.singleShot(3000, application.quit)
application.exec()
assert window.windowIcon().isNull() is False
print(window.windowTitle())
"""


def megabytes(folder: Path) -> float:
    """Size of all files in MB as `du -m` counts them, 2**20 bytes; a link counts as nothing."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file() and not file.is_symlink()) / 2**20


def bare_environment(home: Path) -> dict[str, str]:
    """What a program cannot do without; Windows needs its own folder."""
    kept = {name: os.environ[name] for name in ("SYSTEMROOT", "TEMP") if name in os.environ}
    return {**kept, "HOME": str(home), "USERPROFILE": str(home), "QT_QPA_PLATFORM": "offscreen"}


def said(program: Path, *arguments: str, home: Path) -> str:
    """What the program prints, after the seconds it took went to our own output. Exits if it fails."""
    start = time.perf_counter()
    done = subprocess.run(
        [program, *arguments], cwd=home, env=bare_environment(home), capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{program.name} {arguments[0]} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    print(f"  {time.perf_counter() - start:5.1f} s  {program.name} {arguments[0]}", flush=True)
    return done.stdout


def main(folder: Path) -> None:
    flora, studio = (folder / f"{name}{SUFFIX}" for name in ("flora", "flora-studio"))
    with tempfile.TemporaryDirectory() as place:
        home = Path(place)
        assert said(flora, "--version", home=home).startswith("Flora Studio ")
        doctor = said(flora, "doctor", home=home)
        assert "WRONG" not in doctor and "text encoder" in doctor, doctor
        said(flora, "demo", "recordings", home=home)
        for _ in range(2):  # the first start reads the folder from the disk
            ranked = [json.loads(line) for line in said(flora, *LABEL, home=home).splitlines()]
        assert len(ranked) > 10, ranked
        title = said(studio, "-c", WINDOW, home=home)
        assert "Flora Studio" in title, title
        if sys.platform.startswith("linux"):
            said(flora, "desktop", home=home)
            entry = home / ".local" / "share" / "applications" / "flora-studio.desktop"
            assert f'Exec="{studio}" %F' in entry.read_text(encoding="utf-8")
    size = megabytes(folder)
    print(f"  {size:5.0f} MB {folder}")
    if size > MOST and sys.platform.startswith("linux"):  # measured nowhere else yet
        sys.exit(f"the folder should not be larger than {MOST} MB")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
