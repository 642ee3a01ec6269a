"""The main window: recordings on the left, the 3D view in the middle, actions and their ranking on the right.

It makes the parts and joins them by signals. The open project is in the session, everything else in controllers.
"""

from __future__ import annotations

import logging
from pathlib import Path

from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QGuiApplication
from PySide6.QtWidgets import QApplication, QMainWindow, QMessageBox, QStackedWidget, QVBoxLayout, QWidget

from app.commands import State, key_text
from app.controllers.actions import ActionTable
from app.controllers.batches import Batches
from app.controllers.folder_batch import FolderBatch
from app.controllers.learning import Learning
from app.controllers.model import Models, remembered_bundle
from app.controllers.opening import Opened, Opening
from app.controllers.project import ProjectEdits
from app.controllers.project_jobs import ProjectJobs
from app.controllers.timeline import Timelines
from app.controllers.training import Training
from app.docks import Docks
from app.labelling.panel import LabelPanel, class_presets
from app.labelling.review import ReviewPanel
from app.labelling.service import LabelService
from app.library.panel import LibraryPanel
from app.library.recordings import RecordingsPanel
from app.library.statistics_panel import StatisticsPanel
from app.menus import KeyGuard, Menus
from app.notice import Feedback, Notice
from app.session import Session
from app.settings import Settings, SettingsFile, settings_path
from app.theme import apply_theme, current_theme, system_theme
from app.timeline.panel import TimelinePanel
from app.viewer.player import Player
from app.welcome import Welcome
from app.workers.jobs import JobBar

_log = logging.getLogger(__name__)
_SEGMENT = (
    *("timeline.accept", "timeline.add", "timeline.relabel", "timeline.split", "timeline.merge"),
    *("timeline.start_here", "timeline.end_here", "timeline.delete"),
)
_CONTEXT = ("library.set_class", "library.clear_class", "library.remove", "library.undo", "library.redo")


