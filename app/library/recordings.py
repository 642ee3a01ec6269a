"""The left side of the window for opened files and folders: names to choose from."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from PySide6.QtCore import (
    QAbstractListModel,
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    QSize,
    QSortFilterProxyModel,
    Qt,
    Signal,
)
from PySide6.QtGui import QFont, QFontMetrics, QPainter, QPalette
from PySide6.QtWidgets import (
    QLabel,
    QLineEdit,
    QListView,
    QStackedWidget,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from app.commands import key_text
from app.formats import suffixes
from flora_engine.errors import FloraError
from flora_engine.readers import can_read

_Index = QModelIndex | QPersistentModelIndex
_MOST = 200_000  # entries looked at below one folder
PathRole = Qt.ItemDataRole.UserRole + 1
DetailRole = Qt.ItemDataRole.UserRole + 2  # the smaller second line
SearchRole = Qt.ItemDataRole.UserRole + 3  # what the filter looks at


@dataclass(frozen=True)
class Found:
    """Recordings below some paths, by name. note: one sentence if there are none.

    titles: classes from a `classes.csv` (name,class) beside the recordings.
    """

    paths: tuple[Path, ...]
    note: str = ""
    titles: dict[Path, str] = field(default_factory=dict)


def find_recordings(paths: Iterable[Path]) -> Found:
    """Files unchecked, because their reader says what is wrong with them; of folders, the files that a reader takes."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            files = [entry for entry, _ in zip(path.rglob("*"), range(_MOST), strict=False)]
            found += sorted(file for file in files if file.is_file() and can_read(file))
        elif path.exists():
            found.append(path)
        else:
            raise FloraError("does not exist", path=path, remedy="Check the name, or drop the file onto the window.")
    if not found:
        known = ", ".join(suffixes())
        return Found((), f"No recordings found. Supported files are {known}; docs/formats.md describes each format.")
    unique = tuple(dict.fromkeys(found))
    return Found(unique, titles=_titles(unique))


def _titles(paths: Iterable[Path]) -> dict[Path, str]:
    """The class of each recording that the `classes.csv` of its folder names; a broken list is skipped."""
    lists: dict[Path, dict[str, str]] = {}
    for folder in {path.parent for path in paths}:
        try:
            with (folder / "classes.csv").open(encoding="utf-8", newline="") as file:
                lists[folder] = {row["name"]: row["class"] for row in csv.DictReader(file) if row.get("class")}
        except (OSError, ValueError, KeyError, csv.Error):
            lists[folder] = {}
    return {path: lists[path.parent][path.stem] for path in paths if path.stem in lists[path.parent]}


class RecordingsModel(QAbstractListModel):
    """Paths, shown by their names."""

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
        """Show these in place of the names, such as classes."""
        self._titles |= titles
        if self.paths:
            self.dataChanged.emit(self.index(0), self.index(len(self.paths) - 1))

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008 (Qt's own signature)
        return 0 if parent.isValid() else len(self.paths)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        path = self.paths[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return self._titles.get(path, path.stem)
        if role == DetailRole:
            return path.stem if path in self._titles else path.parent.name
        if role in (SearchRole, Qt.ItemDataRole.AccessibleTextRole):
            return f"{self._titles.get(path, '')} {path.name}".strip()
        if role == Qt.ItemDataRole.ToolTipRole:
            return str(path)
        return str(path) if role == PathRole else None


def counted(number: int, what: str = "recording") -> str:
    """ "1 recording", "2 recordings"."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


class _TwoLines(QStyledItemDelegate):
    """The class or name of a recording, and a fainter line below."""

    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        return QSize(100, 2 * option.fontMetrics.height() + 10)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        self.initStyleOption(option, index)
        chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        title, option.text = option.text, ""
        option.widget.style().drawControl(QStyle.ControlElement.CE_ItemViewItem, option, painter, option.widget)
        roles = QPalette.ColorRole
        box = option.rect.adjusted(8, 4, -8, -4)
        metrics = option.fontMetrics
        painter.save()
        painter.setPen(option.palette.color(roles.HighlightedText if chosen else roles.Text))
        title = metrics.elidedText(title, Qt.TextElideMode.ElideMiddle, box.width())
        painter.drawText(box, Qt.AlignmentFlag.AlignTop, title)
        painter.setPen(option.palette.color(roles.HighlightedText if chosen else roles.PlaceholderText))
        font = QFont(option.font)
        font.setPointSizeF(font.pointSizeF() * 0.88)
        painter.setFont(font)
        detail = QFontMetrics(font).elidedText(str(index.data(DetailRole)), Qt.TextElideMode.ElideMiddle, box.width())
        painter.drawText(box, Qt.AlignmentFlag.AlignBottom, detail)
        painter.restore()


class RecordingsPanel(QWidget):
    """A filter box over the list; choosing a row asks for that recording."""

    chosen = Signal(object)  # Path

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.model = RecordingsModel(self)
        self.shown = QSortFilterProxyModel(self)
        self.shown.setSourceModel(self.model)
        self.shown.setFilterCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self.shown.setFilterRole(SearchRole)
        self.filter = QLineEdit(placeholderText="Filter by name", clearButtonEnabled=True)
        self.filter.setAccessibleName("Filter recordings by name")
        self.filter.textChanged.connect(self._on_filter)
        self.list = QListView()
        self.list.setAccessibleName("Recordings")
        self.list.setModel(self.shown)
        self.list.setItemDelegate(_TwoLines(self.list))
        self.list.setUniformItemSizes(True)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.selectionModel().currentChanged.connect(self._on_current)
        self.empty = QLabel(wordWrap=True, alignment=Qt.AlignmentFlag.AlignTop)
        self.empty.setProperty("role", "muted")
        self.empty.setContentsMargins(4, 8, 4, 4)
        self.count = QLabel()
        self.count.setProperty("role", "muted")
        self._stack = QStackedWidget()
        self._stack.addWidget(self.empty)
        self._stack.addWidget(self.list)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 0, 6, 8)
        column.addWidget(self.filter)
        column.addWidget(self._stack, 1)
        column.addWidget(self.count)
        self.setMinimumWidth(190)
        self._refresh()

    def add(self, found: Found, *, select: Path | None = None) -> None:
        """List more recordings, and choose one of them."""
        self.model.set_titles(found.titles)
        self.model.add(found.paths)
        self._refresh()
        if select is not None:
            self.select(select)

    def clear(self) -> None:
        self.model.clear()
        self._refresh()

    def select(self, path: Path) -> None:
        if path not in self.model.paths:
            return
        row = self.shown.mapFromSource(self.model.index(self.model.paths.index(path)))
        if row.isValid():
            self.list.selectionModel().setCurrentIndex(row, QItemSelectionModel.SelectionFlag.ClearAndSelect)
            self.list.scrollTo(row)

    def _on_current(self, current: QModelIndex, previous: QModelIndex) -> None:
        if current.isValid():
            self.chosen.emit(Path(current.data(PathRole)))

    def _on_filter(self, text: str) -> None:
        self.shown.setFilterFixedString(text)
        self._refresh()

    def _refresh(self) -> None:
        all_rows, rows = self.model.rowCount(), self.shown.rowCount()
        self._stack.setCurrentIndex(1 if rows else 0)
        self.filter.setEnabled(bool(all_rows))
        if not all_rows:
            self.empty.setText(f"No recordings yet. Drop files or a folder here, or press {key_text('file.open')}.")
            self.count.clear()
            return
        self.empty.setText("No recording has this text in its name.")
        self.count.setText(f"{rows:,} of {counted(all_rows)}" if rows < all_rows else counted(all_rows))
