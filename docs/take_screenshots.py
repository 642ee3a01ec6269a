"""Take the pictures of the documentation again: `xvfb-run -s "-screen 0 1700x1100x24" python docs/take_screenshots.py`.

Synthetic demo recordings only. `--out DIR` puts the pictures elsewhere.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "xcb")
_SETTINGS = tempfile.TemporaryDirectory()
os.environ["FLORA_SETTINGS"] = str(Path(_SETTINGS.name) / "settings.json")

from PySide6.QtCore import QDeadlineTimer, QEventLoop  # noqa: E402
from PySide6.QtGui import QImage  # noqa: E402
from PySide6.QtWidgets import QApplication, QWidget  # noqa: E402

from app.application import make_application  # noqa: E402
from app.labelling.service import BUILTIN  # noqa: E402
from app.main_window import MainWindow  # noqa: E402

SIZES = ((1024, 640), (1600, 1000))
MOST_BYTES = 200 * 1024


def wait(condition: Callable[[], bool] = lambda: False, seconds: float = 0.4) -> bool:
    """Let the window work until `condition` or for `seconds`."""
    deadline = QDeadlineTimer(int(seconds * 1000))
    while not deadline.hasExpired():
        QApplication.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 20)
        if condition():
            return True
    return False


def save(widget: QWidget, path: Path) -> None:
    """A PNG of `widget` with a palette of 256 colours, so that it stays small."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = widget.grab().toImage()
    image.convertToFormat(QImage.Format.Format_RGB888).save(str(path), "PNG", 0)
    if path.stat().st_size > MOST_BYTES:
        image.convertToFormat(QImage.Format.Format_Indexed8).save(str(path), "PNG", 0)
    print(f"{path} {path.stat().st_size // 1024} KB")


def take(out: Path) -> None:
    make_application()
    window = MainWindow()
    window.show()
    for theme in ("light", "dark"):
        window.run_command(f"view.theme_{theme}")
        for width, height in SIZES:
            window.resize(width, height)
            window.run_command("view.layout")
            window.run_command("file.clear")
            wait()
            save(window, out / f"welcome-{theme}-{width}.png")
            window.run_command("file.demo")
            wait(lambda: window.player.sequence is not None, 60)
            pair = next(p for p in window.recordings.model.paths if "A021" in p.name)
            window.recordings.select(pair)
            wait(lambda name=pair.stem: window.player.sequence.name == name, 20)
            wait(lambda: window.labels.answer is not None, 60 if BUILTIN.is_dir() else 0)
            window.player.playback.pause()
            window.player.seek(window.player.playback.frames // 2)
            wait(seconds=0.6)
            save(window, out / f"window-{theme}-{width}.png")
    window.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "img")
    take(parser.parse_args().out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
