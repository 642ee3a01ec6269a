"""Which model ranks the typed actions, and what can be done with the ranking."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, QUrl
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtWidgets import QFileDialog, QWidget

from app.labelling.panel import LabelPanel
from app.labelling.service import LabelService
from app.notice import Feedback
from app.settings import SettingsFile
from app.workers.tasks import Newest, attempt
from flora_engine.labelling.bundle import BUILTIN, bundle_title, find_bundle
from flora_engine.labelling.bundle_file import SUFFIX, read_bundle_file, write_bundle_file

_FILES = f"Models (*{SUFFIX})"


class Models(QObject):
    """Loads bundles off the window's thread; the newest request wins."""

    def __init__(
        self, service: LabelService, labels: LabelPanel, settings: SettingsFile, feedback: Feedback, window: QWidget
    ) -> None:
        super().__init__(window)
        self._service, self._labels, self._settings = service, labels, settings
        self._feedback, self._window = feedback, window
        self._loading = Newest(self)
        self._loading.done.connect(self._on_loaded)
        self._loading.failed.connect(feedback.problem)
        labels.limits_wanted.connect(self.show_card)
        self._show()

    @property
    def folder(self) -> Path:
        """The bundle in use."""
        return self._service.folder

    def use(self, folder: Path) -> None:
        """Rank with another bundle from now on, also after the next start. Problems show in the notice."""
        service = self._service

        def load() -> Path:
            bundle = find_bundle(folder)
            service.use(bundle)
            return bundle

        self._feedback.say("Loading the model…")
        self._loading.submit(load)

    def use_builtin(self) -> None:
        self.use(BUILTIN)

    def ask(self) -> None:
        """Choose a bundle or a training run."""
        start = self._settings.now.bundle or str(self._settings.start_folder())
        title = "Folder of a model bundle or of a training run"
        if name := QFileDialog.getExistingDirectory(self._window, title, start):
            self.use(Path(name))

    def use_file(self, path: Path) -> None:
        """Unpack a model file beside the settings and rank with it from now on."""
        service, parent = self._service, self._settings.path.parent / "models"

        def load() -> Path:
            bundle = read_bundle_file(path, parent)
            service.use(bundle)
            return bundle

        self._feedback.say("Unpacking the model…")
        self._loading.submit(load)

    def save_file(self, path: Path) -> None:
        """Write the model in use as one file."""
        _, problem = attempt(lambda: write_bundle_file(self._service.folder, path))
        self._feedback.notice.say(problem or f"Wrote {path}")

    def ask_file(self) -> None:
        """Choose a model file."""
        start = str(self._settings.start_folder())
        name, _ = QFileDialog.getOpenFileName(self._window, "A model file", start, _FILES)
        if name:
            self.use_file(Path(name))

    def ask_save(self) -> None:
        """Choose where the model in use is written."""
        start = str(self._settings.start_folder() / f"{bundle_title(self._service.folder)}{SUFFIX}")
        name, _ = QFileDialog.getSaveFileName(self._window, "Save the model as a file", start, _FILES)
        if name:
            self.save_file(Path(name))

    def copy_ranking(self) -> None:
        """Put the ranking on the clipboard, as text."""
        if self._labels.answer is not None:
            QGuiApplication.clipboard().setText(self._labels.answer.as_text())
            self._feedback.say("The ranking is on the clipboard")

    def show_card(self) -> None:
        """Open the model card in the desktop's reader."""
        card = self._service.folder / "MODEL_CARD.md"
        if not card.is_file():
            self._feedback.problem("This model has no card. Scores are shares among the typed actions.")
        elif not QDesktopServices.openUrl(QUrl.fromLocalFile(str(card))):
            self._feedback.problem(f"This system has no program to open the model card. It is at {card}")

    def _on_loaded(self, bundle: object) -> None:
        assert isinstance(bundle, Path)
        self._settings.change(bundle="" if bundle == BUILTIN else str(bundle))
        self._feedback.say(f"Actions are ranked by the {bundle_title(bundle).removesuffix(' model')} model")
        self._show()
        self._labels.rank_now()

    def _show(self) -> None:
        self._labels.set_model(bundle_title(self._service.folder), self._service.folder)


def remembered_bundle(settings: SettingsFile, feedback: Feedback) -> Path:
    """The bundle of the last session, or the built-in one if that is gone."""
    folder = Path(settings.now.bundle) if settings.now.bundle else BUILTIN
    if folder == BUILTIN or (folder / "manifest.json").is_file():
        return folder
    settings.change(bundle="")
    feedback.notice.say(f"The model in {folder} is not there any more. The built-in model ranks now.")
    return BUILTIN
