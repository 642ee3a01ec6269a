"""The middle of the window: the 3D view and the controls below it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QImage, QResizeEvent
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QSizePolicy, QSlider, QToolButton, QVBoxLayout, QWidget

from app.commands import key_text, title_of, with_key
from app.icons import icon
from app.theme import LIGHT, Theme
from app.viewer.badge import Badge
from app.viewer.drawing import StageColours
from app.viewer.gl_view import GLView, opengl_works
from app.viewer.painter_view import PainterView
from app.viewer.playback import SPEEDS, Playback, clock_text
from app.viewer.scene import Scene
from flora_engine.skeleton import SkeletonSequence

_TICK = 15  # ms between looks at the clock
_DIRECTIONS = {"front": (0.0, 8.0), "side": (90.0, 8.0), "top": (0.0, 89.0), "start": (20.0, 12.0)}


class Player(QWidget):
    """Plays one recording at a time; `playback` holds the state, this shows it."""

    playback: Playback

    playing_changed = Signal(bool)
    speed_changed = Signal(float)
    loop_changed = Signal(bool)
    frame_shown = Signal(int)
    trouble = Signal(str)

    def __init__(self, parent: QWidget | None = None, *, opengl: bool | None = None) -> None:
        super().__init__(parent)
        self.playback = Playback()
        self.sequence: SkeletonSequence | None = None
        self._theme = LIGHT
        self._shown = -1
        self._use_opengl = opengl_works() if opengl is None else opengl
        self.view: GLView | PainterView = self._make_view()
        self._slider = self._make_slider()
        self._time = QLabel()
        self._buttons: dict[str, QToolButton] = {}
        self._speed = self._make_speed()
        self.badge = Badge(self)
        self._lay_out()
        self._timer = QTimer(self, interval=_TICK)
        self._timer.timeout.connect(self._tick)
        self._refresh_state()

    # -- recording -----------------------------------------------------------------------------------------------

    def show_sequence(
        self, sequence: SkeletonSequence | None, scene: Scene | None = None, *, play: bool = True, again: bool = False
    ) -> None:
        """Show another recording from its start; `scene` if it was already made, off this thread.

        again: whether its file can be read in another way.
        """
        self.sequence = sequence
        scene = scene or (Scene(sequence) if sequence is not None else None)
        self.view.show_scene(scene)
        self.playback.load(sequence.frames if sequence else 0, sequence.fps if sequence else 30.0, play=play)
        self._slider.setRange(0, max(self.playback.frames - 1, 0))
        self._slider.setPageStep(max(self.playback.frames // 20, 1))
        self._shown = -1
        self.badge.show_of(sequence.notes if sequence else (), again=again)
        self._place_badge()
        self._refresh_state()

    def look(self, direction: str) -> None:
        """Look from "front", "side", "top" or "start"."""
        self.view.camera.yaw, self.view.camera.pitch = _DIRECTIONS[direction]
        self.view.fit()

    def fit(self) -> None:
        self.view.fit()

    def turn(self, right: float, up: float) -> None:
        self.view.camera.orbit(right, up)
        self.view.camera_changed()

    def zoom(self, factor: float) -> None:
        self.view.camera.zoom(factor)
        self.view.camera_changed()

    def picture(self) -> QImage:
        return self.view.picture()

    # -- playback ------------------------------------------------------------------------------------------------

    def toggle(self) -> None:
        self.playback.toggle()
        self._refresh_state()

    def step(self, count: int) -> None:
        self.playback.step(count)
        self._refresh_state()

    def seek(self, frame: int) -> None:
        self.playback.seek(frame)
        self._refresh_state()

    def point_out(self, second: float, joints: Sequence[str]) -> None:
        """Stop at a moment and let joints (of Kinect v2; none: nothing) stand out until the next recording."""
        self.playback.pause()
        self.playback.seek(round(second * self.playback.fps))
        self.view.light(joints, self.playback.frame())
        self._refresh_state()

    def unlight(self) -> None:
        """No joint stands out any more."""
        self.view.light((), self.playback.frame())

    def seek_end(self) -> None:
        self.seek(self.playback.frames - 1)

    def change_speed(self, steps: int) -> None:
        """Move `steps` places along the list of speeds; negative: slower."""
        self.set_speed(self.playback.faster(steps))

    def set_speed(self, speed: float) -> None:
        self.playback.set_speed(speed)
        index = min(range(len(SPEEDS)), key=lambda i: abs(SPEEDS[i] - speed))
        self._speed.setCurrentIndex(index)
        self.speed_changed.emit(self.playback.speed)

    def set_loop(self, loop: bool) -> None:
        self.playback.set_loop(loop)
        self._buttons["loop"].setChecked(loop)
        self.loop_changed.emit(loop)

    # -- looks ---------------------------------------------------------------------------------------------------

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self.view.set_colours(_stage_colours(theme))
        for name, button in self._buttons.items():
            button.setIcon(icon(self._icon_name(name), theme.text))
        self._refresh_loop_icon()

    def set_names(self, names: bool) -> None:
        self.view.set_names(names)

    @property
    def uses_opengl(self) -> bool:
        return isinstance(self.view, GLView)

    # -- inside --------------------------------------------------------------------------------------------------

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place_badge()

    def _place_badge(self) -> None:
        """Over the top left corner of the view, no wider than it."""
        width = min(self.badge.sizeHint().width(), max(40, self.width() - 28))
        self.badge.setGeometry(14, 8, width, self.badge.sizeHint().height())
        self.badge.raise_()

    def _make_view(self) -> GLView | PainterView:
        colours = _stage_colours(self._theme)
        if not self._use_opengl:
            return PainterView(colours, self)
        view = GLView(colours, self)
        view.failed.connect(self._fall_back, Qt.ConnectionType.QueuedConnection)
        return view

    def _fall_back(self, problem: str) -> None:
        """OpenGL failed: show the painter view from now on."""
        if isinstance(self.view, PainterView):
            return
        old, self._use_opengl = self.view, False
        self.view = self._make_view()
        self.view.set_names(old.names)
        self._column.replaceWidget(old, self.view)
        old.hide()
        old.deleteLater()
        self.view.show_scene(old.scene)
        self.view.camera = old.camera
        self._place_badge()
        self._shown = -1
        self._refresh_state()
        self.trouble.emit(f"OpenGL does not work here ({problem}). The view is drawn without it.")

    def _make_slider(self) -> QSlider:
        slider = QSlider(Qt.Orientation.Horizontal)
        slider.setAccessibleName("Frame")
        slider.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        slider.valueChanged.connect(self._on_slider)
        return slider

    def _make_speed(self) -> QComboBox:
        box = QComboBox()
        box.setAccessibleName("Speed")
        box.setToolTip(f"Speed ({key_text('playback.faster')} and {key_text('playback.slower')})")
        for speed in SPEEDS:
            box.addItem(f"{speed:g}×", speed)
        box.setCurrentIndex(SPEEDS.index(1.0))
        box.activated.connect(lambda index: self.set_speed(float(box.itemData(index))))
        return box

    def _lay_out(self) -> None:
        self.view.setMinimumSize(QSize(280, 200))
        self.view.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self._time.setAccessibleName("Time and frame")
        self._time.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._time.setProperty("role", "muted")
        row = QHBoxLayout()
        row.setSpacing(4)
        for name, command, act in (
            ("previous", "playback.previous", lambda: self.step(-1)),
            ("play", "playback.toggle", self.toggle),
            ("next", "playback.next", lambda: self.step(1)),
            ("loop", "playback.loop", lambda: self.set_loop(self._buttons["loop"].isChecked())),
        ):
            row.addWidget(self._button(name, command, act))
        self._buttons["loop"].setCheckable(True)
        self._buttons["loop"].setChecked(True)
        self._buttons["loop"].toggled.connect(self._refresh_loop_icon)
        row.addSpacing(4)
        row.addWidget(self._speed)
        row.addStretch(1)
        row.addWidget(self._time)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(6, 0, 6, 6)
        self._column.setSpacing(8)
        self._column.addWidget(self.view, 1)
        self._column.addWidget(self._slider)
        self._column.addLayout(row)

    def _button(self, name: str, command: str, act: Callable[[], object]) -> QToolButton:
        button = QToolButton()
        button.setAccessibleName(title_of(command))
        button.setToolTip(with_key(command))
        button.setIconSize(QSize(18, 18))
        button.setIcon(icon(self._icon_name(name), self._theme.text))
        button.clicked.connect(lambda _=False: act())
        self._buttons[name] = button
        return button

    def _icon_name(self, name: str) -> str:
        return "pause" if name == "play" and self.playback.playing else name

    def _refresh_loop_icon(self) -> None:
        loop = self._buttons["loop"]
        loop.setIcon(icon("loop", self._theme.on_accent if loop.isChecked() else self._theme.text))

    def _refresh_state(self) -> None:
        self._show_current()
        playing, present = self.playback.playing, self.playback.frames > 0
        self._timer.start() if playing else self._timer.stop()
        for button in (*self._buttons.values(), self._slider, self._speed):
            button.setEnabled(present)
        self._buttons["play"].setIcon(icon(self._icon_name("play"), self._theme.text))
        self._buttons["play"].setAccessibleName("Pause" if playing else "Play")
        self.playing_changed.emit(playing)

    def _tick(self) -> None:
        self._show_current()
        if not self.playback.playing:  # the end of the recording
            self._refresh_state()

    def _show_current(self) -> None:
        """Draw the current frame, unless it is on screen already."""
        frame = self.playback.frame()
        if frame == self._shown:
            return
        self._shown = frame
        self.view.show_frame(frame)
        self._slider.blockSignals(True)
        self._slider.setValue(frame)
        self._slider.blockSignals(False)
        self._time.setText(self._time_text(frame))
        self.frame_shown.emit(frame)

    def _time_text(self, frame: int) -> str:
        frames, fps = self.playback.frames, self.playback.fps
        if not frames:
            return "No recording"
        return f"{clock_text(frame / fps)} / {clock_text(frames / fps)}  ·  {frame + 1} of {frames}"

    def _on_slider(self, value: int) -> None:
        self.seek(value)


def _stage_colours(theme: Theme) -> StageColours:
    box = QColor(theme.raised)
    box.setAlpha(225)
    return StageColours(QColor(theme.stage), QColor(theme.grid), QColor(theme.text), box)
