"""The text of a table: encoding, comments, delimiter, header and cells, with the line of everything that is wrong."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path

from flora_engine.errors import FloraError
from flora_engine.readers import _input
from flora_engine.readers._archive import check_fps

FEWEST_COLUMNS, MAX_COLUMNS = 4, 5000
OURS = "Flora Studio: metres, y up, z away from the camera"  # says so of the axes of a table that we wrote
_COMMENTS = ("#", "%", "//")
_MISSING = {"", "nan", "na", "n/a", "none", "null", "-", "--", "#n/a", "inf", "-inf"}
_HELP = "docs/formats.md shows how it should look."


def decode(data: bytes, head: bytes, path: Path) -> str:
    """UTF-8, or UTF-16 with its mark, as text; FloraError with the line for anything else."""
    try:
        return data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        problem = f"is not UTF-8 text (it looks like {_input.looks_like(head)})"
        raise FloraError(problem, path=path, where=f"line {line}", remedy="Save it as CSV in UTF-8.") from None


class Cells:
    """header: the column names, or numbers from 0 in the file without a header (`bare`). fps: from a
    comment. ours: it says that we wrote it."""

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self.fps: float | None = None
        self.ours = False
        self._commas = False  # decimal commas, where the comma does not part cells
        lines = text.splitlines()
        skipped = 0
        for line in lines:
            if line.strip() and not line.lstrip().startswith(_COMMENTS):
                break
            self._comment(line, skipped + 1)
            skipped += 1
        opening = lines[skipped] if skipped < len(lines) else ""
        self.first_line = skipped + 1
        counts = {mark: opening.count(mark) for mark in "\t;|,"}
        self._delimiter = next((mark for mark in "\t;|" if counts[mark] >= 3), ",")
        if max(counts.values()) < 3 and len(opening.split()) > 3:
            lines = [*lines[:skipped], *(",".join(line.split()) for line in lines[skipped:])]
        self._commas = self._delimiter != ","
        self._rows = csv.reader(io.StringIO("\n".join(lines[skipped:])), delimiter=self._delimiter)
        self._first: list[tuple[int, list[str]]] = []
        number, names = next(self.cells(), (self.first_line, []))
        if not FEWEST_COLUMNS <= len(names) <= MAX_COLUMNS:
            raise self.wrong(f"has {len(names)} columns; it needs a header with joint names", self.first_line)
        self.bare = all(self.is_number(cell) for cell in names)
        if self.bare:
            self._first = [(number, names)]
        self.header = [str(i) for i in range(len(names))] if self.bare else [name.strip() for name in names]

    def _comment(self, line: str, number: int) -> None:
        self.ours = self.ours or OURS in line
        match = re.search(
            r"\b(?:fps|frame[ _]?rate|sampling[ _]?rate|rate)\b\s*[:=,]\s*([^\s,;]{1,30})", line, re.IGNORECASE
        )
        if match:
            self.fps = check_fps(self.number(match[1], number), self.path)

    def cells(self) -> Iterator[tuple[int, list[str]]]:
        """(line number, cells) of every line that is neither blank nor a comment."""
        try:
            for cells in self._rows:
                if any(cell.strip() for cell in cells) and not cells[0].lstrip().startswith(_COMMENTS):
                    yield self.first_line + self._rows.line_num - 1, cells
        except csv.Error as error:
            line = self.first_line + self._rows.line_num
            raise self.wrong(f"is no valid CSV ({_input.shown(error)})", line) from None

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """The lines below the header; one delimiter more at their ends is forgiven."""
        width = len(self.header)
        yield from self._first
        for line, cells in self.cells():
            if len(cells) == width + 1 and not cells[-1].strip():
                cells = cells[:-1]  # noqa: PLW2901
            if len(cells) != width:
                raise self.wrong(f"has {len(cells)} cells in a row, {width} in the header", line)
            yield line, cells

    def wrong(self, problem: str, line: int) -> FloraError:
        return FloraError(problem, path=self.path, where=f"line {line}", remedy=_HELP)

    def is_number(self, cell: str) -> bool:
        try:
            self._float(cell)
        except ValueError:
            return False
        return True

    def _float(self, cell: str) -> float:
        text = cell.strip()
        if self._commas and "," in text and "." not in text:
            text = text.replace(",", ".", 1)
        return float(text)

    def number(self, cell: str, line: int) -> float:
        """A cell as a number; an empty one, or one that says that there is nothing, is NaN."""
        try:
            return self._float(cell)
        except ValueError:
            if cell.strip().lower() in _MISSING:
                return float("nan")
            raise self.wrong(f"holds {cell[:20]!r} where a number should be", line) from None

    def numbers(self, cells: list[str], line: int) -> list[float]:
        """Many cells as numbers."""
        try:
            return [float(cell) for cell in cells]
        except ValueError:
            return [self.number(cell, line) for cell in cells]

    def whole(self, cell: str, line: int) -> int:
        value = self.number(cell, line)
        if not abs(value) < 2**53 or value != int(value):  # also refuses NaN
            raise self.wrong(f"holds {cell[:20]!r} where a whole number should be", line)
        return int(value)
