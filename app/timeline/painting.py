"""How the lanes look: everything but the playhead, painted once per change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPen

from app.theme import LIGHT, Theme
from app.timeline.axis import Axis
from app.timeline.colours import Colours, text_on
from app.viewer.playback import clock_text
from flora_engine.labelling.editing import tiers
from flora_engine.labelling.lanes import Scores, binned
from flora_engine.labelling.segments import Segment

GUTTER = 74  # pixels at the left for the names of the lanes
RULER, ROW, STRIP, MOTION, GAP = 18, 20, 13, 26, 3
_MOST_ROWS = 3  # of overlapping segments in one lane


@dataclass
class Content:
    """What the lanes show of one recording. until: the last frame that a search has covered, None if none runs."""

    truth: tuple[Segment, ...] = ()
    found: tuple[Segment, ...] = ()
    scores: Scores | None = None
    chosen: tuple[str, ...] = ()  # classes whose scores are shown
    energy: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    until: int | None = None
    selected: Segment | None = None  # one of truth or found, by identity

    @cached_property
    def rows(self) -> dict[str, list[int]]:
        """The row of each true and each found segment in its lane."""
        return {kind: [min(row, _MOST_ROWS - 1) for row in tiers(self.segments(kind))] for kind in ("truth", "found")}

    @cached_property
    def places(self) -> dict[str, NDArray[np.int64]]:
        """First and last frame of each true and each found segment, (n, 2), to find what is in sight."""
        return {
            kind: np.array([(s.start, s.end) for s in self.segments(kind)], np.int64).reshape(-1, 2)
            for kind in ("truth", "found")
        }

    @cached_property
    def loudest(self) -> float:
        """The motion that fills its lane: almost the largest, for jumps of a sensor would flatten all else."""
        return max(float(np.quantile(self.energy, 0.995)), 1e-6) if len(self.energy) else 1.0

    def segments(self, kind: str) -> tuple[Segment, ...]:
        """Those of a lane, none if it holds others."""
        return {"truth": self.truth, "found": self.found}.get(kind, ())


@dataclass(frozen=True)
class Lane:
    """A lane on screen: its kind ("truth", "found", "motion" or a class name after "score:"), top and height."""

    kind: str
    top: int
    height: int


def lanes_of(content: Content) -> list[Lane]:
    """The lanes from above."""
    found, top = [], RULER + GAP
    for kind, of_segments in content.rows.items():
        height = ROW * (max(of_segments, default=0) + 1)
        found.append(Lane(kind, top, height))
        top += height + GAP
    for name in content.chosen:
        found.append(Lane(f"score:{name}", top, STRIP))
        top += STRIP + 1
    top += GAP if content.chosen else 0
    found.append(Lane("motion", top, MOTION))
    return found


def height_of(lanes: Sequence[Lane]) -> int:
    """Of all lanes together, in pixels."""
    return lanes[-1].top + lanes[-1].height + GAP


def boxes(content: Content, lane: Lane, axis: Axis) -> list[tuple[Segment, QRectF]]:
    """The segments of a lane that are in sight, with their boxes, in the lane's own x (without the gutter)."""
    if lane.kind not in content.rows:
        return []
    segments, rows, places = content.segments(lane.kind), content.rows[lane.kind], content.places[lane.kind]
    found = []
    for number in np.flatnonzero((places[:, 1] + 1 > axis.first) & (places[:, 0] < axis.first + axis.span)).tolist():
        segment = segments[number]
        x, right = axis.x(segment.start), axis.x(segment.end + 1)
        found.append((segment, QRectF(x, lane.top + ROW * rows[number], max(right - x, 1.5), ROW)))
    return found


