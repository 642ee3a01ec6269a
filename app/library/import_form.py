"""What the import dialog knows of the files before it imports them, and what the user puts right. Qt-free."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from flora_engine.datasets.importing import ImportOptions, Labeller, Preview, find_recordings
from flora_engine.errors import FloraError
from flora_engine.readers.corrections import Correction

T = TypeVar("T")
Rows = NDArray[np.int64]
Shown = Literal["all", "doubts", "unreadable"]

# Codes of `Looks.verdicts`, in order of severity.
WAITING, GOOD, DOUBTFUL, BAD, UNREADABLE = range(5)
_CODES = {"good": GOOD, "doubtful": DOUBTFUL, "bad": BAD}
FIRST = 60  # files looked at before the others, from all over the folders: enough to advise by


@dataclass(frozen=True, slots=True)
class Seen:
    """What is kept of the look at a file: one object, since Python's cyclic collector goes round those of all files.

    own_layout: as the file says, "" where it cannot be read; layout: as corrected; fits: the one that fits best.
    bones, symmetry, nan: shares; None where they cannot be told. doubts: what is not good, in a line; detail: all.
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
    """What to keep of a look at the file `path`."""
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
    """A correction that most of the files need which say they are in `layout` ("": most of all files)."""

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
    """What is known of each file; a row is a place in `files`.

    seen: None until a file is inspected. verdicts: uint8, WAITING … UNREADABLE. classes: "" where nothing tells.
    """

    def __init__(self, files: Sequence[Path] = (), ignored: int = 0) -> None:
        self.files = tuple(files)
        self.names = [path.name for path in files]
        self.ignored = ignored  # other files in the folders
        self.seen: list[Seen | None] = [None] * len(files)
        self.verdicts: NDArray[np.uint8] = np.zeros(len(files), np.uint8)
        self.classes = [""] * len(files)
        self._labelled: NDArray[np.bool_] = np.zeros(len(files), np.bool_)
        # (rows, 4): the layout that a file says, and the layout, up axis and scale that it seems to need, as codes
        self._needs: NDArray[np.int16] = np.zeros((len(files), 4), np.int16)
        self._codes: dict[object, int] = {None: 0}

    def put(self, row: int, found: Seen, class_name: str) -> None:
        """The look at one file."""
        self.seen[row], self.classes[row], self.verdicts[row] = found, class_name, found.verdict
        self._labelled[row] = bool(class_name) or found.verdict == UNREADABLE
        self._needs[row] = (
            self._code(found.own_layout or None),
            self._code(found.fits if found.fits != found.layout else None),
            self._code(found.up if found.up != "+y" else None),
            self._code(found.scale if found.scale != 1.0 else None),
        )

    def forget(self, rows: Sequence[int]) -> None:
        """These files are to be inspected again."""
        self.verdicts[rows] = WAITING
        for row in rows:
            self.seen[row] = None

    def _code(self, value: object) -> int:
        return self._codes.setdefault(value, len(self._codes))

    def waiting(self) -> Rows:
        """Rows to inspect: first some from all over the files, which tell what the others will be like."""
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
        """The layouts that the files inspected so far say they are in."""
        names = list(self._codes)
        return sorted(str(names[code]) for code in np.unique(self._needs[:, 0]) if code)

    @property
    def summary(self) -> str:
        counts = np.bincount(self.verdicts, minlength=5).tolist()
        words = {
            GOOD: "look human" if counts[GOOD] != 1 else "looks human",
            DOUBTFUL: "doubtful",
            BAD: "odd",
            UNREADABLE: "unreadable",
            WAITING: "not inspected yet",
        }
        parts = [f"{counts[code]:,} {word}" for code, word in words.items() if counts[code]]
        what = f"{len(self.files):,} files" if len(self.files) != 1 else "1 file"
        unlabelled = int((~self._labelled & (self.verdicts != WAITING)).sum())
        labels = f" {unlabelled:,} have no class yet." if unlabelled else ""
        passed = f" {self.ignored:,} other files are passed over." if self.ignored else ""
        return f"{what}: {', '.join(parts)}.{labels}{passed}"

    def advice(self) -> Advice | None:
        """What more than half of the files seen need, of all or of one layout; None if nothing, or seen too few."""
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
        """Rows that a filter leaves, in the order of a column (-1: as found); what is not known comes last."""
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
    """The commonest, if more than half are it; 0 for none."""
    counts = np.bincount(codes)
    best = int(np.argmax(counts))
    return best if 2 * counts[best] > len(codes) else 0


