"""The window: recordings on the left, the 3D stage in the middle, actions and their ranking on the right."""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from pathlib import Path

from PySide6.QtCore import QByteArray, QEvent, QObject, Qt, QUrl
from PySide6.QtGui import (
    QAction,
    QActionGroup,
    QCloseEvent,
    QDesktopServices,
    QDragEnterEvent,
    QDropEvent,
    QGuiApplication,
    QKeyEvent,
    QKeySequence,
)
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QComboBox,
    QDockWidget,
    QFileDialog,
    QMainWindow,
    QMessageBox,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app.commands import COMMANDS, MENUS, by_id
from app.demo import demo_recordings
from app.labelling.panel import LabelPanel, class_presets
from app.labelling.service import BUILTIN, LabelService
from app.library.recordings import Found, RecordingsPanel, find_recordings
from app.notice import Notice
from app.palette import CommandPalette
from app.settings import Settings, load_settings, save_settings, settings_path
from app.theme import apply_theme
from app.viewer.player import Player
from app.viewer.scene import Scene
from app.welcome import Welcome
from app.workers.tasks import Newest
from flora_engine.errors import FloraError
from flora_engine.files import replacing
from flora_engine.readers import read_sequence
from flora_engine.resources import ROOT
from flora_engine.skeleton import SkeletonSequence

_FILTER = "Recordings (*.skeleton *.mat *.json *.npz *.txt *.csv *.bvh);;All files (*)"


@dataclass(frozen=True)
class Opened:
    """A recording that was read and made ready to draw off the window's thread."""

    path: Path
    sequence: SkeletonSequence
    scene: Scene


def open_recording(path: Path) -> Opened:
    """Read `path` and prepare its scene; raises FloraError."""
    sequence = read_sequence(path)
    return Opened(path, sequence, Scene(sequence))


