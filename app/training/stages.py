"""The parts of a run as a tree: what is done, what is at work, how long each took."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHeaderView, QTreeWidget, QTreeWidgetItem, QWidget

from flora_engine.runs.events import History
from flora_engine.runs.history_file import Part

_MARKS = {"finished": "✓", "running": "▸", "stopped": "■"}


class StagesTree(QTreeWidget):
    """Follows a history. The part that is selected is the one whose curves are shown; "" for all."""

    chosen = Signal(str)  # path of the part

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Stages of the run")
        self.setHeaderLabels(["Stage", ""])
        self.setUniformRowHeights(True)
        self.setExpandsOnDoubleClick(False)
        header = self.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        self._items: dict[str, QTreeWidgetItem] = {}
        self._whole = QTreeWidgetItem(["Whole run", ""])
        self.addTopLevelItem(self._whole)
        self.setCurrentItem(self._whole)
        self.currentItemChanged.connect(lambda now, _: self.chosen.emit(self._path_of(now)))

    @property
    def path(self) -> str:
        """The path of the selected part."""
        return self._path_of(self.currentItem())

    def show_history(self, history: History, whole: str) -> None:
        """Show the parts so far; `whole` stands beside the whole run."""
        self._whole.setText(1, whole)
        for path, part in list(history.parts.items()):
            item = self._items.get(path) or self._add(path)
            item.setText(0, f"{_MARKS.get(part.state, '')} {part.name}")
            item.setText(1, part_text(part))
            item.setToolTip(0, f"{path}: {part.state}")

    def _add(self, path: str) -> QTreeWidgetItem:
        above = path.rpartition("/")[0]
        item = QTreeWidgetItem()
        parent = (self._items.get(above) or self._add(above)) if above else None
        if parent is None:
            self.addTopLevelItem(item)
        else:
            parent.addChild(item)
        item.setExpanded(path.count("/") < 2)
        self._items[path] = item
        return item

    def _path_of(self, item: QTreeWidgetItem | None) -> str:
        return next((path for path, one in self._items.items() if one is item), "")


def part_text(part: Part) -> str:
    """How far a part is, in a few words."""
    if part.state == "running":
        if not part.total:
            return "at work"
        share = f"{part.done / part.total:.0%}"
        return share if part.seconds_left is None else f"{share}, {span(part.seconds_left)} left"
    return span(part.seconds) if part.state == "finished" else part.state


def span(seconds: float) -> str:
    """A duration in a few letters: 8 s, 12 min, 1.5 h."""
    if seconds < 90:
        return f"{max(seconds, 0):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
