"""What the import dialog knows about the files before it imports them, and the user's corrections. Qt-free."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from flora_engine.datasets.importing import ImportLabels, ImportOptions, Preview, find_recordings
from flora_engine.errors import FloraError
from flora_engine.readers.corrections import Correction

T = TypeVar("T")
Rows = NDArray[np.int64]
Shown = Literal["all", "doubts", "unreadable"]

# Codes of `Looks.verdicts`, in order of severity.
WAITING, GOOD, DOUBTFUL, BAD, UNREADABLE = range(5)
_CODES = {"good": GOOD, "doubtful": DOUBTFUL, "bad": BAD}
FIRST = 60  # files inspected before the others, from all folders: enough to give advice


@dataclass(frozen=True, slots=True)
class Seen:
    """The result of inspecting one file: one flat object, because the garbage collector visits those of all files.

    own_layout: as the file says, "" if it cannot be read; layout: as corrected; fits: the layout that fits best.
    bones, symmetry, nan: shares, None if unknown. doubts: the warnings, in one line; detail: all checks.
    """

    source: Path
    name: str
    metadata: Mapping[str, int | str]
    own_layout: str
    layout: str
    verdict: int
    doubts: str
    detail: str
    fits: str | None = None
    frames: int | None = None
    persons: int | None = None
    fps: float | None = None
    nan: float | None = None
    bones: float | None = None
    symmetry: float | None = None
    up: str | None = None
    scale: float | None = None


def seen(found: Preview, path: Path) -> Seen:
    """What to keep of the inspection of the file `path`."""
    it = found.inspection
    base = (path, found.name, found.metadata, found.own_layout, found.layout)
    if it is None:
        return Seen(*base, UNREADABLE, found.problem.removeprefix(f"{path}: "), found.problem)
    return Seen(
        *base,
        _CODES[it.verdict],
        "; ".join(check.finding for check in it.checks if check.verdict != "good"),
        "\n".join(f"{check.name}: {check.finding}. {check.advice}".strip() for check in it.checks),
        it.layout,
        it.frames,
        it.persons,
        it.fps,
        it.nan_share,
        it.bone_steadiness,
        it.symmetry,
        it.up,
        it.scale,
    )


@dataclass(frozen=True)
class Advice:
    """A correction that most files in `layout` need; "": most of all files."""

    layout: str
    correction: Correction

    @property
    def text(self) -> str:
        parts = []
        if self.correction.layout is not None:
            parts.append(f"layout {self.correction.layout}")
        if self.correction.up is not None:
            parts.append(f"{self.correction.up} up")
        if self.correction.scale is not None:
            parts.append(f"scale {self.correction.scale:g}")
        whose = f" files of {self.layout}" if self.layout else ""
        return f"Correct{whose}: " + ", ".join(parts)


class Looks:
    """What is known about each file; a row is an index of `files`.

    seen: None until a file is inspected. verdicts: uint8, WAITING … UNREADABLE. classes: "" if unknown.
    """

    def __init__(self, files: Sequence[Path] = (), ignored: int = 0) -> None:
        self.files = tuple(files)
        self.names = [path.name for path in files]
        self.ignored = ignored  # other files in the folders
        self.seen: list[Seen | None] = [None] * len(files)
        self.verdicts: NDArray[np.uint8] = np.zeros(len(files), np.uint8)
        self.classes = [""] * len(files)
        self._labelled: NDArray[np.bool_] = np.zeros(len(files), np.bool_)
        # (rows, 4): the layout in the file, and the layout, up axis and scale that it seems to need, as codes
        self._needs: NDArray[np.int16] = np.zeros((len(files), 4), np.int16)
        self._codes: dict[object, int] = {None: 0}

    def put(self, row: int, found: Seen, class_name: str) -> None:
        """The result for one file."""
        self.seen[row], self.classes[row], self.verdicts[row] = found, class_name, found.verdict
        self._labelled[row] = bool(class_name) or found.verdict == UNREADABLE
        self._needs[row] = (
            self._code(found.own_layout or None),
            self._code(found.fits if found.fits != found.layout else None),
            self._code(found.up if found.up != "+y" else None),
            self._code(found.scale if found.scale != 1.0 else None),
        )

    def forget(self, rows: Sequence[int]) -> None:
        """Wait for these files to be inspected again."""
        self.verdicts[rows] = WAITING
        for row in rows:
            self.seen[row] = None

    def _code(self, value: object) -> int:
        return self._codes.setdefault(value, len(self._codes))

    def waiting(self) -> Rows:
        """Rows to inspect: first a sample from all files, which shows what the others are like."""
        rows = np.flatnonzero(self.verdicts == WAITING)
        first = np.zeros(len(rows), np.bool_)
        first[:: max(1, -(-len(rows) // FIRST))] = True
        return np.concatenate([rows[first], rows[~first]])

    def count(self, *verdicts: int) -> int:
        return int(np.isin(self.verdicts, verdicts).sum())

    @property
    def readable(self) -> int:
        return self.count(GOOD, DOUBTFUL, BAD)

    @property
    def layouts(self) -> list[str]:
        """The layouts named in the files inspected so far."""
        names = list(self._codes)
        return sorted(str(names[code]) for code in np.unique(self._needs[:, 0]) if code)

    @property
    def summary(self) -> str:
        counts = np.bincount(self.verdicts, minlength=5).tolist()
        words = {
            GOOD: "look human" if counts[GOOD] != 1 else "looks human",
            DOUBTFUL: "doubtful",
            BAD: "bad",
            UNREADABLE: "unreadable",
            WAITING: "not yet inspected",
        }
        parts = [f"{counts[code]:,} {word}" for code, word in words.items() if counts[code]]
        what = f"{len(self.files):,} files" if len(self.files) != 1 else "1 file"
        unlabelled = int((~self._labelled & (self.verdicts != WAITING)).sum())
        labels = f" {unlabelled:,} without a class." if unlabelled else ""
        passed = f" {self.ignored:,} other files are skipped." if self.ignored else ""
        return f"{what}: {', '.join(parts)}.{labels}{passed}"

    def advice(self) -> Advice | None:
        """What more than half of the inspected files need, of all or of one layout; None if nothing, or too few."""
        if self.count(WAITING) and len(self.files) - self.count(WAITING) < FIRST:
            return None
        readable = self._needs[(self.verdicts > WAITING) & (self.verdicts < UNREADABLE)]
        names = list(self._codes)
        layouts, counts = np.unique(readable[:, 0], return_counts=True)
        for code in layouts[np.argsort(-counts, kind="stable")]:
            needed = [_most(column) for column in readable[readable[:, 0] == code, 1:].T]
            if any(needed):
                correction = Correction(*(names[need] for need in needed))  # type: ignore[arg-type]
                return Advice(str(names[code]) if len(self.layouts) > 1 else "", correction)
        return None

    def arranged(self, shown: Shown, column: int, descending: bool) -> Rows:
        """Rows that pass a filter, in the order of a column (-1: as found); unknown values come last."""
        least = {"all": WAITING, "doubts": DOUBTFUL, "unreadable": UNREADABLE}[shown]
        rows = np.flatnonzero(self.verdicts >= least)
        if column < 0:
            return rows
        values = column_values(self, column)
        known = [row for row in rows.tolist() if values[row] is not None]
        known.sort(key=values.__getitem__, reverse=descending)  # type: ignore[arg-type]
        rest = [row for row in rows.tolist() if values[row] is None] if len(known) < len(rows) else []
        return np.array(known + rest, np.int64)


def _most(codes: NDArray[np.int16]) -> int:
    """The most common code if more than half have it, otherwise 0."""
    counts = np.bincount(codes)
    best = int(np.argmax(counts))
    return best if 2 * counts[best] > len(codes) else 0


@dataclass(frozen=True)
class Listing:
    """The files to import, what is already known about them, and what gives them classes."""

    looks: Looks
    import_labels: ImportLabels


def list_files(paths: Sequence[Path], options: ImportOptions, known: Iterable[Seen | None] = ()) -> Listing:
    """Find the recordings. Known results are kept and labelled again. FloraError if there are no recordings."""
    files, ignored = find_recordings(paths, options.labels, archives=True)
    import_labels, looks = ImportLabels(files, options), Looks(files, ignored)
    before = {found.source: found for found in known if found is not None}
    for row, path in enumerate(files) if before else ():
        found = before.get(path)
        if found is not None:
            looks.put(row, found, class_name(import_labels, found))
    return Listing(looks, import_labels)


def class_name(import_labels: ImportLabels, found: Seen) -> str:
    """The class that a file gets, "" if it is unknown or the file cannot be read."""
    return "" if found.verdict == UNREADABLE else import_labels.class_name(found)


# Corrections


@dataclass(frozen=True)
class Scope:
    """The files whose correction the form shows: all, those in one layout, or single files."""

    layout: str = ""
    files: tuple[Path, ...] = ()
    single: bool = False  # whether it means `files`, which may be empty


def correction_of(options: ImportOptions, scope: Scope) -> Correction:
    """The correction of a scope; empty if its files differ."""
    if scope.single:
        said = {options.by_file.get(path, Correction()) for path in scope.files}
        return said.pop() if len(said) == 1 else Correction()
    if scope.layout:
        return options.by_layout.get(scope.layout, Correction())
    return Correction(options.layout, options.up, options.scale, options.fps)


def corrected(options: ImportOptions, scope: Scope, before: Correction, after: Correction) -> ImportOptions:
    """The options with what the form changed from `before` to `after`; everything else stays, file by file."""
    changed = {
        f.name: getattr(after, f.name) for f in fields(Correction) if getattr(after, f.name) != getattr(before, f.name)
    }
    if scope.single:
        by_file = dict(options.by_file)
        for path in scope.files:
            _set(by_file, path, changed)
        return replace(options, by_file=by_file)
    if scope.layout:
        by_layout = dict(options.by_layout)
        _set(by_layout, scope.layout, changed)
        return replace(options, by_layout=by_layout)
    return replace(options, **changed)


def _set(corrections: dict[T, Correction], key: T, changed: dict[str, object]) -> None:
    new = replace(corrections.get(key, Correction()), **changed)  # type: ignore[arg-type]
    if new == Correction():
        corrections.pop(key, None)
    else:
        corrections[key] = new


def touched(looks: Looks, before: ImportOptions, after: ImportOptions) -> list[int]:
    """Inspected rows whose correction differs between the two options."""
    nobody = Path()
    layouts = {found.own_layout for found in looks.seen if found is not None} - {""}  # "": unreadable
    general = {one for one in layouts if before.correction(nobody, one) != after.correction(nobody, one)}
    single = set(before.by_file) | set(after.by_file)
    rows = [row for row, found in enumerate(looks.seen) if found is not None and found.own_layout in general]
    if not single:
        return rows
    special = {row for row, found in enumerate(looks.seen) if found is not None and found.source in single}
    other = {row for row in special if _differ(looks.seen[row], before, after)}
    return sorted((set(rows) - special) | other)


def _differ(found: Seen | None, before: ImportOptions, after: ImportOptions) -> bool:
    if found is None or not found.own_layout:
        return False
    return before.correction(found.source, found.own_layout) != after.correction(found.source, found.own_layout)


def number(text: str, what: str) -> float | None:
    """The number in a box, None if it is empty; FloraError if it is not a number."""
    if not text.strip():
        return None
    try:
        return float(text.replace(",", "."))
    except ValueError:
        remedy = "Write it like 0.01, or leave it empty."
        raise FloraError(f"the {what} “{text}” is not a number", remedy=remedy) from None


def options_data(options: ImportOptions) -> dict[str, object]:
    """JSON-ready arguments for the worker, without the options that are not set."""
    values = {
        "labels": None if options.labels is None else str(options.labels),
        "labels_from": options.labels_from,
        "dataset": options.dataset,
        **_given(Correction(options.layout, options.up, options.scale, options.fps)),
        "by_layout": {layout: _given(one) for layout, one in options.by_layout.items()} or None,
        "by_file": {str(path): _given(one) for path, one in options.by_file.items()} or None,
    }
    return {key: value for key, value in values.items() if value is not None}


def _given(correction: Correction) -> dict[str, object]:
    values = {f.name: getattr(correction, f.name) for f in fields(Correction)}
    return {key: value for key, value in values.items() if value is not None}


# The table


@dataclass(frozen=True)
class Column:
    """value: what files are sorted by, None if unknown. text: how a cell shows it."""

    title: str
    value: Callable[[Seen], object]
    text: Callable[[Any], str]
    width: int
    number: bool = False
    tip: str = ""


MARKS = ("…", "✓ good", "! doubtful", "✕ bad", "✕ unreadable")
_NAME, _LOOKS, _CLASS = range(3)


def column_text(looks: Looks, row: int, column: int) -> str:
    """The text of a cell; only the name if the file has not been inspected."""
    found = looks.seen[row]
    if column == _NAME:
        return looks.names[row]
    if found is None:
        return MARKS[WAITING] if column == _LOOKS else ""
    value = looks.classes[row] if column == _CLASS else COLUMNS[column].value(found)
    return COLUMNS[column].text(value) if value not in (None, "") else "" if column == _FOUND else "–"


def column_values(looks: Looks, column: int) -> Sequence[object]:
    """What files are sorted by, None if unknown."""
    if column == _NAME:
        return looks.names
    if column == _CLASS:
        return [name or None for name in looks.classes]
    value = COLUMNS[column].value
    return [None if found is None else value(found) for found in looks.seen]


def detail(looks: Looks, row: int) -> str:
    """All checks of a file, one per line."""
    found = looks.seen[row]
    return "Not yet inspected" if found is None else found.detail


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


COLUMNS = (
    Column("File", lambda found: None, str, 216),
    Column("Looks", lambda found: found.verdict, lambda code: MARKS[code], 108),
    Column("Class", lambda found: None, str, 104),
    Column("Frames", lambda found: found.frames, str, 58, True, "Number of frames"),
    Column("Rate", lambda found: found.fps, "{:g}".format, 42, True, "Frames per second"),
    Column("Persons", lambda found: found.persons, str, 62, True, "Number of persons"),
    Column("NaN", lambda found: found.nan, _percent, 46, True, "Share of the joints that are missing (NaN)"),
    Column("Bones", lambda found: found.bones, _percent, 52, True, "How much bone lengths vary; 0 if rigid"),
    Column("L–R", lambda found: found.symmetry, _percent, 44, True, "How much left and right bones differ"),
    Column("Up", lambda found: found.up, str, 36, tip="The axis that seems to point up"),
    Column("Layout", lambda found: found.fits, str, 84, tip="The joint layout that fits best"),
    Column("Findings", lambda found: found.doubts or None, str, 200),
)
_FOUND = len(COLUMNS) - 1