class MainWindow(QMainWindow):
    """Wires the parts together; every command of `app.commands` has a handler here, named after its id."""

    def __init__(
        self, *, service: LabelService | None = None, settings_file: Path | None = None, opengl: bool | None = None
    ) -> None:
        super().__init__()
        self._settings_file = settings_file or settings_path()
        self.settings: Settings = load_settings(self._settings_file)
        self.setWindowTitle("Flora Studio")
        self.setMinimumSize(900, 560)
        self.setAcceptDrops(True)
        self.setDockNestingEnabled(True)
        self.player = Player(opengl=opengl)
        self.recordings = RecordingsPanel()
        self.labels = LabelPanel(service or LabelService(), class_presets)
        self.notice = Notice()
        self.welcome = Welcome()
        self._opening = Newest(self)
        self._searching = Newest(self)
        self._actions: dict[str, QAction] = {}
        self._palette: CommandPalette | None = None
        self._build()
        self._connect()
        self._apply_settings()
        QApplication.instance().installEventFilter(self)

    # -- outside -------------------------------------------------------------------------------------------------

    def open_paths(self, paths: list[Path]) -> None:
        """List files and everything readable in folders, and show the first; trouble shows in the notice."""
        if not paths:
            return
        self.notice.hide()
        self.statusBar().showMessage("Looking for recordings…")
        self._searching.submit(lambda: find_recordings(paths))

    def run_command(self, command: str) -> None:
        """Do what `command` of the table says, if it can be done now."""
        if self._actions[command].isEnabled():
            self._actions[command].trigger()

    # -- building ------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        self._middle = QStackedWidget()
        self._middle.addWidget(self.welcome)
        self._middle.addWidget(self.player)
        stage = QWidget()
        column = QVBoxLayout(stage)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._middle)
        top = QWidget()
        top_column = QVBoxLayout(top)
        top_column.setContentsMargins(8, 4, 8, 0)
        top_column.addWidget(self.notice)
        self._left = self._dock("recordings", "Recordings", self.recordings, Qt.DockWidgetArea.LeftDockWidgetArea)
        self._stage = self._dock("stage", "3D view", stage, Qt.DockWidgetArea.LeftDockWidgetArea)
        self._right = self._dock("actions", "Actions", self.labels, Qt.DockWidgetArea.LeftDockWidgetArea)
        self.splitDockWidget(self._left, self._stage, Qt.Orientation.Horizontal)
        self.splitDockWidget(self._stage, self._right, Qt.Orientation.Horizontal)
        self.setMenuWidget(self._menus_over(top))
        self._first_layout = self.saveState()

    def _menus_over(self, notice: QWidget) -> QWidget:
        """The menu bar with the notice below it, above all docks."""
        holder = QWidget()
        column = QVBoxLayout(holder)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        bar = self._make_menus()
        column.addWidget(bar)
        column.addWidget(notice)
        return holder

    def _dock(self, name: str, title: str, widget: QWidget, area: Qt.DockWidgetArea) -> QDockWidget:
        dock = QDockWidget(title, self)
        dock.setObjectName(name)
        dock.setWidget(widget)
        dock.setFeatures(
            QDockWidget.DockWidgetFeature.DockWidgetMovable | QDockWidget.DockWidgetFeature.DockWidgetFloatable
        )
        self.addDockWidget(area, dock)
        return dock

    def _make_menus(self) -> QWidget:
        from PySide6.QtWidgets import QMenuBar

        bar = QMenuBar()
        menus = {name: bar.addMenu(f"&{name}") for name in MENUS}
        themes = QActionGroup(self)
        for command in COMMANDS:
            action = QAction(command.title, self)
            action.setObjectName(command.id)
            action.setShortcuts([QKeySequence(key) for key in command.shortcuts])
            action.setStatusTip(command.hint)
            action.setCheckable(command.checkable)
            action.triggered.connect(getattr(self, "_" + command.id.replace(".", "_")))
            if command.id.startswith("view.theme_"):
                themes.addAction(action)
            menus[command.menu].addAction(action)
            self.addAction(action)
            self._actions[command.id] = action
        self._refresh_enabled()
        return bar

    def _connect(self) -> None:
        self._opening.done.connect(self._on_opened)
        self._opening.failed.connect(self._on_open_failed)
        self._searching.done.connect(self._on_found)
        self._searching.failed.connect(self._on_problem)
        self.recordings.chosen.connect(self._open)
        self.welcome.wanted.connect(self.run_command)
        self.labels.limits_wanted.connect(self._help_limits)
        self.player.trouble.connect(self.notice.tell)
        self._stage.topLevelChanged.connect(self._actions["view.float"].setChecked)

    def _apply_settings(self) -> None:
        settings = self.settings
        self.labels.set_text(settings.classes)
        self.player.set_speed(settings.speed)
        self.player.set_loop(settings.loop)
        self.player.set_names(settings.joint_names)
        self._actions["playback.loop"].setChecked(settings.loop)
        self._actions["view.names"].setChecked(settings.joint_names)
        self._set_theme(settings.theme)
        self.resize(1360, 820)
        if settings.geometry:
            self.restoreGeometry(_from_base64(settings.geometry))
        if not settings.layout or not self.restoreState(_from_base64(settings.layout)):
            self._view_layout()

    # -- recordings ----------------------------------------------------------------------------------------------

    def _on_found(self, found: object) -> None:
        assert isinstance(found, Found)
        self.statusBar().clearMessage()
        if found.note:
            self.notice.tell(found.note, "Open the demo", self._file_demo)
            return
        self.recordings.add(found, select=found.paths[0])

    def _open(self, path: Path) -> None:
        self._opening.submit(lambda: open_recording(path))

    def _on_opened(self, opened: object) -> None:
        assert isinstance(opened, Opened)
        self.notice.hide()
        self._middle.setCurrentWidget(self.player)
        self.player.show_sequence(opened.sequence, opened.scene)
        self.labels.set_sequence(opened.sequence)
        self.setWindowTitle(f"{opened.sequence.name or opened.path.name} – Flora Studio")
        self.statusBar().showMessage(_describe(opened.sequence))
        self.settings = self.settings.with_recent(str(opened.path))
        self._refresh_enabled()

    def _on_open_failed(self, problem: str) -> None:
        self.player.show_sequence(None)
        self.labels.set_sequence(None)
        self.setWindowTitle("Flora Studio")
        self.statusBar().clearMessage()
        self._refresh_enabled()
        self._on_problem(problem)

    def _on_problem(self, problem: str) -> None:
        self.statusBar().clearMessage()
        self.notice.tell(problem)

    def _refresh_enabled(self) -> None:
        present = self.player.sequence is not None
        for name, command in by_id().items():
            if name in self._actions and command.needs_recording:
                self._actions[name].setEnabled(present)

    # -- commands: file ------------------------------------------------------------------------------------------

    def _file_open(self) -> None:
        names, _ = QFileDialog.getOpenFileNames(self, "Open recordings", self._start_folder(), _FILTER)
        self.open_paths([Path(name) for name in names])

    def _file_open_folder(self) -> None:
        name = QFileDialog.getExistingDirectory(self, "Open a folder", self._start_folder())
        self.open_paths([Path(name)] if name else [])

    def _start_folder(self) -> str:
        return str(Path(self.settings.recent[0]).parent) if self.settings.recent else str(Path.home())

    def _file_demo(self) -> None:
        self.statusBar().showMessage("Writing the demo recordings…")
        self._searching.submit(lambda: find_recordings([demo_recordings()]))

    def _file_clear(self) -> None:
        self.recordings.clear()
        self.player.show_sequence(None)
        self.labels.set_sequence(None)
        self._middle.setCurrentWidget(self.welcome)
        self.setWindowTitle("Flora Studio")
        self.statusBar().clearMessage()
        self._refresh_enabled()

    def _file_export_picture(self) -> None:
        sequence = self.player.sequence
        if sequence is None:
            return
        frame = self.player.playback.frame()
        start = Path(self._start_folder()) / f"{sequence.name or 'recording'}_frame{frame + 1}.png"
        name, _ = QFileDialog.getSaveFileName(self, "Save the picture", str(start), "PNG (*.png)")
        if name:
            self.save_picture(Path(name))

    def save_picture(self, path: Path) -> None:
        """Write the 3D view as PNG; trouble shows in the notice."""
        try:
            with replacing(path) as temporary:
                if not self.player.picture().save(str(temporary), "PNG"):
                    raise FloraError("cannot write the picture", path=path, remedy="Choose another folder.")
        except OSError as error:
            self._on_problem(f"{path}: cannot write the picture ({error.strerror}). Choose another folder.")
        except FloraError as error:
            self._on_problem(str(error))
        else:
            self.statusBar().showMessage(f"Saved {path}")

    def _file_quit(self) -> None:
        self.close()

    # -- commands: playback --------------------------------------------------------------------------------------

    def _playback_toggle(self) -> None:
        self.player.toggle()

    def _playback_next(self) -> None:
        self.player.step(1)

    def _playback_previous(self) -> None:
        self.player.step(-1)

    def _playback_forward(self) -> None:
        self.player.step(10)

    def _playback_back(self) -> None:
        self.player.step(-10)

    def _playback_start(self) -> None:
        self.player.seek(0)

    def _playback_end(self) -> None:
        self.player.seek(self.player.playback.frames - 1)

    def _playback_faster(self) -> None:
        self.player.set_speed(self.player.playback.faster(1))

    def _playback_slower(self) -> None:
        self.player.set_speed(self.player.playback.faster(-1))

    def _playback_loop(self) -> None:
        self.player.set_loop(self._actions["playback.loop"].isChecked())

    # -- commands: view ------------------------------------------------------------------------------------------

    def _view_fit(self) -> None:
        self.player.fit()

    def _view_front(self) -> None:
        self.player.look("front")

    def _view_side(self) -> None:
        self.player.look("side")

    def _view_top(self) -> None:
        self.player.look("top")

    def _view_left(self) -> None:
        self.player.turn(-10, 0)

    def _view_right(self) -> None:
        self.player.turn(10, 0)

    def _view_up(self) -> None:
        self.player.turn(0, 10)

    def _view_down(self) -> None:
        self.player.turn(0, -10)

    def _view_zoom_in(self) -> None:
        self.player.zoom(1 / 1.2)

    def _view_zoom_out(self) -> None:
        self.player.zoom(1.2)

    def _view_names(self) -> None:
        self.player.set_names(self._actions["view.names"].isChecked())

    def _view_float(self) -> None:
        self._stage.setFloating(not self._stage.isFloating())

    def _view_layout(self) -> None:
        self.restoreState(self._first_layout)
        docks = [self._left, self._stage, self._right]
        side = max(200, min(300, self.width() // 5))
        self.resizeDocks(docks, [side, self.width() - side - side * 5 // 4, side * 5 // 4], Qt.Orientation.Horizontal)

    def _view_theme_system(self) -> None:
        self._set_theme("system")

    def _view_theme_light(self) -> None:
        self._set_theme("light")

    def _view_theme_dark(self) -> None:
        self._set_theme("dark")

    def _set_theme(self, choice: str) -> None:
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        theme = apply_theme(application, choice)
        self.settings = replace(self.settings, theme=choice)
        self._actions[f"view.theme_{choice}"].setChecked(True)
        self.player.set_theme(theme)
        self.notice.set_theme(theme)

    # -- commands: actions and help ------------------------------------------------------------------------------

    def _actions_focus(self) -> None:
        self.labels.editor.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def _actions_label(self) -> None:
        self.labels.rank_now()

    def _actions_copy(self) -> None:
        if self.labels.answer is not None:
            QGuiApplication.clipboard().setText(self.labels.answer.as_text())
            self.statusBar().showMessage("The ranking is on the clipboard")

    def _help_palette(self) -> None:
        if self._palette is None:
            self._palette = CommandPalette(self)
            self._palette.run.connect(self.run_command, Qt.ConnectionType.QueuedConnection)
        self._palette.box.clear()
        self._palette.open()
        self._palette.box.setFocus()

    def _help_limits(self) -> None:
        card = next((p for p in (BUILTIN / "MODEL_CARD.md", ROOT / "docs" / "model-card.md") if p.is_file()), None)
        if card is None:
            self._on_problem("This copy of the program has no model card; scores are shares among the typed actions.")
        elif not QDesktopServices.openUrl(QUrl.fromLocalFile(str(card))):
            self._on_problem(f"No program here opens the model card; read it at {card}")

    def _help_about(self) -> None:
        box = QMessageBox(self)
        box.setWindowTitle("About Flora Studio")
        box.setText("<b>Flora Studio</b><p>Skeleton recordings in 3D, and actions in your own words.</p>")
        box.setInformativeText("Apache License 2.0. Ctrl+K lists everything the window does.")
        box.open()

    # -- Qt events -----------------------------------------------------------------------------------------------

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        event.acceptProposedAction()
        self.open_paths(paths)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Buttons and boxes keep the keys by which they are used, though Space and letters are shortcuts here."""
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            plain = event.modifiers() in (Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ShiftModifier)
            on_button = isinstance(watched, QAbstractButton) and event.key() == Qt.Key.Key_Space
            if plain and (on_button or isinstance(watched, QComboBox)):
                event.accept()
                return True
        return super().eventFilter(watched, event)

    def closeEvent(self, event: QCloseEvent) -> None:
        self.settings = replace(
            self.settings,
            speed=self.player.playback.speed,
            loop=self.player.playback.loop,
            joint_names=self._actions["view.names"].isChecked(),
            classes=self.labels.text(),
            geometry=_to_base64(self.saveGeometry()),
            layout=_to_base64(self.saveState()),
        )
        try:
            save_settings(self._settings_file, self.settings)
        except OSError as error:
            print(f"flora: settings could not be saved: {error}")
        QApplication.instance().removeEventFilter(self)
        super().closeEvent(event)


def _describe(sequence: SkeletonSequence) -> str:
    """One line on the recording for the status bar."""
    persons = f"{sequence.persons} person{'s' if sequence.persons != 1 else ''}"
    parts = [f"{sequence.frames} frames at {sequence.fps:g}/s", persons, f"{sequence.skeleton.title}"]
    if "class_name" in sequence.metadata:
        parts.insert(0, str(sequence.metadata["class_name"]))
    return "   ·   ".join(parts)


def _to_base64(data: QByteArray) -> str:
    return base64.b64encode(data.data()).decode("ascii")


def _from_base64(text: str) -> QByteArray:
    try:
        return QByteArray(base64.b64decode(text, validate=True))
    except ValueError:
        return QByteArray()
