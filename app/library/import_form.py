"""What the import dialog knows of the files before it imports them, and what the user puts right. Qt-free."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from flora_engine.datasets.importing import ImportOptions, Labeller, Preview, find_recordings
from flora_engine.errors import FloraError
from flora_engine.readers.corrections import Correction
from flora_engine.skeleton import LAYOUTS

T = TypeVar("T")
Rows = NDArray[np.int64]
Shown = Literal["all", "doubts", "unreadable"]

# Codes of `Looks.verdicts`, in order of severity.
WAITING, GOOD, DOUBTFUL, BAD, UNREADABLE = range(5)
_CODES = {"good": GOOD, "doubtful": DOUBTFUL, "bad": BAD}
FIRST = 60  # files looked at before the others, from all over the folders: enough to advise by


@dataclass
class _Tally:
    """What the readable files that say they are in one layout seem to need."""

    readable: int = 0
    layouts: Counter[str] = field(default_factory=Counter)
    ups: Counter[str] = field(default_factory=Counter)
    scales: Counter[float] = field(default_factory=Counter)

    def count(self, found: Preview, by: int) -> None:
        inspection = found.inspection
        if inspection is None:
            return
        self.readable += by
        if inspection.layout not in (None, found.layout):
            self.layouts[str(inspection.layout)] += by
        if inspection.up not in (None, "+y"):
            self.ups[str(inspection.up)] += by
        if inspection.scale not in (None, 1.0):
            self.scales[float(inspection.scale or 1.0)] += by

    def needed(self) -> Correction:
        total = self.readable
        return Correction(_most(self.layouts, total), _most(self.ups, total), _most(self.scales, total))


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

    previews: None until a file is inspected. verdicts: uint8, WAITING … UNREADABLE. classes: "" where nothing tells.
    """

    def __init__(self, files: Sequence[Path] = (), ignored: int = 0) -> None:
        self.files = tuple(files)
        self.names = [path.name for path in files]
        self.ignored = ignored  # other files in the folders
        self.previews: list[Preview | None] = [None] * len(files)
        self.verdicts: NDArray[np.uint8] = np.zeros(len(files), np.uint8)
        self.classes = [""] * len(files)
        self._labelled: NDArray[np.bool_] = np.zeros(len(files), np.bool_)
        self._tallies: dict[str, _Tally] = defaultdict(_Tally)

    def put(self, row: int, found: Preview, class_name: str) -> None:
        """The look at one file."""
        self.forget([row])
        self.previews[row], self.classes[row] = found, class_name
        readable = found.inspection is not None
        self.verdicts[row] = _CODES[found.inspection.verdict] if found.inspection is not None else UNREADABLE
        self._labelled[row] = bool(class_name) or not readable
        self._tallies[found.own_layout].count(found, 1)

    def forget(self, rows: Iterable[int]) -> None:
        """These files are to be inspected (again)."""
        for row in rows:
            found = self.previews[row]
            if found is not None:
                self._tallies[found.own_layout].count(found, -1)
                self.previews[row], self.classes[row], self.verdicts[row] = None, "", WAITING

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
        """The layouts that the files seen so far say they are in."""
        return sorted(layout for layout in self._tallies if layout)

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
        seen = {layout: tally for layout, tally in self._tallies.items() if tally.readable}
        for layout in sorted(seen, key=lambda layout: -seen[layout].readable):
            needed = seen[layout].needed()
            if needed != Correction():
                return Advice(layout if len(self.layouts) > 1 else "", needed)
        return None

    def arranged(self, shown: Shown, key: Callable[[int], object] | None, descending: bool) -> Rows:
        """Rows that a filter leaves, in the order of `key(row)`; those whose key is None come last."""
        least = {"all": WAITING, "doubts": DOUBTFUL, "unreadable": UNREADABLE}[shown]
        rows = np.flatnonzero(self.verdicts >= least)
        if key is None:
            return rows
        values = {row: key(row) for row in rows.tolist()}
        known = [row for row, value in values.items() if value is not None]
        known.sort(key=values.__getitem__, reverse=descending)  # type: ignore[arg-type]
        return np.array(known + [row for row, value in values.items() if value is None], np.int64)


@dataclass(frozen=True)
class Listing:
    """The files to import, with what is known of them already, and what labels them."""

    looks: Looks
    labeller: Labeller


def list_files(paths: Sequence[Path], options: ImportOptions, known: Iterable[Preview | None] = ()) -> Listing:
    """Find the recordings; what is `known` of a file is kept and labelled anew. FloraError where there are none."""
    files, ignored = find_recordings(paths, leave_out=options.labels)
    labeller, looks = Labeller(files, options), Looks(files, ignored)
    before = {found.path: found for found in known if found is not None}
    for row, path in enumerate(files) if before else ():
        found = before.get(path)
        if found is not None:
            looks.put(row, found, "" if found.inspection is None else labeller.class_name(found))
    return Listing(looks, labeller)


