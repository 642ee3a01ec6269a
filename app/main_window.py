"""The window: recordings on the left, the 3D stage in the middle, actions and their ranking on the right."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from PySide6.QtCore import QByteArray, QEvent, QObject, QPoint, Qt, QThreadPool, QTimer, QUrl
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
    QInputDialog,
    QMainWindow,
    QMenu,
    QMenuBar,
    QMessageBox,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app.commands import COMMANDS, MENUS, by_id
from app.demo import demo_project
from app.labelling.panel import LabelPanel, class_presets
from app.labelling.service import BUILTIN, LabelService, bundle_title
from app.labelling.training import TrainDialog, Training
from app.library.classes_editor import ClassesEditor
from app.library.export_dialog import ExportDialog
from app.library.import_dialog import ImportDialog
from app.library.panel import LibraryPanel
from app.library.prepare_dialog import PrepareDialog
from app.library.prepare_form import PrepareRequest
from app.library.recordings import Found, RecordingsPanel, counted, find_recordings
from app.library.split_editor import SplitEditor
from app.library.statistics_panel import StatisticsPanel
from app.notice import Notice
from app.opening import Opened, describe, open_from, open_or_create, open_recording
from app.palette import CommandPalette
from app.project_jobs import ProjectJobs
from app.settings import Settings, load_settings, save_settings, settings_path
from app.theme import LIGHT, Theme, apply_theme, system_theme
from app.viewer.player import PLAYER_COMMANDS, Player
from app.welcome import Welcome
from app.workers.jobs import JobBar
from app.workers.tasks import InTurn, Newest, attempt
from flora_engine.errors import FloraError
from flora_engine.files import replacing
from flora_engine.labelling.bundle import find_bundle
from flora_engine.project.project import Project
from flora_engine.project.schema import DATABASE
from flora_engine.resources import ROOT

_OPENING = "opening"  # notices that the next recording makes obsolete
_FILTER = "Recordings (*.skeleton *.mat *.json *.npz *.txt *.csv *.bvh);;All files (*)"


class MainWindow(QMainWindow):
    """Wires the parts together; a command of `app.commands` has a handler here, named after its id, or is one of
    PLAYER_COMMANDS.
    """

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
        self.library = LibraryPanel()
        self.statistics = StatisticsPanel()
        self.project: Project | None = None
        self.notice = Notice()
        self._service = service or LabelService(folder=self._remembered_bundle())
        self.labels = LabelPanel(self._service, self._presets)
        self.jobs = JobBar()
        self._turns = InTurn(self)  # edits of the project and whatever else must not overtake them
        self._moves: tuple[str | None, str | None] = (None, None)  # titles of the next undo and redo
        self.project_jobs = ProjectJobs(self.jobs, self.notice, self._turns, lambda: self.project, self)
        self.training = Training(self.jobs, self.notice, self.use_model, self)
        self._after_opening: tuple[Path, Callable[[], None]] | None = None
        self.welcome = Welcome()
        self._opening = Newest(self)
        self._searching = Newest(self)
        self._modelling = Newest(self)
        self._projecting = Newest(self)
        self._theme: Theme = LIGHT
        self._split_editor: SplitEditor | None = None
        self._classes_editor: ClassesEditor | None = None
        self._actions: dict[str, QAction] = {}
        self._palette: CommandPalette | None = None
        self._build()
        self._connect()
        self._apply_settings()
        QApplication.instance().installEventFilter(self)
        hints = QGuiApplication.styleHints()
        hints.colorSchemeChanged.connect(self._on_system_theme, Qt.ConnectionType.QueuedConnection)

    # -- outside -------------------------------------------------------------------------------------------------

    def open_paths(self, paths: list[Path]) -> None:
        """Open a project, or list files and everything readable in folders and show the first.

        With a project open, folders go to its import. Trouble shows in the notice.
        """
        if not paths:
            return
        self.notice.hide()
        if len(paths) == 1 and (paths[0] / DATABASE).is_file():
            self.open_project(paths[0])
            return
        if self.project is not None and any(path.is_dir() for path in paths):
            self.show_import(paths)
            return
        if self.project is not None and len(paths) == 1:
            self._open(paths[0])
            return
        self.statusBar().showMessage("Looking for recordings…")
        self._searching.submit(lambda: find_recordings(paths))

    def open_project(self, folder: Path) -> None:
        """Open a project in place of what is open; trouble shows in the notice."""
        self.statusBar().showMessage(f"Opening {folder.name}…")
        self._projecting.submit(lambda: Project.open(folder))

    def show_import(self, paths: list[Path]) -> ImportDialog:
        """The import dialog over these paths."""
        dialog = ImportDialog(paths, self._theme, self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.wanted.connect(self.project_jobs.start_import)
        dialog.open()
        return dialog

    def show_prepare(self) -> PrepareDialog:
        """The dialog that prepares a published data set."""
        project = self.project
        dialog = PrepareDialog(project.folder if project is not None and project.writable else None, self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.wanted.connect(self._start_prepare)
        dialog.open()
        return dialog

    def show_export(self) -> ExportDialog:
        """The dialog that exports from the open project."""
        assert self.project is not None
        dialog = ExportDialog(self.project.folder, self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.wanted.connect(self.project_jobs.start_export)
        dialog.open()
        return dialog

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
        self._lists = QStackedWidget()
        self._lists.addWidget(self.recordings)
        self._lists.addWidget(self.library)
        self._left = self._dock("recordings", "Recordings", self._lists, Qt.DockWidgetArea.LeftDockWidgetArea)
        self._stage = self._dock("stage", "3D view", stage, Qt.DockWidgetArea.LeftDockWidgetArea)
        self._right = self._dock("actions", "Actions", self.labels, Qt.DockWidgetArea.LeftDockWidgetArea)
        self.splitDockWidget(self._left, self._stage, Qt.Orientation.Horizontal)
        self.splitDockWidget(self._stage, self._right, Qt.Orientation.Horizontal)
        self._charts = self._dock("statistics", "Statistics", self.statistics, Qt.DockWidgetArea.LeftDockWidgetArea)
        self.splitDockWidget(self._left, self._charts, Qt.Orientation.Vertical)
        self._charts.hide()
        self.setMenuWidget(self._menus_over(top))
        self.statusBar().addPermanentWidget(self.jobs, 1)
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
        bar = QMenuBar()
        menus = {name: bar.addMenu(f"&{name}") for name in MENUS}
        themes = QActionGroup(self)
        for command in COMMANDS:
            action = QAction(command.title, self)
            action.setObjectName(command.id)
            action.setShortcuts([QKeySequence(key) for key in command.shortcuts])
            action.setStatusTip(command.hint)
            action.setCheckable(command.checkable)
            action.triggered.connect(self._handler(command.id))
            if command.id.startswith("view.theme_"):
                themes.addAction(action)
            menus[command.menu].addAction(action)
            self.addAction(action)
            self._actions[command.id] = action
        self._refresh_enabled()
        return bar

    def _handler(self, command: str) -> Callable[[], None]:
        of_player = PLAYER_COMMANDS.get(command)
        if of_player is not None:
            return lambda: of_player(self.player)
        handler: Callable[[], None] = getattr(self, "_" + command.replace(".", "_"))
        return handler

    def _connect(self) -> None:
        self._opening.done.connect(self._on_opened)
        self._opening.failed.connect(self._on_open_failed)
        self._searching.done.connect(self._on_found)
        self._searching.failed.connect(self._on_problem)
        self._modelling.done.connect(self._on_model)
        self._modelling.failed.connect(self._on_problem)
        self._projecting.done.connect(self._on_project)
        self._projecting.failed.connect(self._on_problem)
        self.recordings.chosen.connect(self._open)
        self._turns.busy.connect(self._on_busy_editing)
        self.project_jobs.grown.connect(self.library.refresh)
        self.project_jobs.changed.connect(self._project_changed)
        self.library.chosen.connect(self._open_id)
        self.library.shown.connect(self._on_rows_shown)
        self.library.selection_changed.connect(self._refresh_enabled)
        self.library.menu_wanted.connect(self._on_library_menu)
        self.welcome.wanted.connect(self.run_command)
        self.labels.limits_wanted.connect(self._help_limits)
        self.player.trouble.connect(self.notice.tell)
        self._charts.visibilityChanged.connect(self._actions["library.statistics"].setChecked)
        self._stage.topLevelChanged.connect(self._actions["view.float"].setChecked)

    def _apply_settings(self) -> None:
        settings = self.settings
        self.labels.set_text(settings.classes)
        self._show_model()
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

    def _open_id(self, id: int) -> None:
        project = self.project
        if project is not None:
            self._opening.submit(lambda: open_from(project, id))

    def _on_opened(self, opened: object) -> None:
        assert isinstance(opened, Opened)
        self.notice.forget(_OPENING)
        self._middle.setCurrentWidget(self.player)
        self.player.show_sequence(opened.sequence, opened.scene)
        self.labels.set_sequence(opened.sequence)
        name = opened.sequence.name or (opened.path.name if opened.path else "recording")
        where = f" – {self.project.folder.name}" if self.project is not None else ""
        self.setWindowTitle(f"{name}{where} – Flora Studio")
        self.statusBar().showMessage(describe(opened.sequence))
        if opened.path is not None:
            self.settings = self.settings.with_recent(str(opened.path))
            if self.project is not None:
                path = opened.path
                text = f"{path.name} is not in the project."
                self.notice.tell(text, "Import it…", lambda: self.show_import([path]), about=_OPENING)
        self._refresh_enabled()

    def _on_open_failed(self, problem: str) -> None:
        self.player.show_sequence(None)
        self.labels.set_sequence(None)
        self.setWindowTitle("Flora Studio")
        self.statusBar().clearMessage()
        self._refresh_enabled()
        self.notice.tell(problem, about=_OPENING)

    def _on_problem(self, problem: str) -> None:
        self.statusBar().clearMessage()
        self.notice.tell(problem)

    def _refresh_enabled(self) -> None:
        project = self.project
        writable = project is not None and project.writable and not self._turns.is_busy
        can = {
            "": True,
            "recording": self.player.sequence is not None,
            "project": project is not None,
            "edit": writable,
        }
        for name, command in by_id().items():
            if name in self._actions:
                self._actions[name].setEnabled(can[command.needs])
        if project is None or len(self._actions) < len(COMMANDS):
            return
        for verb, title in zip(("undo", "redo"), self._moves, strict=True):
            action = self._actions[f"library.{verb}"]
            action.setEnabled(writable and title is not None)
            action.setText(f"{verb.title()}: {title}" if title else verb.title())
        selected = self.library.view.selectionModel().hasSelection()
        for name in ("set_class", "clear_class", "remove"):
            self._actions[f"library.{name}"].setEnabled(writable and selected)

    # -- the project ---------------------------------------------------------------------------------------------

    def _on_project(self, project: object) -> None:
        assert isinstance(project, Project)
        self._close_project()
        self.project = project
        self.recordings.clear()
        self._lists.setCurrentWidget(self.library)
        self._left.setWindowTitle(f"Project: {project.folder.name}")
        self.statusBar().clearMessage()
        self._moves = (None, None)
        self.library.set_project(project)
        self._turns.do(lambda: (project.next_undo(), project.next_redo()), self._on_moves)
        self.settings = self.settings.with_recent(str(project.folder))
        if not project.writable:
            self.notice.tell(f"The project is open for reading only: {project.read_only_reason}.")
        self._share_width()
        self._refresh_enabled()
        after, self._after_opening = self._after_opening, None
        if after is not None and after[0].absolute() == project.folder.absolute():
            after[1]()

    def _close_project(self) -> None:
        for editor in (self._split_editor, self._classes_editor):
            if editor is not None:
                editor.close()
                editor.deleteLater()
        self._split_editor = self._classes_editor = None
        self._opening.forget()
        if self.project is not None:
            self.jobs.shut_down(self.project_jobs)
            project, self.project = self.project, None
            self.library.set_project(None)
            self.statistics.show_rows(None, self.library.shown_rows())
            self._turns.finish()
            QThreadPool.globalInstance().waitForDone(2000)
            project.close()
            self._share_width()
        self._charts.hide()
        self._lists.setCurrentWidget(self.recordings)
        self._left.setWindowTitle("Recordings")

    def _on_rows_shown(self) -> None:
        table = self.library.model.table
        self.statistics.show_rows(table, self.library.shown_rows())
        self._refresh_enabled()
        if table is not None and not len(table):
            self.player.show_sequence(None)
            self.labels.set_sequence(None)
            self._refresh_enabled()

    def _project_changed(self) -> None:
        """After an edit by another part, an undo or an import: everything that shows the project looks again."""
        self._edit(lambda project: None)

    def _edit(self, change: Callable[[Project], object], tell: Callable[[Any], None] | None = None) -> None:
        """Do an edit of the project, then `tell` what it returned; trouble shows in the notice. One that takes long
        goes on off the window's thread, and no other edit can begin before it is over.
        """
        project = self.project
        if project is None:
            return

        def work() -> tuple[Any, str, str | None, str | None]:
            result, problem = attempt(lambda: change(project))
            return result, problem, project.next_undo(), project.next_redo()

        def then(done: Any, trouble: str) -> None:
            if project is not self.project:
                return
            result, problem, undo, redo = done or (None, trouble, None, None)
            self._moves = (undo, redo)
            if problem:
                self._on_problem(problem)
            elif tell is not None:
                tell(result)
            self._show_project_again()

        self._turns.do(work, then)
        self._refresh_enabled()

    def _on_moves(self, moves: Any, problem: str) -> None:
        self._moves = moves or (None, None)
        self._refresh_enabled()

    def _show_project_again(self) -> None:
        self.library.refresh()
        for editor in (self._split_editor, self._classes_editor):
            if editor is not None and editor.isVisible():
                editor.reload()
        self._refresh_enabled()

    def _on_busy_editing(self, busy: bool) -> None:
        """An edit takes longer: the editors, which would wait for it, rest meanwhile."""
        for editor in (self._split_editor, self._classes_editor):
            if editor is not None:
                editor.setEnabled(not busy)
        if busy:
            self.statusBar().showMessage("Changing the project…")
        elif self.statusBar().currentMessage() == "Changing the project…":
            self.statusBar().clearMessage()

    def _on_library_menu(self, at: QPoint) -> None:
        menu = QMenu(self)
        for name in ("set_class", "clear_class", "remove", "undo", "redo"):
            menu.addAction(self._actions[f"library.{name}"])
        menu.popup(at)

    def _start_prepare(self, request: object) -> None:
        """Prepare into the project of the request, which is opened or made first if it is not open."""
        assert isinstance(request, PrepareRequest)
        folder = request.project
        if self.project is not None and self.project.folder.absolute() == folder.absolute():
            self.project_jobs.start_prepare(request)
            return
        self._after_opening = (folder, lambda: self.project_jobs.start_prepare(request))
        self._projecting.submit(lambda: open_or_create(folder))

    def _presets(self) -> list[tuple[str, str]]:
        presets = class_presets()
        table = self.library.model.table
        if table is not None and table.class_names:
            presets.insert(0, ("Classes of this project", "\n".join(table.class_names)))
        return presets

    def _share_width(self) -> None:
        """Sides as wide as they need, the rest for the stage; a table wants more room than a list of names."""
        width = self.width()
        left = min(475, width * 3 // 10) if self.project is not None else max(200, min(300, width // 5))
        right = max(230, min(360, width * 23 // 100))
        docks = [self._left, self._stage, self._right]
        self.resizeDocks(docks, [left, width - left - right, right], Qt.Orientation.Horizontal)

    # -- commands: file ------------------------------------------------------------------------------------------

    def _file_open(self) -> None:
        names, _ = QFileDialog.getOpenFileNames(self, "Open recordings", self._start_folder(), _FILTER)
        self.open_paths([Path(name) for name in names])

    def _file_open_folder(self) -> None:
        name = QFileDialog.getExistingDirectory(self, "Open a folder", self._start_folder())
        self.open_paths([Path(name)] if name else [])

    def _start_folder(self) -> str:
        return str(Path(self.settings.recent[0]).parent) if self.settings.recent else str(Path.home())

    def _file_open_project(self) -> None:
        name = QFileDialog.getExistingDirectory(self, "Open a project", self._start_folder())
        if name:
            self.open_project(Path(name))

    def _file_new_project(self) -> None:
        name, _ = QFileDialog.getSaveFileName(
            self, "Folder of the new project", str(Path(self._start_folder()) / "project")
        )
        if name:
            self._projecting.submit(lambda: Project.create(Path(name)))

    def _file_import(self) -> None:
        if self.project is None:
            self.notice.tell("Recordings are imported into a project.", "New project…", self._file_new_project)
            return
        self.show_import([])

    def _file_prepare(self) -> None:
        self.show_prepare()

    def _file_export(self) -> None:
        self.show_export()

    def _file_demo(self) -> None:
        self.statusBar().showMessage("Making the demo project…")
        self._projecting.submit(lambda: Project.open(demo_project()))

    def _file_clear(self) -> None:
        self._close_project()
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

    # -- commands: library ---------------------------------------------------------------------------------------

    def _library_undo(self) -> None:
        self._edit(lambda project: project.undo(), lambda title: self._tell_moved("Undone", title))

    def _library_redo(self) -> None:
        self._edit(lambda project: project.redo(), lambda title: self._tell_moved("Done again", title))

    def _tell_moved(self, what: str, title: str | None) -> None:
        if title:
            self.statusBar().showMessage(f"{what}: {title}")

    def _library_set_class(self) -> None:
        if self.project is None:
            return
        ids = self.library.selected_ids()
        dialog = QInputDialog(self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setWindowTitle("Set the class")
        dialog.setLabelText(f"Class of {counted(len(ids))} (a new name makes a new class)")
        dialog.setComboBoxItems(list(self.project.class_names()))
        dialog.setComboBoxEditable(True)
        dialog.textValueSelected.connect(lambda name: self.set_class(ids, name))
        dialog.open()

    def set_class(self, ids: list[int], name: str) -> None:
        """Label recordings of the project; "" takes their class away."""
        self._edit(lambda project: project.set_class(ids, " ".join(name.split()) or None))

    def _library_clear_class(self) -> None:
        self.set_class(self.library.selected_ids(), "")

    def _library_remove(self) -> None:
        ids = self.library.selected_ids()
        text = f"Removed {counted(len(ids))}; Ctrl+Z brings them back"
        self._edit(lambda project: project.remove(ids), lambda _: self.statusBar().showMessage(text))

    def _library_filter(self) -> None:
        box = self.recordings.filter if self.project is None else self.library.filter
        box.setFocus(Qt.FocusReason.ShortcutFocusReason)
        box.selectAll()

    def _library_classes(self) -> None:
        if self.project is None:
            return
        if self._classes_editor is None:
            self._classes_editor = ClassesEditor(self.project, self)
            self._classes_editor.changed.connect(self._project_changed)
        self._classes_editor.reload()
        self._classes_editor.show()
        self._classes_editor.raise_()

    def _library_splits(self) -> None:
        if self.project is None:
            return
        if self._split_editor is None:
            self._split_editor = SplitEditor(self.project, self._theme, self)
            self._split_editor.saved.connect(lambda _: self._project_changed())
        self._split_editor.reload()
        # Making the editor and showing it take the window's thread some 30 ms each: one after the other, not at once.
        QTimer.singleShot(0, self, self._show_splits)

    def _show_splits(self) -> None:
        if self._split_editor is not None:
            self._split_editor.show()
            self._split_editor.raise_()

    def _library_statistics(self) -> None:
        self._charts.setVisible(self._actions["library.statistics"].isChecked())

    # -- commands: playback and view (the others are in PLAYER_COMMANDS) -----------------------------------------

    def _playback_loop(self) -> None:
        self.player.set_loop(self._actions["playback.loop"].isChecked())

    def _view_names(self) -> None:
        self.player.set_names(self._actions["view.names"].isChecked())

    def _view_float(self) -> None:
        self._stage.setFloating(not self._stage.isFloating())

    def _view_layout(self) -> None:
        self.restoreState(self._first_layout)
        self._share_width()

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
        self._theme = theme
        self.player.set_theme(theme)
        self.notice.set_theme(theme)
        self.statistics.set_theme(theme)

    def _on_system_theme(self) -> None:
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        if self.settings.theme == "system" and system_theme(application) is not self._theme:
            self._set_theme("system")

    # -- commands: actions and help ------------------------------------------------------------------------------

    def _actions_focus(self) -> None:
        self.labels.editor.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def _actions_label(self) -> None:
        self.labels.rank_now()

    def _actions_copy(self) -> None:
        if self.labels.answer is not None:
            QGuiApplication.clipboard().setText(self.labels.answer.as_text())
            self.statusBar().showMessage("The ranking is on the clipboard")

    def _actions_model(self) -> None:
        start = self.settings.bundle or self._start_folder()
        name = QFileDialog.getExistingDirectory(self, "Folder of a model bundle, or of a training run", start)
        if name:
            self.use_model(Path(name))

    def _actions_builtin(self) -> None:
        self.use_model(BUILTIN)

    def _actions_train(self) -> None:
        self.show_training()

    def show_training(self) -> TrainDialog:
        """The dialog that trains a model; runs go beside the open project's recordings, or into the home folder."""
        base = self.project.folder if self.project is not None and self.project.writable else Path.home() / "flora"
        dialog = TrainDialog(base / "runs", self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.wanted.connect(self.training.start)
        dialog.open()
        return dialog

    def use_model(self, folder: Path) -> None:
        """Rank with another bundle from now on, also after the next start; trouble shows in the notice."""
        service = self._service

        def use() -> Path:
            bundle = find_bundle(folder)
            service.use(bundle)
            return bundle

        self.statusBar().showMessage("Loading the model…")
        self._modelling.submit(use)

    def _on_model(self, bundle: object) -> None:
        assert isinstance(bundle, Path)
        self.settings = replace(self.settings, bundle="" if bundle == BUILTIN else str(bundle))
        self.statusBar().showMessage(f"Actions are ranked by the {bundle_title(bundle).removesuffix(' model')} model")
        self._show_model()
        self.labels.rank_now()

    def _show_model(self) -> None:
        self.labels.set_model(bundle_title(self._service.folder), self._service.folder)

    def _remembered_bundle(self) -> Path:
        """The bundle of the last session, or the built-in one where that has gone."""
        folder = Path(self.settings.bundle) if self.settings.bundle else BUILTIN
        if folder == BUILTIN or (folder / "manifest.json").is_file():
            return folder
        self.settings = replace(self.settings, bundle="")
        self.notice.tell(f"The model in {folder} is not there any more; the built-in one ranks.")
        return BUILTIN

    def _help_palette(self) -> None:
        if self._palette is None:
            self._palette = CommandPalette(self)
            self._palette.run.connect(self.run_command, Qt.ConnectionType.QueuedConnection)
        self._palette.box.clear()
        self._palette.open()
        self._palette.box.setFocus()

    def _help_limits(self) -> None:
        cards = (self._service.folder / "MODEL_CARD.md", ROOT / "docs" / "model-card.md")
        card = next((path for path in cards if path.is_file()), None)
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
        return False  # as the inherited one would; asking it for every event of the program costs milliseconds

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
        self._close_project()
        self.jobs.shut_down()
        super().closeEvent(event)


def _to_base64(data: QByteArray) -> str:
    return base64.b64encode(data.data()).decode("ascii")


def _from_base64(text: str) -> QByteArray:
    try:
        return QByteArray(base64.b64decode(text, validate=True))
    except ValueError:
        return QByteArray()
