"""What the import dialog finds out about files before it imports them. Qt-free."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from flora_engine.datasets.importing import ImportOptions, Preview, find_recordings, preview
from flora_engine.errors import FloraError
from flora_engine.jobs import Job
from flora_engine.skeleton import LAYOUTS

T = TypeVar("T")
SAMPLE = 60  # files looked at; spread evenly over all


@dataclass(frozen=True)
class Line:
    """One file. cells: name, class, frames, persons, up axis, what was found. verdict: good … unreadable."""

    cells: tuple[str, ...]
    verdict: str
    detail: str


@dataclass(frozen=True)
class Look:
    """What a sample of the files looks like. files: how many there are; ignored: other files in the folders."""

    files: int
    ignored: int
    previews: tuple[Preview, ...]

    @property
    def lines(self) -> list[Line]:
        return [_line(found) for found in self.previews]

    @property
    def readable(self) -> int:
        return sum(found.inspection is not None for found in self.previews)

    @property
    def summary(self) -> str:
        counts = Counter(line.verdict for line in self.lines)
        words = {"good": "good", "doubtful": "doubtful", "bad": "odd", "unreadable": "unreadable"}
        parts = [f"{counts[verdict]} {word}" for verdict, word in words.items() if counts[verdict]]
        what = f"{self.files:,} files" if self.files != 1 else "1 file"
        looked = f"of the {len(self.previews)} looked at " if len(self.previews) < self.files else ""
        passed = f" {self.ignored:,} other files are passed over." if self.ignored else ""
        unlabelled = sum(not found.class_name for found in self.previews if found.inspection is not None)
        labels = f" {unlabelled} have no class yet." if unlabelled else ""
        return f"{what}; {looked}{', '.join(parts)}.{labels}{passed}"


@dataclass(frozen=True)
class Advice:
    """Corrections that most of the files seem to need; None where nothing is to be corrected."""

    layout: str | None
    up: str | None
    scale: float | None

    @property
    def text(self) -> str:
        parts = []
        if self.layout is not None:
            parts.append(f"layout {self.layout}")
        if self.up is not None:
            parts.append(f"{self.up} up")
        if self.scale is not None:
            parts.append(f"scale {self.scale:g}")
        return "Correct: " + ", ".join(parts)


def look_at(job: Job, paths: Sequence[Path], options: ImportOptions) -> Look:
    """Inspect up to SAMPLE files as an import would read them; FloraError where there is nothing to read."""
    files, ignored = find_recordings(paths, leave_out=options.labels)
    step = max(1, -(-len(files) // SAMPLE))
    return Look(len(files), ignored, tuple(preview(job, files[::step], options)))


def advice_of(look: Look) -> Advice | None:
    """What more than half of the readable files need; None if nothing."""
    seen = [found for found in look.previews if found.inspection is not None]
    if not seen:
        return None
    layouts: Counter[str] = Counter()
    ups: Counter[str] = Counter()
    scales: Counter[float] = Counter()
    for found in seen:
        inspection = found.inspection
        assert inspection is not None
        if inspection.layout not in (None, found.layout):
            layouts[str(inspection.layout)] += 1
        if inspection.up not in (None, "+y"):
            ups[str(inspection.up)] += 1
        if inspection.scale not in (None, 1.0):
            scales[float(inspection.scale or 1.0)] += 1
    advice = Advice(_most(layouts, len(seen)), _most(ups, len(seen)), _most(scales, len(seen)))
    return advice if advice != Advice(None, None, None) else None


def _most(counts: Counter[T], total: int) -> T | None:
    """The commonest, if more than half of `total` are it."""
    best = counts.most_common(1)
    return best[0][0] if best and 2 * best[0][1] > total else None


def number(text: str, what: str) -> float | None:
    """A number that the user typed, None for an empty box; FloraError otherwise."""
    if not text.strip():
        return None
    try:
        return float(text.replace(",", "."))
    except ValueError:
        raise FloraError(f"the {what} “{text}” is no number", remedy="Write it like 0.01, or leave it empty.") from None


def options_data(options: ImportOptions) -> dict[str, object]:
    """JSON-ready arguments for the worker; what is not given is left out."""
    values = {
        "labels": None if options.labels is None else str(options.labels),
        "labels_from": options.labels_from,
        "dataset": options.dataset,
        "layout": options.layout,
        "up": options.up,
        "scale": options.scale,
        "fps": options.fps,
    }
    return {key: value for key, value in values.items() if value is not None}


def _line(found: Preview) -> Line:
    inspection = found.inspection
    if inspection is None:
        return Line((found.path.name, "–", "–", "–", "–", found.problem), "unreadable", found.problem)
    doubts = [check for check in inspection.checks if check.verdict != "good"]
    text = "; ".join(check.finding for check in doubts) or LAYOUTS[found.layout].title
    detail = "\n".join(f"{check.name}: {check.finding}. {check.advice}".strip() for check in inspection.checks)
    cells = (
        found.path.name,
        found.class_name or "–",
        str(inspection.frames),
        str(inspection.persons),
        inspection.up or "?",
        text,
    )
    return Line(cells, inspection.verdict, detail)
