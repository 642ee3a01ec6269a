"""The left side of the window for opened files and folders: names to choose from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import (
    QAbstractListModel,
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    QSortFilterProxyModel,
    Qt,
    Signal,
)
from PySide6.QtWidgets import QLabel, QLineEdit, QListView, QStackedWidget, QVBoxLayout, QWidget

from flora_engine.errors import FloraError
from flora_engine.readers import can_read

_Index = QModelIndex | QPersistentModelIndex
_MOST = 200_000  # entries looked at below one folder


@dataclass(frozen=True)
class Found:
    """What a search below some paths gave: recordings in natural order, and a sentence where something is amiss."""

    paths: tuple[Path, ...]
    note: str = ""


def find_recordings(paths: Iterable[Path]) -> Found:
    """Files as they are (their reader will say what is wrong with them); folders searched for what a reader takes."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            files = [entry for entry, _ in zip(path.rglob("*"), range(_MOST), strict=False)]
            found += sorted(file for file in files if file.is_file() and can_read(file))
        elif path.exists():
            found.append(path)
        else:
            raise FloraError("is not there", path=path, remedy="Check the name, or drag the file onto the window.")
    if not found:
        return Found(
            (), "No recordings in there. Known are .skeleton, .mat, .json and .npz files; see docs/formats.md."
        )
    return Found(tuple(dict.fromkeys(found)))


class RecordingsModel(QAbstractListModel):
    """Paths, shown by their names."""

    PathRole = Qt.ItemDataRole.UserRole + 1

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.paths: list[Path] = []
        self._titles: dict[Path, str] = {}

    def add(self, paths: Iterable[Path]) -> None:
        """Append those not yet listed."""
        known = set(self.paths)
        new = [path for path in paths if path not in known]
        if new:
            self.beginInsertRows(QModelIndex(), len(self.paths), len(self.paths) + len(new) - 1)
            self.paths += new
            self.endInsertRows()

    def clear(self) -> None:
        self.beginResetModel()
        self.paths = []
        self._titles = {}
        self.endResetModel()

    def set_titles(self, titles: dict[Path, str]) -> None:
        """What to write after a name, such as its class."""
        self._titles |= titles
        if self.paths:
            self.dataChanged.emit(self.index(0), self.index(len(self.paths) - 1))

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008 (Qt's own signature)
        return 0 if parent.isValid() else len(self.paths)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        path = self.paths[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return f"{self._titles[path]}  ·  {path.stem}" if path in self._titles else path.stem
        if role == Qt.ItemDataRole.ToolTipRole:
            return str(path)
        return str(path) if role == self.PathRole else None


class RecordingsPanel(QWidget):
    """A filter box over the list; choosing a row asks for that recording."""

    chosen = Signal(object)  # Path

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.model = RecordingsModel(self)
        self._shown = QSortFilterProxyModel(self)
        self._shown.setSourceModel(self.model)
        self._shown.setFilterCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self.filter = QLineEdit(placeholderText="Filter by name", clearButtonEnabled=True)
        self.filter.setAccessibleName("Filter recordings by name")
        self.filter.textChanged.connect(self._on_filter)
        self.list = QListView()
        self.list.setAccessibleName("Recordings")
        self.list.setModel(self._shown)
        self.list.setUniformItemSizes(True)
        self.list.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.selectionModel().currentChanged.connect(self._on_current)
        self._empty = QLabel(wordWrap=True, alignment=Qt.AlignmentFlag.AlignTop)
        self._empty.setProperty("role", "muted")
        self._empty.setContentsMargins(4, 8, 4, 4)
        self._count = QLabel()
        self._count.setProperty("role", "muted")
        self._stack = QStackedWidget()
        self._stack.addWidget(self._empty)
        self._stack.addWidget(self.list)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 0, 6, 8)
        column.addWidget(self.filter)
        column.addWidget(self._stack, 1)
        column.addWidget(self._count)
        self.setMinimumWidth(190)
        self._refresh()

    def add(self, paths: Iterable[Path], *, select: Path | None = None) -> None:
        """List more recordings, and choose one of them."""
        self.model.add(paths)
        self._refresh()
        if select is not None:
            self.select(select)

    def clear(self) -> None:
        self.model.clear()
        self._refresh()

    def select(self, path: Path) -> None:
        if path not in self.model.paths:
            return
        row = self._shown.mapFromSource(self.model.index(self.model.paths.index(path)))
        if row.isValid():
            self.list.selectionModel().setCurrentIndex(row, QItemSelectionModel.SelectionFlag.ClearAndSelect)
            self.list.scrollTo(row)

    def _on_current(self, current: QModelIndex, previous: QModelIndex) -> None:
        if current.isValid():
            self.chosen.emit(Path(current.data(RecordingsModel.PathRole)))

    def _on_filter(self, text: str) -> None:
        self._shown.setFilterFixedString(text)
        self._refresh()

    def _refresh(self) -> None:
        all_rows, rows = self.model.rowCount(), self._shown.rowCount()
        self._stack.setCurrentIndex(1 if rows else 0)
        self.filter.setEnabled(bool(all_rows))
        if not all_rows:
            self._empty.setText("Nothing opened yet. Drag files or a folder here, or press Ctrl+O.")
            self._count.clear()
            return
        self._empty.setText("No recording has this in its name.")
        self._count.setText(f"{rows:,} of {all_rows:,} recordings" if rows < all_rows else f"{rows:,} recordings")
