"""The wizard's last page: everything that is wrong at once, what the training will need, and how it is started."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QListWidget, QListWidgetItem

from app.dialogs.form import Field, Form, folder_choice
from app.training.draft import Draft, command_line, problems, unshown
from app.training.pages.page import Page
from app.training.stages import span
from app.widgets import button, sentence

_SHARE = 0.8  # of the memory or disk: more is a warning


class CheckPage(Page):
    """Measures while it is shown; a draft with problems is not measured."""

    jump_wanted = Signal(str)  # name of a page
    measure_wanted = Signal()
    title = "Check and start"
    explanation = "Nothing has been written yet. The training runs in a process of its own; you can stop and resume it."

    def __init__(self) -> None:
        super().__init__()
        self.problems = QListWidget()
        self.problems.setWordWrap(True)
        self.problems.setAccessibleName("Problems; press one to go to its page")
        self.problems.itemActivated.connect(self._on_problem)
        self.problems.itemClicked.connect(self._on_problem)
        self.needs = QLabel(wordWrap=True)
        self.needs.setTextFormat(Qt.TextFormat.PlainText)
        self.measure_button = button("Measure again", self.measure_wanted.emit)
        self.out = QLineEdit()
        self.name = QLineEdit(placeholderText="Name of the training")
        self.command = QLineEdit(readOnly=True)
        self.save_path: Path | None = None
        form = Form(
            (
                Field("Name", self.name),
                Field("Runs go into", self.out, choices=(folder_choice(self.out, "Folder of runs"),)),
                Field("Command line", self.command, choices=(("Copy", self._copy),)),
            )
        )
        self.out.textChanged.connect(lambda _: self._show_command())
        row = QHBoxLayout()
        row.addWidget(self.needs, 1)
        row.addWidget(self.measure_button, 0, Qt.AlignmentFlag.AlignTop)
        self.column.addWidget(self.problems, 1)
        self.column.addLayout(row, 1)
        self.column.addLayout(form)
        self._found: list[tuple[str, str]] = []

    def show_problems(self, draft: Draft, more: list[tuple[str, str]]) -> bool:
        """Show everything that is wrong; whether nothing is. more: what pages found themselves."""
        self._found = [*problems(draft), *more]
        self.problems.clear()
        for page, text in self._found:
            self.problems.addItem(f"✕  {page.capitalize()}: {sentence(text)}")
        if not self._found:
            self.problems.addItem(QListWidgetItem("✓  Everything fits. It can start."))
        for name, value in unshown(draft).items():
            self.problems.addItem(f"ⓘ  The configuration also says {name}: {value}. No page shows it; it stays.")
        self._show_command()
        return not self._found

    def show_estimate(self, found: dict[str, Any] | None, text: str = "") -> None:
        """Show what was measured, or `text` in its place."""
        self.needs.setText(text if found is None else needs_text(found))

    def _show_command(self) -> None:
        path = self.save_path or Path("training.yaml")
        self.command.setText(command_line(path, Path(self.out.text() or "runs")))
        hint = "" if self.save_path else "Save the configuration first (Save YAML…); its name goes into the command."
        self.command.setToolTip(hint)

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self.command.text())

    def _on_problem(self, item: QListWidgetItem) -> None:
        row = self.problems.row(item)
        if row < len(self._found):
            self.jump_wanted.emit(self._found[row][0])


def needs_text(found: dict[str, Any]) -> str:
    """What a training needs on this machine, in lines."""
    sizes = found["sizes"]
    about = "" if sizes["exact"] else "About "
    unmeasured = [name for name, seconds in found["stages"] if seconds is None]
    total = f"{'at least' if unmeasured else 'about'} {span(found['seconds'])}"
    lines = [f"{total.capitalize()} on this machine ({found['device']}), measured with a short step of each part:"]
    lines += [f"    {name}: {span(seconds)}" for name, seconds in found["stages"] if seconds is not None]
    lines += [f"    {name}: not measured" for name in unmeasured]
    if sizes["seen"] == sizes["classes"]:  # nothing is left unseen
        lines.append(f"{about}{sizes['all']:,} recordings of {sizes['classes']} classes train.")
    else:
        lines.append(f"{about}{sizes['train']:,} of {sizes['all']:,} recordings train, {sizes['seen']} seen classes.")
    memory, disk, free = (found[key] / 2**30 for key in ("memory", "disk", "free"))
    lines.append(f"Memory: about {memory:.1f} GB. Disk: about {disk:.1f} GB of {free:.0f} GB that are free.")
    if found["disk"] > _SHARE * found["free"]:
        lines.append("The disk may become full: choose another folder.")
    return "\n".join(lines)