class LanePainter:
    """Paints the lanes of a content in a theme."""

    def __init__(self, axis: Axis, colours: Colours) -> None:
        self._axis, self._colours = axis, colours
        self.theme: Theme = LIGHT

    def paint(self, painter: QPainter, content: Content, width: int, height: int) -> None:
        """Everything but the playhead and the selection, on `width` × `height` pixels."""
        theme, lanes = self.theme, lanes_of(content)
        painter.fillRect(0, 0, width, height, QColor(theme.surface))
        self._ruler(painter, height_of(lanes))
        for lane in lanes:
            self._name(painter, lane)
            painter.save()
            painter.translate(GUTTER, 0)
            painter.setClipRect(QRectF(0, 0, self._axis.width, height))
            painter.fillRect(QRectF(0, lane.top, self._axis.width, lane.height), QColor(theme.window))
            if lane.kind in ("truth", "found"):
                self._segments(painter, content, lane)
            elif lane.kind == "motion":
                self._motion(painter, content, lane)
            else:
                self._strip(painter, content, lane)
            painter.restore()

    def _ruler(self, painter: QPainter, bottom: int) -> None:
        axis = self._axis
        for seconds in axis.marks(64):
            x = GUTTER + axis.x(seconds * axis.fps)
            painter.setPen(QColor(self.theme.grid))
            painter.drawLine(QPointF(x, RULER - 5), QPointF(x, bottom))
            painter.setPen(QColor(self.theme.muted))
            text = clock_text(seconds)
            if x + 3 + painter.fontMetrics().horizontalAdvance(text) <= GUTTER + axis.width:  # not half of it
                painter.drawText(QPointF(x + 3, RULER - 5), text)

    def _name(self, painter: QPainter, lane: Lane) -> None:
        kind, _, name = lane.kind.partition(":")
        text = name or {"truth": "Truth", "found": "Found", "motion": "Motion"}[kind]
        painter.setPen(QColor(self.theme.text if kind in ("truth", "found") else self.theme.muted))
        box = QRectF(4, lane.top, GUTTER - 8, lane.height)
        painter.drawText(
            box,
            Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft,
            painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, GUTTER - 8),
        )

    def _segments(self, painter: QPainter, content: Content, lane: Lane) -> None:
        truth = lane.kind == "truth"
        for segment, box in boxes(content, lane, self._axis):
            colour = QColor(self._colours.of(segment.name))
            fill = QColor(colour)
            if not truth:
                fill.setAlphaF(0.45)
            painter.fillRect(box.adjusted(0, 1, 0, -1), fill)
            if box.width() > 4:
                painter.setPen(QPen(colour, 1))
                painter.drawRect(box.adjusted(0, 1, -1, -2))
            if box.width() > 24:
                painter.setPen(QColor(text_on(colour.name()) if truth else self.theme.text))
                left, right = max(box.x(), 0.0) + 4, min(box.right(), self._axis.width) - 2
                text = painter.fontMetrics().elidedText(segment.name, Qt.TextElideMode.ElideRight, int(right - left))
                inner = QRectF(left, box.y(), right - left, box.height())
                painter.drawText(inner, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, text)
        if not truth and content.until is not None:
            x = self._axis.x(content.until + 1)
            painter.fillRect(
                QRectF(x, lane.top, max(self._axis.width - x, 0), lane.height),
                Qt.BrushStyle.BDiagPattern if x < self._axis.width else Qt.BrushStyle.NoBrush,
            )

    def _strip(self, painter: QPainter, content: Content, lane: Lane) -> None:
        name = lane.kind.partition(":")[2]
        scores = content.scores
        if scores is None or name not in scores.names:
            return
        axis, column = self._axis, scores.values[:, scores.names.index(name)]
        shares = binned(column, axis.first / scores.step, (axis.first + axis.span) / scores.step, axis.width)
        picture = _picture(shares[None], QColor(self._colours.of(name)))
        painter.drawImage(QRectF(0, lane.top, axis.width, lane.height), picture)

    def _motion(self, painter: QPainter, content: Content, lane: Lane) -> None:
        axis = self._axis
        if not len(content.energy):
            return
        values = binned(content.energy, axis.first, axis.first + axis.span, axis.width)
        heights = np.minimum(values / content.loudest, 1.0) * (lane.height - 2)
        shares = heights > np.arange(lane.height)[::-1, None]  # (height, width): a polygon takes ten times as long
        picture = _picture(shares.astype(np.float32), QColor(self.theme.muted))
        painter.drawImage(QRectF(0, lane.top, axis.width, lane.height), picture)


def _picture(shares: NDArray[np.float32], colour: QColor) -> QImage:
    """One colour, as dense as `shares` (height, width) say."""
    pixels = np.empty((*shares.shape, 4), np.uint8)
    pixels[..., :3] = (colour.blue(), colour.green(), colour.red())
    pixels[..., 3] = np.round(255 * np.clip(shares, 0, 1))
    height, width = shares.shape
    return QImage(pixels.tobytes(), width, height, 4 * width, QImage.Format.Format_ARGB32).copy()
