"""Opening: recordings, folders and projects, from dialogs, the command line or a drop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QFileDialog, QWidget

from app.demo import demo_project
from app.dialogs.copy_dialog import CopyDialog, CopyRequest
from app.dialogs.form import show_form
from app.dialogs.reading_dialog import Answer, ReadingDialog
from app.formats import file_filter
from app.library.recordings import Found, RecordingsPanel, find_recordings
from app.notice import Feedback
from app.session import Session
from app.settings import SettingsFile
from app.viewer.player import Player
from app.viewer.scene import Scene
from app.workers.tasks import Newest
from flora_engine.datasets.labelled import parted_source
from flora_engine.datasets.motion_archive import is_archive, open_archive, part_of
from flora_engine.errors import FloraError
from flora_engine.files import replacing
from flora_engine.project import Project, is_project, open_or_create
from flora_engine.readers import Attempt, attempt_sequence
from flora_engine.readers.arrays import published_data_set
from flora_engine.readers.reading_recipes import ReadingRecipe
from flora_engine.readers.writing import write_sequence
from flora_engine.resources import recipes_folder
from flora_engine.skeleton import SkeletonSequence

_ASK = "Read it differently…"
_RECORDING = "recording"  # a notice about the recording on screen: the next recording takes it away


@dataclass(frozen=True)
class Opened:
    """A recording that is ready to draw. path: None if it comes from the project, where its number is `id`.

    seen: how its file was read; None if it comes from the project or from a motion archive, which leave no choice.
    """

    path: Path | None
    sequence: SkeletonSequence
    scene: Scene
    seen: Attempt | None = None
    id: int | None = None

    @property
    def again(self) -> bool:
        """Whether its file can be read in another way."""
        return self.seen is not None and bool(self.seen.names)

    @property
    def name(self) -> str:
        """Its name on screen."""
        return self.sequence.name or (self.path.name if self.path else "recording")


def write_copy(sequence: SkeletonSequence, request: CopyRequest) -> Path:
    """Write a recording to the file of the request; raises FloraError."""
    write_sequence(sequence, request.path, request.person)
    return request.path


@dataclass(frozen=True)
class Published:
    """A published split file, which is no recording but a whole data set."""

    path: Path
    dataset: str


@dataclass(frozen=True)
class Archive:
    """A motion archive, which holds many recordings."""

    path: Path


def open_recording(path: Path, recipe: ReadingRecipe | None = None) -> Opened | Attempt | Published | Archive:
    """Read `path` and prepare its scene, or what came of it if it was refused. recipe: see `read_sequence`."""
    if (dataset := published_data_set(path)) is not None:
        return Published(path, dataset)
    if is_archive(path):
        return Archive(path)
    if (part := part_of(path)) is not None and not path.exists():
        sequence = open_archive(part[0]).read(part[1])
        open_archive.cache_clear()  # it may be large, and another one may lie there next time
        return Opened(path, sequence, Scene(sequence))
    seen = attempt_sequence(path, recipe=recipe)
    return seen if seen.sequence is None else Opened(path, seen.sequence, Scene(seen.sequence), seen)


def open_from(project: Project, id: int) -> Opened:
    """Recording `id` of a project and its scene; raises FloraError."""
    sequence = project.recordings.read(id)
    return Opened(None, sequence, Scene(sequence), id=id)


def describe(sequence: SkeletonSequence) -> str:
    """One line about a recording for the status bar."""
    persons = f"{sequence.persons} person{'s' if sequence.persons != 1 else ''}"
    parts = [f"{sequence.frames} frames at {sequence.fps:g}/s", persons, f"{sequence.skeleton.title}"]
    if "class_name" in sequence.metadata:
        parts.insert(0, str(sequence.metadata["class_name"]))
    return "   ·   ".join(parts)


def _not_sure(sequence: SkeletonSequence) -> str:
    """What was guessed without being sure, "" for nothing that a look at it would not show, such as its frame rate."""
    notes = [note for note in sequence.notes if note.sure == "unsure" and note.about not in ("frame rate", "recipe")]
    return "; ".join(f"{note.about}: {note.text}" for note in notes)


@dataclass(frozen=True)
class _Ready:
    """A project that was opened, and what to do once it is on screen."""

    project: Project
    then: Callable[[], object] | None

    def close(self) -> None:
        """Nobody wants it any more."""
        self.project.close()


class Opening(QObject):
    """Reads off the window's thread; of several requests only the newest is answered."""

    shown = Signal(object)  # Opened, or None: nothing is on screen
    cleared = Signal()  # everything was closed
    import_wanted = Signal(object)  # list of Path
    prepare_wanted = Signal(object)  # Published

    def __init__(
        self,
        session: Session,
        settings: SettingsFile,
        feedback: Feedback,
        recordings: RecordingsPanel,
        player: Player,
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._session, self._settings, self._feedback = session, settings, feedback
        self._recordings, self._player, self._window = recordings, player, window
        self.seen: Attempt | None = None  # how the file on screen, or the refused one, was read
        self.reading_dialog: ReadingDialog | None = None  # the newest one
        self._reading, self._searching, self._projects = Newest(self), Newest(self), Newest(self)
        self._reading.done.connect(self._on_opened)
        self._reading.failed.connect(self._on_read_failed)
        self._searching.done.connect(self._on_found)
        self._projects.done.connect(self._on_project)
        self._projects.stale.connect(lambda ready: ready.project.close())
        self._copying = Newest(self)
        self._copying.done.connect(lambda path: self._feedback.say(f"Saved {path}"))
        for task in (self._searching, self._projects, self._copying):
            task.failed.connect(feedback.problem)
        recordings.chosen.connect(self.open_recording)
        session.closing.connect(self._reading.forget)

    @property
    def is_busy(self) -> bool:
        return any(task.is_busy for task in (self._reading, self._searching, self._projects, self._copying))

    def open_paths(self, paths: list[Path]) -> None:
        """Open a project, or list files and everything readable in folders and show the first.

        With a project open, folders go to its import. Problems show in the notice.
        """
        if not paths:
            return
        self._feedback.notice.hide()
        if len(paths) == 1 and is_project(paths[0]):
            self.open_project(paths[0])
        elif self._session.project is not None and any(path.is_dir() for path in paths):
            self.import_wanted.emit(paths)
        elif self._session.project is not None and len(paths) == 1:
            self.open_recording(paths[0])
        else:
            self._feedback.say("Looking for recordings…")
            self._searching.submit(lambda: find_recordings(paths))

    def open_recording(self, path: Path, recipe: ReadingRecipe | None = None) -> None:
        """Show one file, read as a recipe says if there is one."""
        self._reading.submit(lambda: open_recording(path, recipe))

    def open_id(self, id: int) -> None:
        """Show a recording of the project."""
        project = self._session.project
        if project is not None:
            self._reading.submit(lambda: open_from(project, id))

    def open_source(self, source: str, name: str) -> None:
        """Show a recording that a run was tested on. source: a file, FOLDER#ID of a project or ARCHIVE#ID, as the run
        keeps it.
        """
        place, id = parted_source(source)
        if id is not None and is_project(place):
            if self._session.is_open(place):
                self.open_id(id)
            else:
                self._open(f"Opening {place.name}…", lambda: Project.open(place), lambda: self.open_id(id))
        elif source and place.is_file():
            self.open_recording(Path(source))
        elif source:
            self._feedback.problem(f"The recording “{name}” is no longer at {source}.")
        else:
            self._feedback.problem(f"The run does not say where “{name}” is: it was trained from a feature file.")

    def open_project(self, folder: Path) -> None:
        """Open a project in place of what is open."""
        self._open(f"Opening {folder.name}…", lambda: Project.open(folder))

    def open_or_create(self, folder: Path, then: Callable[[], object]) -> None:
        """Open the project at `folder`, created if there is none; call `then` once it is on screen."""
        self._open(f"Opening {folder.name}…", lambda: open_or_create(folder), then)

    def open_demo(self) -> None:
        """Open the demo project, made the first time."""
        self._open("Making the demo project…", lambda: Project.open(demo_project()))

    def close_all(self) -> None:
        """Close the project and the opened files."""
        self._session.close()
        self._recordings.clear()
        self.seen = None
        self.shown.emit(None)
        self._feedback.say("")
        self.cleared.emit()

    def save_picture(self, path: Path) -> None:
        """Write the 3D view as PNG; problems show in the notice."""
        try:
            with replacing(path) as temporary:
                if not self._player.picture().save(str(temporary), "PNG"):  # type: ignore[call-overload]  # its stub says bytes
                    raise FloraError("cannot write the picture", path=path, remedy="Choose another folder.")
        except OSError as error:
            self._feedback.problem(f"{path}: cannot write the picture ({error.strerror}). Choose another folder.")
        except FloraError as error:
            self._feedback.problem(str(error))
        else:
            self._feedback.say(f"Saved {path}")

    # -- dialogs -------------------------------------------------------------------------------------------------

    def ask_files(self) -> None:
        start = str(self._settings.start_folder())
        names, _ = QFileDialog.getOpenFileNames(self._window, "Open recordings", start, file_filter())
        self.open_paths([Path(name) for name in names])

    def ask_folder(self) -> None:
        if name := self._ask_folder("Open a folder"):
            self.open_paths([Path(name)])

    def ask_project(self) -> None:
        if name := self._ask_folder("Open a project"):
            self.open_project(Path(name))

    def ask_new_project(self, then: Callable[[], object] | None = None) -> None:
        """Ask for the folder of a new project; call `then` once it is on screen."""
        start = str(self._settings.start_folder() / "project")
        name, _ = QFileDialog.getSaveFileName(self._window, "Folder of the new project", start)
        if name:
            self._open("Making the project…", lambda: Project.create(Path(name)), then)

    def ask_differently(self) -> None:
        """Ask how the file on screen, or the one that was refused, is to be read."""
        if not self.can_ask_differently:
            return
        assert self.seen is not None
        self.reading_dialog = dialog = ReadingDialog(self.seen, self._window)
        dialog.answered.connect(self._on_answered)
        dialog.open()

    def show_recipes(self) -> None:
        """Open the folder of reading recipes, where they can be copied, renamed and deleted."""
        folder = recipes_folder()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            self._feedback.problem(f"{folder}: cannot be made ({error.strerror})")
            return
        if not QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder))):
            self._feedback.problem(f"The reading recipes are in {folder}.")

    @property
    def can_ask_differently(self) -> bool:
        return self.seen is not None and bool(self.seen.names)

    def _on_answered(self, answer: object) -> None:
        assert isinstance(answer, Answer)
        self.open_recording(answer.path, answer.recipe)

    def ask_copy(self) -> None:
        """Ask for a file to write the recording on screen to."""
        sequence = self._player.sequence
        if sequence is None:
            return
        start = self._settings.start_folder() / f"{sequence.name or 'recording'} copy.npz"
        show_form(CopyDialog(sequence, start, self._window), lambda request: self.save_copy(sequence, request))

    def save_copy(self, sequence: SkeletonSequence, request: CopyRequest) -> None:
        """Write a recording off the window's thread; the status bar, or the notice, says what came of it."""
        self._feedback.say(f"Saving {request.path.name}…")
        self._copying.submit(lambda: write_copy(sequence, request))

    def ask_picture(self) -> None:
        sequence = self._player.sequence
        if sequence is None:
            return
        frame = self._player.playback.frame() + 1
        start = self._settings.start_folder() / f"{sequence.name or 'recording'}_frame{frame}.png"
        name, _ = QFileDialog.getSaveFileName(self._window, "Save the picture", str(start), "PNG (*.png)")
        if name:
            self.save_picture(Path(name))

    def _ask_folder(self, title: str) -> str:
        return QFileDialog.getExistingDirectory(self._window, title, str(self._settings.start_folder()))

    # -- answers -------------------------------------------------------------------------------------------------

    def _open(self, text: str, make: Callable[[], Project], then: Callable[[], object] | None = None) -> None:
        self._feedback.say(text)
        self._projects.submit(lambda: _Ready(make(), then))

    def _on_found(self, found: object) -> None:
        assert isinstance(found, Found)
        self._feedback.say("")
        if found.note:
            self._feedback.notice.say(found.note, "Open the demo", self.open_demo)
            return
        self._recordings.add(found, select=found.paths[0])

    def _on_opened(self, opened: object) -> None:
        self.seen = opened if isinstance(opened, Attempt) else opened.seen if isinstance(opened, Opened) else None
        if isinstance(opened, Attempt):
            self._on_open_failed(opened.problem)
            return
        if isinstance(opened, Published):
            self.shown.emit(None)
            self.prepare_wanted.emit(opened)
            return
        if isinstance(opened, Archive):
            self.shown.emit(None)
            self._offer_import(opened.path)
            return
        assert isinstance(opened, Opened)
        self._feedback.notice.forget(_RECORDING)
        self.shown.emit(opened)
        self._feedback.say(describe(opened.sequence))
        path = opened.path
        if path is None or opened.seen is None:
            return
        self._settings.add_recent(path)
        if self._session.project is not None:
            text = f"{path.name} is not in the project."
            self._feedback.notice.say(text, "Import it…", lambda: self.import_wanted.emit([path]), about=_RECORDING)
        elif opened.again and (unsure := _not_sure(opened.sequence)):
            self._feedback.notice.say(f"{path.name}: {unsure}.", _ASK, self.ask_differently, about=_RECORDING)

    def _offer_import(self, path: Path) -> None:
        def bring() -> None:
            self.import_wanted.emit([path])

        text = f"{path.name} holds all recordings of a data set."
        if self._session.project is not None:
            self._feedback.notice.say(text, "Import it…", bring, about=_RECORDING)
        else:
            text = f"{text} Open or make a project to import it into."
            self._feedback.notice.say(text, "New project…", lambda: self.ask_new_project(bring), about=_RECORDING)

    def _on_read_failed(self, problem: str) -> None:
        self.seen = None
        self._on_open_failed(problem)

    def _on_open_failed(self, problem: str) -> None:
        self.shown.emit(None)
        self._feedback.say("")
        if self.seen is not None and self.seen.names:
            self._feedback.notice.say(problem, _ASK, self.ask_differently, about=_RECORDING)
        else:
            self._feedback.notice.say(problem, about=_RECORDING)

    def _on_project(self, ready: object) -> None:
        assert isinstance(ready, _Ready)
        project = ready.project
        self._recordings.clear()
        self._session.open(project)
        self._settings.add_recent(project.folder)
        self._feedback.say("")
        if not project.writable:
            self._feedback.notice.say(f"The project is open for reading only: {project.read_only_reason}.")
        if ready.then is not None:
            ready.then()