class MainWindow(QMainWindow):
    """Gives each controller only the parts that it needs."""

    notice: Notice
    player: Player
    recordings: RecordingsPanel
    library: LibraryPanel
    statistics: StatisticsPanel
    labels: LabelPanel
    timeline: TimelinePanel
    review: ReviewPanel
    jobs: JobBar
    session: Session
    opening: Opening
    edits: ProjectEdits
    project_jobs: ProjectJobs
    models: Models
    training: Training
    timelines: Timelines
    learning: Learning
    batches: Batches
    folder_batch: FolderBatch
    action_table: ActionTable
    menus: Menus
    docks: Docks

    def __init__(
        self, *, service: LabelService | None = None, settings_file: Path | None = None, opengl: bool | None = None
    ) -> None:
        super().__init__()
        self._settings = SettingsFile(settings_file or settings_path())
        self.setWindowTitle("Flora Studio")
        self.setMinimumSize(900, 560)
        self.setAcceptDrops(True)
        self.notice = Notice()
        feedback = Feedback(self.notice, self.statusBar())
        service = service or LabelService(folder=remembered_bundle(self._settings, feedback))
        self.welcome = Welcome()
        self.player = Player(opengl=opengl)
        self.recordings = RecordingsPanel()
        self.library = LibraryPanel()
        self.statistics = StatisticsPanel()
        self.labels = LabelPanel(service, self._presets)
        self.timeline = TimelinePanel()
        self.review = ReviewPanel()
        self.jobs = JobBar()
        self.session = Session(self)
        self.opening = Opening(self.session, self._settings, feedback, self.recordings, self.player, self)
        self.edits = ProjectEdits(self.session, self.library, feedback, self)
        self.project_jobs = ProjectJobs(self.session, self.opening, self.jobs, feedback, self)
        self.models = Models(service, self.labels, self._settings, feedback, self)
        opening = self.opening
        self.training = Training(
            *(self.session, self.jobs, feedback, self._settings, self.models.use),
            *(opening.ask_project, opening.open_source, self),
        )
        self.timelines = Timelines(
            *(self.session, self.timeline, self.player, self.jobs, feedback),
            *(self.labels.text, lambda: service.folder, self),
        )
        self.learning = Learning(self.session, service, self.labels, self._settings, feedback, self)
        self.batches = Batches(
            *(self.session, self.opening, self.library, self.labels, service),
            *(self.player, self.review, self.jobs, feedback, self),
        )
        self.folder_batch = FolderBatch(
            *(self.session, self.opening, self.recordings, self.labels, service),
            *(self.review, self.jobs, self._settings, feedback, self),
        )
        self.action_table = ActionTable(self.session, self.labels, self.timeline, self._settings, self._presets, self)
        self.menus = Menus(self)
        self._build()
        self._connect()
        self._apply_settings()
        self._guard = KeyGuard(self)
        _application().installEventFilter(self._guard)

    @property
    def settings(self) -> Settings:
        """What the window remembers, as it is now."""
        return self._settings.now

    def run_command(self, id: str) -> None:
        """Run a command of the table if it is enabled."""
        self.menus.run(id)

    # -- building ------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.stage = QStackedWidget()
        self.stage.addWidget(self.welcome)
        self.stage.addWidget(self.player)
        self.docks = Docks(
            self,
            files=self.recordings,
            library=self.library,
            stage=self.stage,
            labels=self.labels,
            charts=self.statistics,
            timeline=self.timeline,
            review=self.review,
        )
        framed = QWidget()
        frame = QVBoxLayout(framed)
        frame.setContentsMargins(8, 4, 8, 0)
        frame.addWidget(self.notice)
        top = QWidget()
        column = QVBoxLayout(top)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.menus.bar)
        column.addWidget(framed)
        self.setMenuWidget(top)
        self.statusBar().addPermanentWidget(self.jobs, 1)
        self.docks.remember_first()

    def _connect(self) -> None:
        session = self.session
        session.opened.connect(self._on_project_opened)
        session.closing.connect(self._on_project_closing)
        session.closed.connect(self.docks.show_files)
        session.changed.connect(self.library.refresh)
        for signal in (session.closed, session.changed, session.busy, self.library.selection_changed):
            signal.connect(self.refresh_enabled)
        self.opening.shown.connect(self._on_shown)
        self.opening.cleared.connect(lambda: self.stage.setCurrentWidget(self.welcome))
        self.project_jobs.grown.connect(self.library.refresh)
        self.library.chosen.connect(self.opening.open_id)
        self.library.shown.connect(self._on_rows_shown)
        self.library.menu_wanted.connect(self._on_library_menu)
        for panel in (self.welcome, self.library):
            panel.wanted.connect(self.run_command)
        self.labels.moment_wanted.connect(lambda reason: self.player.point_out(reason.middle, reason.joints))
        self.player.trouble.connect(self.notice.say)
        self.player.badge.differently.connect(self.opening.ask_differently)
        self.player.loop_changed.connect(self.menus.action("playback.loop").setChecked)
        self.timelines.changed.connect(self.refresh_enabled)
        self.learning.changed.connect(lambda: self.menus.action("actions.learn").setChecked(self.learning.on))
        self.batches.shown.connect(self.docks.show_review)
        self.folder_batch.shown.connect(self.docks.show_review)
        self.folder_batch.changed.connect(self.refresh_enabled)
        self.timelines.shown.connect(self.docks.show_timeline)
        self.timeline.wanted.connect(self.run_command)
        self.timeline.lanes.menu_wanted.connect(lambda at: self.menus.context(*_SEGMENT).popup(at))
        self.docks.timeline.visibilityChanged.connect(self.menus.action("timeline.show").setChecked)
        self.docks.charts.visibilityChanged.connect(self.menus.action("library.statistics").setChecked)
        self.docks.stage.topLevelChanged.connect(self.menus.action("view.float").setChecked)
        hints = QGuiApplication.styleHints()
        hints.colorSchemeChanged.connect(self._on_system_theme, Qt.ConnectionType.QueuedConnection)

    def _apply_settings(self) -> None:
        settings = self.settings
        self.labels.set_text(settings.classes)
        self.player.set_speed(settings.speed)
        self.player.set_loop(settings.loop)
        self.set_names(settings.joint_names)
        self.set_theme(settings.theme)
        self.resize(1360, 820)
        self.docks.restore(settings.geometry, settings.layout)
        self.refresh_enabled()

    # -- what is shown -------------------------------------------------------------------------------------------

    def refresh_enabled(self) -> None:
        """Enable the commands that can run now."""
        session = self.session
        state = State(
            recording=self.player.sequence is not None,
            project=session.project is not None,
            editable=session.can_edit,
            selected=self.library.view.selectionModel().hasSelection(),
            undo=session.undo_title,
            redo=session.redo_title,
            readable=self.opening.can_ask_differently,
            undoable=session.can_undo,
            segments=self.timelines.can_edit,
            chosen=self.timelines.chosen,
            truth=bool(self.timelines.content.truth),
            found=bool(self.timelines.content.found),
            unsaved=self.timelines.unsaved,
            confirmable=self.learning.can_confirm,
            folder=self.folder_batch.can_save,
        )
        self.menus.refresh(state)
        self.timeline.enable(lambda id: self.menus.action(id).isEnabled())

    def _on_shown(self, opened: Opened | None) -> None:
        """A recording is on screen, or none."""
        if opened is not None:
            self.stage.setCurrentWidget(self.player)
        sequence = opened.sequence if opened is not None else None
        scene, again = (opened.scene, opened.again) if opened is not None else (None, False)
        self.player.show_sequence(sequence, scene, again=again)
        self.learning.show(opened)
        self.labels.set_sequence(sequence)
        self.timelines.show(opened)
        project = self.session.project
        names = [opened.name] if opened is not None else []
        names += [project.folder.name] if opened is not None and project is not None else []
        self.setWindowTitle(" – ".join([*names, "Flora Studio"]))
        self.refresh_enabled()

    def _on_project_opened(self) -> None:
        project = self.session.project
        assert project is not None
        self.library.set_project(project)
        self.docks.show_library(project.folder.name)
        self.refresh_enabled()

    def _on_project_closing(self) -> None:
        self.library.set_project(None)
        self.statistics.show_rows(None, self.library.shown_rows())

    def _on_rows_shown(self) -> None:
        table = self.library.model.table
        self.statistics.show_rows(table, self.library.shown_rows())
        if table is not None and not len(table):
            self._on_shown(None)
        self.refresh_enabled()

    def _on_library_menu(self, at: QPoint) -> None:
        self.menus.context(*_CONTEXT).popup(at)

    def _presets(self) -> list[tuple[str, str]]:
        presets = class_presets()
        table = self.library.model.table
        if table is not None and table.class_names:
            presets.insert(0, ("Classes of this project", "\n".join(table.class_names)))
        return presets

    # -- commands of the window itself ---------------------------------------------------------------------------

    def focus_filter(self) -> None:
        """Put the cursor into the filter of the list on screen."""
        box = self.recordings.filter if self.session.project is None else self.library.filter
        box.setFocus(Qt.FocusReason.ShortcutFocusReason)
        box.selectAll()

    def set_names(self, names: bool) -> None:
        """Whether every joint has its name beside it."""
        self.menus.action("view.names").setChecked(names)
        self.player.set_names(names)

    def set_theme(self, choice: str) -> None:
        """Use a theme: "system", "light" or "dark"."""
        theme = apply_theme(_application(), choice)
        self._settings.change(theme=choice)
        self.menus.action(f"view.theme_{choice}").setChecked(True)
        self.player.set_theme(theme)
        self.notice.set_theme(theme)
        self.statistics.set_theme(theme)
        self.timeline.set_theme(theme)
        self.training.set_theme(theme)

    def _on_system_theme(self) -> None:
        if self.settings.theme == "system" and system_theme(_application()) is not current_theme():
            self.set_theme("system")

    def show_about(self) -> None:
        """What this program is, and its licence."""
        box = QMessageBox(self)
        box.setWindowTitle("About Flora Studio")
        box.setText("<b>Flora Studio</b><p>See skeleton recordings in 3D and rank actions in your own words.</p>")
        box.setInformativeText(f"Apache License 2.0. {key_text('help.palette')} lists all commands.")
        box.open()

    # -- Qt events -----------------------------------------------------------------------------------------------

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        event.acceptProposedAction()
        self.opening.open_paths(paths)

    def closeEvent(self, event: QCloseEvent) -> None:
        if not self.timelines.may_close() or not self.training.may_close():
            event.ignore()
            return
        self._settings.change(
            speed=self.player.playback.speed,
            loop=self.player.playback.loop,
            joint_names=self.player.view.names,
            classes=self.labels.text(),
            geometry=self.docks.geometry(),
            layout=self.docks.layout(),
        )
        try:
            self._settings.save()
        except OSError as error:
            _log.error("the settings could not be saved: %s", error)
        _application().removeEventFilter(self._guard)
        if self.player.playback.playing:
            self.player.toggle()  # a closed window draws nothing
        self.training.queue.close()
        self.session.close()
        self.jobs.shut_down()
        super().closeEvent(event)


def _application() -> QApplication:
    application = QApplication.instance()
    assert isinstance(application, QApplication)
    return application
