"""The OpenGL view shows something, docked, floated and docked again. Needs a display: `xvfb-run pytest -m gl`.

Each check runs in a process of its own: the shared-context attribute must be set before the application object, and an
OpenGL driver that crashes must not take the other tests with it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from patience import PATIENCE

pytestmark = [
    pytest.mark.gl,
    pytest.mark.skipif(not os.environ.get("DISPLAY"), reason="no display: run `xvfb-run pytest -m gl`"),
]

_START = """
import sys, time
from pathlib import Path
from app.application import make_application
application = make_application()
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QApplication
from app.main_window import MainWindow
from app.viewer.scene import PERSON_COLOURS
from flora_engine.demo import ACTIONS, synthesise
from flora_engine.readers import write_ntu
folder = Path(sys.argv[1])
pair = synthesise(next(i for i, a in enumerate(ACTIONS) if a.other is not None))
write_ntu(pair, folder / "pair.skeleton")
window = MainWindow(settings_file=folder / "settings.json")
window.resize(1100, 700)
window.show()
window.opening.open_paths([folder / "pair.skeleton"])
def work(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        application.processEvents()
        time.sleep(0.005)
end = time.monotonic() + 60
while window.player.sequence is None and time.monotonic() < end:
    work(0.05)
assert window.player.sequence is not None, window.notice.text()
assert window.player.uses_opengl
window.player.playback.pause()
def lit():
    work(0.7)
    image = window.player.view.grabFramebuffer()
    counts = [0, 0]
    for y in range(0, image.height(), 2):
        for x in range(0, image.width(), 2):
            c = image.pixelColor(x, y)
            counts[0] += c.blue() > c.red() + 60
            counts[1] += c.red() > c.blue() + 60
    return counts
"""

_FLOATING = """
seen = {"docked": lit()}
window.run_command("view.float")
assert window.docks.stage.isFloating()
seen["floated"] = lit()
window.run_command("view.float")
seen["redocked"] = lit()
window.run_command("view.theme_dark")
seen["dark"] = lit()
print(seen)
assert all(min(counts) > 100 for counts in seen.values()), seen
assert window.player.uses_opengl and not window.notice.text(), window.notice.text()
"""

_FALLING_BACK = """
window.player.view.failed.emit("the driver is out of order")
work(0.3)
assert not window.player.uses_opengl
assert "out of order" in window.notice.text()
image = window.player.picture()
colours = {image.pixel(x, y) for x in range(0, image.width(), 3) for y in range(0, image.height(), 3)}
assert len(colours) > 5
window.player.step(1)
"""

_REFERENCES = """
before = sys.getrefcount(None)
for _ in range(1000):
    window.player.view.update()
assert sys.getrefcount(None) - before > -200 or sys.version_info >= (3, 12)
"""

_NAMES = """
window.run_command("view.names")
work(0.3)
with_names = window.player.picture()
window.run_command("view.names")
work(0.3)
without = window.player.picture()
def different(one, other):
    places = [(x, y) for x in range(0, one.width(), 2) for y in range(0, one.height(), 2)]
    return sum(one.pixel(x, y) != other.pixel(x, y) for x, y in places)
assert different(with_names, without) > 500
assert different(without, window.player.picture()) == 0
"""


_LIT = """
from app.viewer.scene import LIT
def red():
    work(0.3)
    image = window.player.picture()
    wanted = QColor(*LIT)
    near = lambda c: max(abs(a - b) for a, b in zip(c.getRgb(), wanted.getRgb())) < 40
    places = [(x, y) for x in range(0, image.width(), 2) for y in range(0, image.height(), 2)]
    return sum(near(image.pixelColor(x, y)) for x, y in places)
before = red()
window.player.point_out(0.5, ["right hand", "head"])
assert before == 0 and red() > 20, (before, red())
"""


@pytest.mark.parametrize(
    "script",
    [_FLOATING, _FALLING_BACK, _REFERENCES, _NAMES, _LIT],
    ids=["floating", "fall_back", "references", "names", "lit"],
)
def test_in_its_own_process(script: str, tmp_path: Path) -> None:
    environment = {**os.environ, "QT_QPA_PLATFORM": "xcb", "FLORA_OPENGL": "1"}
    run = subprocess.run(
        [sys.executable, "-c", _START + script + "\nwindow.close()\n", str(tmp_path)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        cwd=Path(__file__).resolve().parents[2],
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "Traceback" not in run.stderr and "Error while drawing" not in run.stdout, run.stdout + run.stderr


def test_opengl_drawn_by_the_processor_is_passed_over(tmp_path: Path) -> None:
    code = "from app.application import make_application; make_application()\n"
    code += "from app.viewer.gl_view import opengl_works; print(opengl_works())"
    said = []
    for forced in ("", "1"):
        environment = {**os.environ, "QT_QPA_PLATFORM": "xcb", "LIBGL_ALWAYS_SOFTWARE": "1", "FLORA_OPENGL": forced}
        root = Path(__file__).resolve().parents[2]
        command = [sys.executable, "-c", code]
        run = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=True, cwd=root
        )
        said.append(run.stdout.strip())
    assert said == ["False", "True"]