@dataclass(frozen=True)
class Listing:
    """The files to import, with what is known of them already, and what labels them."""

    looks: Looks
    labeller: Labeller


def list_files(paths: Sequence[Path], options: ImportOptions, known: Iterable[Seen | None] = ()) -> Listing:
    """Find the recordings; what is `known` of a file is kept and labelled anew. FloraError where there are none."""
    files, ignored = find_recordings(paths, leave_out=options.labels)
    labeller, looks = Labeller(files, options), Looks(files, ignored)
    before = {found.source: found for found in known if found is not None}
    for row, path in enumerate(files) if before else ():
        found = before.get(path)
        if found is not None:
            looks.put(row, found, class_name(labeller, found))
    return Listing(looks, labeller)


def class_name(labeller: Labeller, found: Seen) -> str:
    """The class that a file gets, "" where nothing tells it or it cannot be read."""
    return "" if found.verdict == UNREADABLE else labeller.class_name(found)


# Corrections


@dataclass(frozen=True)
class Scope:
    """Whose correction the form shows: of all files, of those that say they are in a layout, or of single files."""

    layout: str = ""
    files: tuple[Path, ...] = ()
    single: bool = False  # whether it is `files`, which may be none


def correction_of(options: ImportOptions, scope: Scope) -> Correction:
    """What the options say of a scope; where its files differ, nothing."""
    if scope.single:
        said = {options.by_file.get(path, Correction()) for path in scope.files}
        return said.pop() if len(said) == 1 else Correction()
    if scope.layout:
        return options.by_layout.get(scope.layout, Correction())
    return Correction(options.layout, options.up, options.scale, options.fps)


def corrected(options: ImportOptions, scope: Scope, before: Correction, after: Correction) -> ImportOptions:
    """The options with what the form changed from `before` to `after`; what it left alone stays, file by file."""
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
    """Rows that were inspected and that these other corrections change."""
    nobody = Path()
    layouts = {found.own_layout for found in looks.seen if found is not None} - {""}  # "": it could not even be read
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
    """A column of the table. value: what an inspected file is sorted by, None where there is nothing; text: of it."""

    title: str
    value: Callable[[Seen], object]
    text: Callable[[Any], str]
    width: int
    number: bool = False
    tip: str = ""


MARKS = ("…", "✓ good", "! doubtful", "✕ odd", "✕ unreadable")
_NAME, _LOOKS, _CLASS = range(3)


def column_text(looks: Looks, row: int, column: int) -> str:
    """What a cell says; of a file that is not inspected yet only its name."""
    found = looks.seen[row]
    if column == _NAME:
        return looks.names[row]
    if found is None:
        return MARKS[WAITING] if column == _LOOKS else ""
    value = looks.classes[row] if column == _CLASS else COLUMNS[column].value(found)
    return COLUMNS[column].text(value) if value not in (None, "") else "" if column == _FOUND else "–"


def column_values(looks: Looks, column: int) -> Sequence[object]:
    """What to compare files by, None where it is not known."""
    if column == _NAME:
        return looks.names
    if column == _CLASS:
        return [name or None for name in looks.classes]
    value = COLUMNS[column].value
    return [None if found is None else value(found) for found in looks.seen]


def detail(looks: Looks, row: int) -> str:
    """All checks of a file, a line each."""
    found = looks.seen[row]
    return "Not inspected yet" if found is None else found.detail


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


COLUMNS = (
    Column("File", lambda found: None, str, 216),
    Column("Looks", lambda found: found.verdict, lambda code: MARKS[code], 108),
    Column("Class", lambda found: None, str, 104),
    Column("Frames", lambda found: found.frames, str, 58, True, "How many frames the file holds"),
    Column("Rate", lambda found: found.fps, "{:g}".format, 42, True, "Frames a second"),
    Column("Persons", lambda found: found.persons, str, 62, True, "How many persons the file holds"),
    Column("NaN", lambda found: found.nan, _percent, 46, True, "Share of the joints that are missing (NaN)"),
    Column("Bones", lambda found: found.bones, _percent, 52, True, "How much the bones' lengths vary; rigid: 0"),
    Column("L–R", lambda found: found.symmetry, _percent, 44, True, "How much left and right bones differ"),
    Column("Up", lambda found: found.up, str, 36, tip="The axis that seems to point up"),
    Column("Layout", lambda found: found.fits, str, 84, tip="The joint layout that fits best"),
    Column("What was found", lambda found: found.doubts or None, str, 200),
)
_FOUND = len(COLUMNS) - 1
