"""The wizard's pages about recordings and features."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from PySide6.QtWidgets import QButtonGroup, QLabel, QLineEdit, QRadioButton, QSpinBox

from app.dialogs.form import Field, Form, file_choice, folder_choice
from app.session import Session
from app.training.draft import Draft, Origin, Source
from app.training.encoder_fields import EncoderFields
from app.training.pages.page import Page
from app.widgets import choice_box
from flora_engine.datasets.benchmarks import all_benchmarks, load_benchmark
from flora_engine.datasets.catalogue import dataset_names, load_dataset
from flora_engine.errors import FloraError
from flora_engine.preprocessing import PREPARATIONS

_SOURCES: tuple[tuple[Source, str], ...] = (
    ("project", "The open project"),
    ("folder", "A folder with the raw files of a published data set"),
    ("published", "A published benchmark, from features or from an encoder that is trained already"),
)


class DataPage(Page):
    """Where recordings come from, and how they are prepared."""

    title = "What do you train on?"
    explanation = "A model is trained on labelled recordings. Own recordings go into a project first (File → Import)."

    def __init__(self, session: Session, open_project: Callable[[], object]) -> None:
        super().__init__()
        self._session = session
        self._choices = _radios(_SOURCES, self._on_source)
        self.project = QLabel(wordWrap=True)
        self.folder = QLineEdit(placeholderText="Folder of the raw recordings")
        self.dataset = choice_box([(load_dataset(name).title, name) for name in dataset_names()])
        benchmarks = [(_benchmark_title(one.name), one.name) for one in all_benchmarks()]
        self.benchmark = choice_box(benchmarks)
        self.preparation = choice_box([(name, name) for name in PREPARATIONS])
        self.frames = QSpinBox(minimum=4, maximum=2000)
        self.persons = choice_box([("both persons", 2), ("the first person only", 1)])
        self.form = Form(
            (
                Field("Project", self.project, choices=(("Open another…", open_project),)),
                Field("Data set", self.dataset),
                Field("Folder", self.folder, choices=(folder_choice(self.folder, "Folder of the recordings"),)),
                Field("Benchmark", self.benchmark),
                Field("Preparation", self.preparation, compact=True),
                Field("Frames per recording", self.frames, compact=True),
                Field("Persons", self.persons, compact=True),
            )
        )
        for radio in self._choices.buttons():
            self.column.addWidget(radio)
        self.column.addLayout(self.form)
        self.column.addStretch(1)
        for signal in (
            self.folder.textChanged,
            self.dataset.currentIndexChanged,
            self.benchmark.currentIndexChanged,
            self.preparation.currentIndexChanged,
            self.frames.valueChanged,
            self.persons.currentIndexChanged,
        ):
            signal.connect(lambda *_: self.changed.emit())

    @property
    def source(self) -> Source:
        return _SOURCES[self._choices.checkedId()][0]

    def choose(self, source: Source) -> None:
        """Check a source as the user does."""
        self._choices.button([name for name, _ in _SOURCES].index(source)).click()

    def show_draft(self, draft: Draft) -> None:
        self._choices.button([name for name, _ in _SOURCES].index(draft.source)).setChecked(True)
        self.folder.setText(draft.folder)
        for box, value in (
            (self.dataset, draft.dataset),
            (self.benchmark, draft.benchmark),
            (self.preparation, draft.preparation),
            (self.persons, draft.persons),
        ):
            if (place := box.findData(value)) >= 0:
                box.setCurrentIndex(place)
        self.frames.setValue(draft.frames)
        self.show_project(draft.project)
        self._show_rows()

    def show_project(self, named: str = "") -> None:
        """Show which project is open. named: the one that the draft is about."""
        project = self._session.project
        here = "" if project is None else str(project.folder)
        if project is None:
            self.project.setText(f"Not open: {named}" if named else "No project is open")
        else:
            count, names = len(project.table), project.classes.names()
            self.project.setText(f"{project.folder.name}: {count:,} recordings, {len(names)} classes")
        if named and here and Path(named).absolute() != Path(here).absolute():
            self.project.setText(f"{self.project.text()}. The configuration was for {named}")

    def fill(self, draft: Draft) -> Draft:
        project, source = self._session.project, self.source
        draft = replace(
            draft,
            source=source,
            folder=self.folder.text().strip(),
            dataset="" if source == "project" else str(self.dataset.currentData()),
            benchmark=str(self.benchmark.currentData()) if source == "published" else "",
            preparation=str(self.preparation.currentData()),
            frames=self.frames.value(),
            persons=int(self.persons.currentData()),
        )
        if source == "project":
            here = str(project.folder.absolute()) if project is not None else ""
            classes = len(project.classes.names()) if project is not None else 0
            return replace(draft, project=here, classes=classes, origin=_trained_here(draft))
        if source == "folder":
            return replace(
                draft, project="", classes=len(load_dataset(draft.dataset).classes), origin=_trained_here(draft)
            )
        origin: Origin = "file" if draft.origin in ("train", "measure") else draft.origin
        return replace(draft, classes=_class_count(draft.benchmark), origin=origin)

    def _on_source(self) -> None:
        self._show_rows()
        self.changed.emit()

    def _show_rows(self) -> None:
        source = self.source
        for widget, sources in (
            (self.project, ("project",)),
            (self.dataset, ("folder",)),
            (self.folder, ("folder",)),
            (self.benchmark, ("published",)),
            (self.preparation, ("project", "folder")),
            (self.frames, ("project", "folder")),
            (self.persons, ("project", "folder")),
        ):
            self.form.show_row(widget, source in sources)


_ORIGINS: tuple[tuple[Origin, str], ...] = (
    ("train", "Train an encoder in this run, on the seen classes of the split"),
    ("measure", "None: measure the recordings themselves, which takes seconds"),
    ("file", "Use a feature file: extracted with flora extract, or a published one"),
    ("checkpoint", "Use encoders that are trained already: runs, our checkpoints, or published .pt files"),
)


class FeaturesPage(Page):
    """Where features come from."""

    title = "Which features?"
    explanation = (
        "An encoder turns a recording into features. It may only have learned the seen classes; otherwise the results "
        "are untrue."
    )

    def __init__(self) -> None:
        super().__init__()
        self._choices = _radios(_ORIGINS, self._on_origin)
        self.trained = QLabel(wordWrap=True)
        self.trained.setProperty("role", "muted")
        self._source: Source = "project"
        self._persons: int | None = None  # of a configuration that was opened
        self.file = QLineEdit(placeholderText="A .npz file of features")
        self.encoder = EncoderFields()
        self.checkpoints = self.encoder.paths
        self.preparation, self.frames = self.encoder.preparation, self.encoder.frames
        self.place = QLineEdit()
        self.labels = QLabel(wordWrap=True)
        self.labels.setProperty("role", "muted")
        self.form = Form(
            (
                Field("Feature file", self.file, choices=(file_choice(self.file, "Feature file", "NumPy (*.npz)"),)),
                self.encoder.path_field("Encoders"),
                Field("Recordings", self.place, choices=(folder_choice(self.place, "Recordings"),)),
                *self.encoder.preparation_fields(),
            )
        )
        for radio in self._choices.buttons():
            self.column.addWidget(radio)
        self.column.addLayout(self.form)
        self.column.addWidget(self.labels)
        self.column.addWidget(self.trained)
        self.column.addStretch(1)
        for line in (self.file, self.checkpoints, self.place):
            line.textChanged.connect(lambda _: self._on_change())
        self.preparation.currentIndexChanged.connect(lambda _: self._on_change())
        self.frames.valueChanged.connect(lambda _: self._on_change())

    @property
    def origin(self) -> Origin:
        return _ORIGINS[self._choices.checkedId()][0]

    def choose(self, origin: Origin) -> None:
        """Check an origin as the user does."""
        self._choices.button([name for name, _ in _ORIGINS].index(origin)).click()

    def show_draft(self, draft: Draft) -> None:
        self._source = draft.source
        for place, (origin, _) in enumerate(_ORIGINS):
            self._choices.button(place).setVisible(origin in _POSSIBLE[draft.source])
            self._choices.button(place).setChecked(origin == draft.origin)
        self.file.setText(draft.feature_file)
        self.encoder.show(draft.checkpoints, draft.prepared)
        self.place.setText(draft.recordings)
        self._persons = draft.prepared.get("persons")
        self._show_rows()

    def fill(self, draft: Draft) -> Draft:
        draft = replace(draft, origin=self.origin, checkpoints=self.encoder.chosen())
        if draft.source != "published":
            return draft
        persons = {"persons": self._persons} if self._persons else {}
        return replace(
            draft,
            feature_file=self.file.text().strip(),
            recordings=self.place.text().strip(),
            prepared=self.encoder.prepared() | persons,
        )

    def _on_origin(self) -> None:
        self._on_change()

    def _on_change(self) -> None:
        self._show_rows()
        self.changed.emit()

    def _show_rows(self) -> None:
        published, file = self._source == "published", self.origin == "file"
        encoder = bool(self.encoder.chosen())
        self.form.show_row(self.file, file)
        self.form.show_row(self.checkpoints, self.origin not in ("train", "measure"))
        self.form.show_row(self.place, published and (encoder or not file))
        self.form.show_row(self.preparation, published and encoder)
        self.form.show_row(self.frames, published and encoder)
        some = "Some that the file holds, to check that both belong together; may be left out"
        which = "That made the features; one per stream" if file else "One per stream"
        self.checkpoints.setPlaceholderText(f"{which}, with ; between them")
        self.place.setPlaceholderText(some if file else "A project, or a folder of raw files")
        self.trained.setVisible(self.origin in ("train", "measure"))
        self.trained.setText(_MEASURED if self.origin == "measure" else _TRAINED)
        self.labels.setVisible(published)
        self.labels.setText(_WITH_ENCODER if encoder else _WITHOUT_ENCODER if file else "")


_TRAINED = "It is the longest part of the work; its settings are on the page Method."
_MEASURED = (
    "The model compares class names with measurements of the recordings, and can rank in this window. It learns from "
    "all classes, so the pages Split, Texts and Method ask nothing. Each half of the classes is left out once to say "
    "how good it is."
)
_WITH_ENCODER = "The training ends with a model that labels recordings."
_WITHOUT_ENCODER = (
    "Without the encoder that made the features, the training gives numbers and no model that labels. It can be added "
    "later on the page of the run."
)
_POSSIBLE: dict[Source, tuple[Origin, ...]] = {
    "project": ("train", "measure", "checkpoint"),
    "folder": ("train", "measure", "checkpoint"),
    "published": ("file", "checkpoint"),
}


def _trained_here(draft: Draft) -> Origin:
    """Own recordings have no feature file: an encoder is trained, or there is one, or none is needed."""
    return "train" if draft.origin == "file" else draft.origin


def _radios(entries: tuple[tuple[object, str], ...], act: Callable[[], object]) -> QButtonGroup:
    group = QButtonGroup()
    for number, (_, text) in enumerate(entries):
        group.addButton(QRadioButton(text), number)
    group.button(0).setChecked(True)
    group.idClicked.connect(lambda _: act())
    return group


def _benchmark_title(name: str) -> str:
    one = load_benchmark(name)
    return f"{load_dataset(one.dataset).title}: {len(one.seen)} seen, {len(one.unseen)} unseen ({name})"


def _class_count(benchmark: str) -> int:
    try:
        return len(load_dataset(load_benchmark(benchmark).dataset).classes)
    except FloraError:
        return 0
