"""Train a model from a configuration, as `flora train` does; the bundle it writes can rank here afterwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtWidgets import QDialog, QFileDialog, QFormLayout, QLabel, QLineEdit, QVBoxLayout, QWidget

from app.notice import Notice
from app.widgets import button, buttons_row, path_row, sentence
from app.workers.jobs import HeavyJob, JobBar
from app.workers.supervisor import End
from app.workers.tasks import Newest
from flora_engine.config import EncoderConfig, PipelineConfig, load_config
from flora_engine.runs.folder import list_runs

_LOOK = 300  # ms after the last key


@dataclass(frozen=True)
class TrainRequest:
    """config: a YAML file. data: folder that its relative paths start at. out: folder of runs. resume: a run."""

    config: Path
    data: Path | None
    out: Path
    resume: Path | None = None

    def arguments(self) -> dict[str, Any]:
        """JSON-ready arguments of the worker's action `train`."""
        root = None if self.data is None else str(self.data)
        what: dict[str, Any] = {"resume": str(self.resume)} if self.resume else {"config": str(self.config)}
        return {**what, "data_root": root, "features_root": root, "out": str(self.out)}


def describe_config(path: Path) -> str:
    """What a configuration would train, in one line; FloraError where it is none."""
    config = load_config(path)
    if isinstance(config, PipelineConfig):
        count = len(config.splits)
        return f"Everything from raw recordings to a model that ranks, on {count} split{'s' if count > 1 else ''}."
    return "The skeleton encoder alone." if isinstance(config, EncoderConfig) else "Flora, from a file of features."


class TrainDialog(QDialog):
    """Checks the configuration before anything runs."""

    wanted = Signal(object)  # TrainRequest

    def __init__(self, out: Path, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Train from a configuration")
        self.resize(680, 240)
        self.setMinimumSize(560, 220)
        self.config = QLineEdit(placeholderText="A YAML file, such as those in configs")
        self.data = QLineEdit(placeholderText="Where the configuration's relative paths start")
        self.out = QLineEdit(str(out))
        self.message = QLabel(wordWrap=True)
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for title, line, pick in (
            ("Configuration", self.config, ("File…", self._pick_config)),
            ("Data", self.data, ("Folder…", lambda: self._pick_folder(self.data))),
            ("Runs go to", self.out, ("Folder…", lambda: self._pick_folder(self.out))),
        ):
            line.setAccessibleName(title)
            line.textChanged.connect(self._on_text)
            form.addRow(title, path_row(line, pick))
        self._go = button("Train", self.go, primary=True)
        column = QVBoxLayout(self)
        column.setSpacing(12)
        column.addLayout(form)
        column.addStretch(1)
        column.addLayout(buttons_row(self.message, self._go, button("Cancel", self.reject)))
        self._task = Newest(self)
        self._task.done.connect(self._on_described)
        self._task.failed.connect(lambda problem: self.message.setText(sentence(problem)))
        self._timer = QTimer(self, singleShot=True, interval=_LOOK)
        self._timer.timeout.connect(self._look)
        self._on_text()

    def request(self) -> TrainRequest:
        data = self.data.text().strip()
        return TrainRequest(
            Path(self.config.text().strip()), Path(data) if data else None, Path(self.out.text().strip())
        )

    def go(self) -> None:
        """Ask for the training and close."""
        if self._go.isEnabled():
            request = self.request()
            self.accept()
            self.wanted.emit(request)

    def _on_text(self) -> None:
        self._go.setEnabled(False)
        self._task.forget()
        self._timer.start()

    def _look(self) -> None:
        if not self.config.text().strip():
            self.message.setText("Choose a configuration.")
            return
        path = self.request().config
        self._task.submit(lambda: describe_config(path))

    def _on_described(self, text: object) -> None:
        self.message.setText(str(text))
        self._go.setEnabled(bool(self.out.text().strip()))

    def _pick_config(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Configuration", self.config.text(), "YAML (*.yaml *.yml)")
        if name:
            self.config.setText(name)

    def _pick_folder(self, line: QLineEdit) -> None:
        if name := QFileDialog.getExistingDirectory(self, "Choose a folder", line.text()):
            line.setText(name)


class Training(QObject):
    """Runs trainings beside everything else; `use` takes a bundle that one has written."""

    def __init__(self, bar: JobBar, notice: Notice, use: Callable[[Path], None], parent: QObject) -> None:
        super().__init__(parent)
        self._bar, self._notice, self._use = bar, notice, use

    def start(self, request: TrainRequest) -> None:
        """Train in a process of its own; what is done is kept whatever happens."""
        before = {run.path for run in list_runs(request.out)}
        job = HeavyJob(f"Train {request.config.stem}", "train", request.arguments(), self)
        job.ended.connect(lambda end: self._on_end(request, before, end))
        self._bar.add(job)

    def _on_end(self, request: TrainRequest, before: set[Path], end: End) -> None:
        if end.outcome == "finished":
            self._on_finished(end.result)
            return
        new = [run.path for run in list_runs(request.out) if run.path not in before]
        run = request.resume or (new[-1] if new else None)
        text = "The training was stopped; what is done is kept." if end.outcome == "cancelled" else end.text
        if run is None:
            self._notice.tell(text)
        else:
            self._notice.tell(f"{text} The run is {run}.", "Go on", lambda: self.start(replace(request, resume=run)))

    def _on_finished(self, result: dict[str, Any]) -> None:
        run = Path(str(result["run"]))
        bundle = run / str(result.get("bundle", ""))
        if "bundle" in result and (bundle / "manifest.json").is_file():
            self._notice.tell(f"Trained: {run}", "Use its model", lambda: self._use(bundle))
        else:
            self._notice.tell(f"Trained: {run}. It wrote no model that can rank here.")
