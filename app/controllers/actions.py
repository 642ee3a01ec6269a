"""The table of actions and what follows from it: the box, colours of the timeline, keys for segments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from app.labelling.actions_editor import ActionsEditor, Presets
from app.labelling.panel import LabelPanel
from app.session import Session
from app.settings import SettingsFile
from app.timeline.panel import TimelinePanel
from flora_engine.semantics.action_lists import Action, from_json, from_typed, to_json, to_typed


class ActionTable(QObject):
    """Colours and keys belong to names, and are remembered with the settings; texts are those of the box."""

    def __init__(
        self,
        session: Session,
        labels: LabelPanel,
        timeline: TimelinePanel,
        settings: SettingsFile,
        presets: Presets,
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._session, self._labels, self._timeline, self._settings = session, labels, timeline, settings
        self._presets, self._window = presets, window
        self.editor: ActionsEditor | None = None
        self._looks = {one.name.casefold(): one for one in _kept(settings.now.actions)}
        self._apply()

    def show(self) -> None:
        """The table, with what the box holds."""
        if self.editor is None:
            self.editor = ActionsEditor(self._session, self._presets, self._window)
            self.editor.changed.connect(self.take)
        self.editor.show_actions([self._looked(one) for one in from_typed(self._labels.text())])
        self.editor.show()
        self.editor.raise_()

    def take(self, actions: Sequence[Action]) -> None:
        """These are the actions now."""
        self._looks |= {one.name.casefold(): one for one in actions}
        self._settings.change(actions=to_json([one for one in self._looks.values() if one.colour or one.key]))
        text = to_typed(actions)
        if text != self._labels.text():
            self._labels.set_text(text)
        self._apply()

    def _looked(self, one: Action) -> Action:
        look = self._looks.get(one.name.casefold())
        return one if look is None else replace(one, colour=look.colour, key=look.key)

    def _apply(self) -> None:
        """Colours and keys of the lanes. A key works while the lanes have the keyboard."""
        looks = list(self._looks.values())
        self._timeline.lanes.keys = {one.key.upper(): one.name for one in looks if one.key}
        self._timeline.colours.set_own({one.name: one.colour for one in looks})
        self._timeline.lanes.repaint_all()


def _kept(text: str) -> list[Action]:
    try:
        return from_json(text) if text else []
    except (ValueError, TypeError):
        return []
