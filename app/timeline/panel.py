"""The panel below the player: the lanes, a scroll bar, and buttons for what is done most."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QMenu, QScrollArea, QScrollBar, QToolButton, QVBoxLayout, QWidget

from app.commands import title_of, with_key
from app.theme import Theme
from app.timeline.colours import Colours
from app.timeline.lanes import Lanes
from app.timeline.painting import GUTTER
from app.widgets import ElidedLabel

_SCALE = 16  # steps of the scroll bar per frame
_MOST_HEIGHT = 150  # pixels that the lanes insist on; more of them scroll
_BUTTONS = (
    ("Find", "timeline.find"),
    ("Accept", "timeline.accept"),
    ("Add", "timeline.add"),
    ("Split", "timeline.split"),
)
_ZOOM = (("−", "timeline.zoom_out"), ("+", "timeline.zoom_in"), ("All", "timeline.all"))


class TimelinePanel(QWidget):
    """Its buttons ask for commands of the table; the lanes are `lanes`."""

    lanes: Lanes

    wanted = Signal(str)  # id of a command
    scores_chosen = Signal(object)  # names of the classes whose scores are shown

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.colours = Colours()
        self.lanes = Lanes(self.colours)
        self.message = ElidedLabel(end=True)
        self.message.setProperty("role", "muted")
        self.buttons: dict[str, QToolButton] = {}
        self._bar = QScrollBar(Qt.Orientation.Horizontal)
        self._bar.setAccessibleName("Part of the recording that the timeline shows")
        self._bar.valueChanged.connect(lambda value: self.lanes.scroll_to(value / _SCALE))
        self.lanes.moved.connect(self._on_moved)
        self.lanes.height_changed.connect(self._on_height)
        self._names: Sequence[str] = ()
        self._scores = self._make_scores()
        self._lay_out()

    def set_theme(self, theme: Theme) -> None:
        self.lanes.set_theme(theme)

    def set_classes(self, names: Sequence[str]) -> None:
        """The classes whose scores can be shown."""
        self._names = names
        self._scores.setEnabled(bool(names))

    def enable(self, enabled: Callable[[str], bool]) -> None:
        """Enable each button as its command is."""
        for id, each in self.buttons.items():
            each.setEnabled(enabled(id))

    def _make_scores(self) -> QToolButton:
        made = QToolButton()
        made.setText("Scores ▾")
        made.setAccessibleName("Scores")
        made.setToolTip("Choose the classes whose scores are shown")
        made.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(made)
        menu.aboutToShow.connect(lambda: self._fill_scores(menu))
        made.setMenu(menu)
        made.setEnabled(False)
        return made

    def _fill_scores(self, menu: QMenu) -> None:
        menu.clear()
        for name in self._names:
            action = menu.addAction(name)
            action.setCheckable(True)
            action.setChecked(name in self.lanes.content.chosen)
            action.toggled.connect(lambda on, name=name: self._choose(name, on))

    def _choose(self, name: str, on: bool) -> None:
        chosen = {*self.lanes.content.chosen, name} if on else {*self.lanes.content.chosen} - {name}
        self.scores_chosen.emit(tuple(one for one in self._names if one in chosen))

    def _button(self, text: str, id: str) -> QToolButton:
        made = QToolButton()
        made.setText(text)
        made.setAccessibleName(title_of(id))
        made.setToolTip(with_key(id))
        made.clicked.connect(lambda _=False: self.wanted.emit(id))
        self.buttons[id] = made
        return made

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.setSpacing(4)
        for text, id in _BUTTONS:
            top.addWidget(self._button(text, id))
        top.addWidget(self._scores)
        top.addWidget(self.message, 1)
        for text, id in _ZOOM:
            top.addWidget(self._button(text, id))
        scroll = QHBoxLayout()
        scroll.setContentsMargins(GUTTER, 0, 0, 0)
        scroll.addWidget(self._bar)
        self._area = area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QScrollArea.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(self.lanes)
        self._on_height()
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 0, 6, 4)
        column.setSpacing(3)
        column.addLayout(top)
        column.addWidget(area, 1)
        column.addLayout(scroll)

    def _on_height(self) -> None:
        """Make room for all lanes, as far as that leaves the 3D view enough."""
        self._area.setMinimumHeight(min(self.lanes.sizeHint().height(), _MOST_HEIGHT))

    def _on_moved(self) -> None:
        axis = self.lanes.axis
        with QSignalBlocker(self._bar):
            self._bar.setRange(0, round((axis.frames - axis.span) * _SCALE) if axis.frames else 0)
            self._bar.setPageStep(max(round(axis.span * _SCALE), 1))
            self._bar.setSingleStep(max(round(axis.span * _SCALE / 20), 1))
            self._bar.setValue(round(axis.first * _SCALE))
        self._bar.setEnabled(axis.span < axis.frames)