def _most(counts: Counter[T], total: int) -> T | None:
    """The commonest, if more than half of `total` are it."""
    best = counts.most_common(1)
    return best[0][0] if best and 2 * best[0][1] > total else None


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
    general = {
        layout: before.correction(nobody, layout) != after.correction(nobody, layout)
        for layout in {found.own_layout for found in looks.previews if found is not None}
    }
    single = set(before.by_file) | set(after.by_file)

    def changes(found: Preview) -> bool:
        if not found.own_layout:  # it could not be read, whatever is put right
            return False
        if found.path not in single:
            return general[found.own_layout]
        return before.correction(found.path, found.own_layout) != after.correction(found.path, found.own_layout)

    return [row for row, found in enumerate(looks.previews) if found is not None and changes(found)]


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
    """A column of the table. text(looks, row): of an inspected file; value: to sort by, None where there is none."""

    title: str
    text: Callable[[Looks, int, Preview], str]
    value: Callable[[Looks, int, Preview], object]
    width: int
    number: bool = False
    tip: str = ""


def column_text(looks: Looks, row: int, column: int) -> str:
    """What a cell says; of a file that is not inspected yet only its name."""
    found = looks.previews[row]
    if column == 0:
        return looks.names[row]
    if found is None:
        return "…" if column == 1 else ""
    return COLUMNS[column].text(looks, row, found)


def sort_key(looks: Looks, column: int) -> Callable[[int], object]:
    """What to compare files by; None for what is not known."""

    def key(row: int) -> object:
        found = looks.previews[row]
        if column == 0:
            return looks.names[row]
        return None if found is None else COLUMNS[column].value(looks, row, found)

    return key


def detail(looks: Looks, row: int) -> str:
    """All checks of a file, a line each."""
    found = looks.previews[row]
    if found is None:
        return "Not inspected yet"
    if found.inspection is None:
        return found.problem
    checks = found.inspection.checks
    return "\n".join(f"{check.name}: {check.finding}. {check.advice}".strip() for check in checks)


MARKS = ("…", "✓ good", "! doubtful", "✕ odd", "✕ unreadable")


def _measure(title: str, name: str, factor: float, width: int, tip: str) -> Column:
    """A column of one of the numbers of the inspection."""

    def value(_: Looks, __: int, found: Preview) -> float | None:
        measured = getattr(found.inspection, name, None)
        return None if measured is None else factor * float(measured)

    def text(looks: Looks, row: int, found: Preview) -> str:
        measured = value(looks, row, found)
        if measured is None:
            return "–"
        return f"{measured:.0f} %" if factor != 1 else f"{measured:g}"

    return Column(title, text, value, width, True, tip)


def _found(_: Looks, __: int, found: Preview) -> str:
    if found.inspection is None:
        return found.problem
    doubts = [check.finding for check in found.inspection.checks if check.verdict != "good"]
    return "; ".join(doubts)


def _up(_: Looks, __: int, found: Preview) -> str:
    return "–" if found.inspection is None else found.inspection.up or "?"


def _layout(_: Looks, __: int, found: Preview) -> str:
    if found.inspection is None:
        return "–"
    return LAYOUTS[found.inspection.layout or found.layout].name


COLUMNS = (
    Column("File", lambda looks, row, _: looks.names[row], lambda looks, row, _: looks.names[row], 196),
    Column(
        "Looks", lambda looks, row, _: MARKS[looks.verdicts[row]], lambda looks, row, _: int(looks.verdicts[row]), 92
    ),
    Column(
        "Class", lambda looks, row, _: looks.classes[row] or "–", lambda looks, row, _: looks.classes[row] or None, 116
    ),
    _measure("Frames", "frames", 1, 58, "How many frames the file holds"),
    _measure("Rate", "fps", 1, 44, "Frames a second"),
    _measure("Persons", "persons", 1, 62, "How many persons the file holds"),
    _measure("NaN", "nan_share", 100, 50, "Share of the joints that are missing (NaN)"),
    _measure("Bones", "bone_steadiness", 100, 54, "How much the lengths of the bones vary; 0 for a rigid body"),
    _measure("L–R", "symmetry", 100, 50, "How much the bones of the left and of the right side differ"),
    Column("Up", _up, _up, 38, tip="The axis that seems to point up"),
    Column("Layout", _layout, _layout, 92, tip="The joint layout that fits best"),
    Column("What was found", _found, lambda looks, row, found: _found(looks, row, found) or None, 200),
)
