"""Segments out and in: one module per format, one registry. See docs/timeline.md."""

from __future__ import annotations

from pathlib import Path

from flora_engine.errors import FloraError
from flora_engine.files import write_text
from flora_engine.labelling.exchange import audacity, boris, csv_table, elan, json_object, pku
from flora_engine.labelling.exchange._common import Format, Recording
from flora_engine.labelling.segments import Annotation, Segment

__all__ = ["FORMATS", "Format", "Recording", "format_called", "look_at", "read_segments", "write_segments"]

# In order of asking: those with a sure mark first.
_ALL = (elan.FORMAT, json_object.FORMAT, csv_table.FORMAT, boris.FORMAT, audacity.FORMAT, pku.FORMAT)
FORMATS: dict[str, Format] = {form.name: form for form in _ALL}
_MOST_BYTES = 64 * 2**20
_NAMED = 5  # further lines with problems that a message names


def format_called(name: str) -> Format:
    """The format of this name; raises FloraError if there is none."""
    if name not in FORMATS:
        raise FloraError(f"there is no format “{name}” for segments", remedy=f"Choose one of {', '.join(FORMATS)}.")
    return FORMATS[name]


def write_segments(path: Path, annotation: Annotation, name: str) -> None:
    """Write the segments in the named format, in one step. Raises FloraError if it cannot hold them, OSError."""
    write_text(path, format_called(name).write(annotation))


def read_segments(path: Path, recording: Recording, name: str | None = None) -> tuple[Segment, ...]:
    """The segments of a file for this recording, in file order. name: the format; None tells it by the content.

    Raises FloraError: what is wrong with the first bad line, where it is, and which other lines are bad.
    """
    good, bad = look_at(path, recording, name)
    if bad:
        raise FloraError(bad[0][1], path=path, where=bad[0][0], remedy=_others([place for place, _ in bad[1:]]))
    return good


def look_at(
    path: Path, recording: Recording, name: str | None = None
) -> tuple[tuple[Segment, ...], list[tuple[str, str]]]:
    """As `read_segments`, and (place, what is wrong) of every bad line. Raises FloraError if nothing can be read."""
    text = _text(path)
    if name is None:
        form = next((form for form in FORMATS.values() if form.claims(text)), None)
        if form is None:
            raise FloraError(
                "these are not segments in a known format", path=path, remedy=f"Known are {', '.join(FORMATS)}."
            )
    else:
        form = format_called(name)
    good: list[Segment] = []
    bad: list[tuple[str, str]] = []
    for place, found in form.read(text, recording):
        if isinstance(found, str):
            bad.append((place, found))
        elif found.end >= recording.frames:
            last = recording.frames - 1
            bad.append((place, f"the segment “{found.name}” ends at frame {found.end}, and the last one is {last}"))
        else:
            good.append(found)
    return tuple(good), bad


def _others(places: list[str]) -> str:
    if not places:
        return "Correct it and read the file again."
    more = "" if len(places) <= _NAMED else f" and {len(places) - _NAMED} more places"
    return f"Correct it and read the file again; there are problems in {', '.join(places[:_NAMED])}{more} too."


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise FloraError("the file is too large to be segments of one recording", path=path)
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise FloraError(f"cannot read the segments: {error.strerror}", path=path) from None
    except UnicodeDecodeError:
        raise FloraError("the file is not UTF-8 text", path=path, remedy="Save it as UTF-8.") from None
    if not text.strip():
        raise FloraError("the file is empty", path=path)
    return text
