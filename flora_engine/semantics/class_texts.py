"""The two texts of every class, where they come from, and their token states (docs/method.md, section 5)."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from flora_engine.array_cache import ArrayCache
from flora_engine.datasets.catalogue import ClassText, Text, load_dataset, texts_from_data
from flora_engine.errors import FloraError
from flora_engine.files import write_text
from flora_engine.semantics.text_encoder import TextEncoder

_BETWEEN = " | "  # several texts of one class, as they are typed

__all__ = [
    "ClassText",
    "class_states",
    "class_vectors",
    "import_published",
    "load_class_texts",
    "parse_typed",
    "read_texts",
    "several_states",
    "several_typed",
    "texts_of_names",
    "typed_definitions",
    "typed_motions",
    "with_definitions",
    "with_known_texts",
    "with_more",
    "with_motions",
    "write_texts",
]


def load_class_texts(dataset: str, folder: Path | None = None) -> list[ClassText]:
    """The texts of all classes of `dataset`, in label order: ours, or those of `folder` in the published format, or of
    our own YAML if it is such a file.

    Raises FloraError if the data set is unknown or the files are missing or do not fit its class names.
    """
    ours = load_dataset(dataset).classes
    if folder is None:
        return list(ours)
    if folder.suffix.lower() in (".yaml", ".yml"):
        return _named_alike(ours, read_texts(folder), folder)
    return import_published(folder, dataset, [text.name for text in ours])


def _named_alike(ours: Sequence[ClassText], given: list[ClassText], path: Path) -> list[ClassText]:
    by_name = {text.name.casefold(): text for text in given}
    missing = [text.name for text in ours if text.name.casefold() not in by_name]
    if missing:
        raise FloraError(f"has no texts for the class “{missing[0]}”", path=path, where=f"{len(missing)} missing",
                         remedy="Give every class of the data set an entry.")  # fmt: skip
    return [by_name[text.name.casefold()] for text in ours]


def import_published(folder: Path, dataset: str, names: list[str]) -> list[ClassText]:
    """Read `{dataset}.csv` (columns idx, label; idx from 1) and `{dataset}_llm.txt` (one definition a line).

    `names` are the classes in label order. Raises FloraError, saying the file and the line.
    """
    table, definitions_file = folder / f"{dataset}.csv", folder / f"{dataset}_llm.txt"
    motions: dict[int, str] = {}
    for number, row in enumerate(csv.reader(io.StringIO(_read(table))), start=1):
        if not row or (number == 1 and row[0].strip().lower() == "idx"):
            continue
        index = _index(row, table, number)
        if index in motions:
            raise FloraError(f"class {index} is given twice", path=table, where=f"line {number}")
        motions[index] = ",".join(row[1:]).strip()
    definitions = [line.strip() for line in _read(definitions_file).splitlines()]
    while definitions and not definitions[-1]:
        definitions.pop()
    expected = set(range(1, len(names) + 1))
    if set(motions) != expected:
        wrong = sorted(set(motions) ^ expected)
        raise FloraError(
            f"expected the classes 1 to {len(names)}, one row each",
            path=table,
            where=f"missing or unknown: {wrong[:5]}",
        )
    if len(definitions) != len(names):
        raise FloraError(f"expected {len(names)} lines, found {len(definitions)}", path=definitions_file)
    return [
        ClassText(name, motions[number], definition)
        for number, (name, definition) in enumerate(zip(names, definitions, strict=True), start=1)
    ]


def _index(row: list[str], path: Path, line: int) -> int:
    try:
        return int(row[0])
    except ValueError:
        raise FloraError("expected idx,label with a whole number first", path=path, where=f"line {line}") from None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise FloraError(f"cannot read the class texts: {error.strerror}", path=path) from None
    except UnicodeDecodeError:
        raise FloraError("the class texts are not UTF-8", path=path, remedy="Save the file as UTF-8.") from None


def read_texts(path: Path) -> list[ClassText]:
    """Read our own YAML: a list of `name`, `motion`, `definition`, or a mapping with that list under `classes`.

    Raises FloraError, saying which entry is wrong.
    """
    try:
        data: Any = yaml.safe_load(_read(path))
    except yaml.YAMLError as error:
        raise FloraError(f"not readable as YAML: {' '.join(str(error).split())}", path=path) from None
    return texts_from_data(data.get("classes") if isinstance(data, dict) else data, path)


def write_texts(path: Path, texts: list[ClassText]) -> None:
    """Write our own YAML, readable by `read_texts`."""
    classes = [text.as_data() for text in texts]
    write_text(path, yaml.safe_dump({"classes": classes}, allow_unicode=True, sort_keys=False, width=110))


def parse_typed(text: str) -> list[ClassText]:
    """Classes as a user types them: `name` or `name: description`, one a line or separated by semicolons.

    A description becomes the motion, and the definition says “name: description”; without one, both texts are the
    name. Several descriptions have | between them; each is a text of its own (`ClassText.more`). A colon without a
    description refuses known texts: the definition then ends with a full stop. Blank entries are left out, and of a
    name typed twice (in whatever letter case) the last entry counts, in the first one's place. Never raises: an
    empty list is for the caller to judge.
    """
    found: dict[str, ClassText] = {}
    for entry in text.replace(";", "\n").splitlines():
        name, colon, description = (" ".join(part.split()) for part in entry.partition(":"))
        refused = bool(name and colon and not description)
        name, description = name or description, description if name else ""
        if name:
            first, *more = several_typed(description) or [""]
            definition = _meaning(name, first) if first else f"{name}." if refused else name
            further = tuple(Text(one, _meaning(name, one)) for one in more)
            found[name.casefold()] = ClassText(name, first or name, definition, further)
    return list(found.values())


def several_typed(text: str) -> list[str]:
    """The texts of one class as they are typed, with | between them."""
    return [one for part in text.split(_BETWEEN.strip()) if (one := " ".join(part.split()))]


def typed_motions(text: ClassText) -> str:
    """How the body moves, in all texts of a class as `with_motions` takes them."""
    return _BETWEEN.join([text.motion, *(one.motion for one in text.more)])


def typed_definitions(text: ClassText) -> str:
    """What the action is, in all texts of a class as `with_definitions` takes them."""
    return _BETWEEN.join([text.definition, *(one.definition for one in text.more)])


def with_motions(text: ClassText, typed: str) -> ClassText:
    """The class with the motions that were typed. A motion that was there keeps its definition, one that was changed
    takes that of its place, and a new one is defined as `parse_typed` does.
    """
    before = [Text(text.motion, text.definition), *text.more]
    known = {one.motion: one.definition for one in reversed(before)}
    motions = several_typed(typed) or [""]
    free = {place: one.definition for place, one in enumerate(before) if one.motion not in motions}
    first, *more = [
        Text(motion, known[motion] if motion in known else free.get(place, _meaning(text.name, motion)))
        for place, motion in enumerate(motions)
    ]
    return replace(text, motion=first.motion, definition=first.definition, more=tuple(more))


def with_definitions(text: ClassText, typed: str) -> ClassText:
    """The class with the definitions that were typed. FloraError if there are not as many as motions."""
    first, *more = several_typed(typed) or [""]
    if len(more) != len(text.more):
        raise FloraError(
            f"“{text.name}” has {_count(len(text.more) + 1, 'motion')} and would have"
            f" {_count(len(more) + 1, 'definition')}",
            remedy="Write one definition for each motion, with | between them.",
        )
    further = tuple(replace(one, definition=definition) for one, definition in zip(text.more, more, strict=True))
    return replace(text, definition=first, more=further)


def _meaning(name: str, motion: str) -> str:
    """The definition of a class whose motion alone is typed."""
    return f"{name}: {motion}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def typed_name(name: str) -> ClassText:
    """A class as its bare name, as somebody would type it: what separates entries and descriptions is left out."""
    plain = " ".join(name.replace(":", " ").replace(";", ",").split())
    return ClassText(plain, plain, plain)


def with_more(texts: Sequence[ClassText], versions: Sequence[Sequence[ClassText]]) -> list[ClassText]:
    """The classes with further texts, one from each of `versions`, before those that they have already."""
    return [
        replace(text, more=(*(Text(one.motion, one.definition) for one in others), *text.more))
        for text, *others in zip(texts, *versions, strict=True)
    ]


def texts_of_names(names: Sequence[str], known: Mapping[str, tuple[str, str]]) -> list[ClassText]:
    """Classes with the motion and the definition that a project knows of some; those without any have ours if we know
    them, else their name.
    """
    pairs = [(name, *known.get(name, ("", ""))) for name in names]
    return with_known_texts([ClassText(name, motion or name, meaning or name) for name, motion, meaning in pairs])


def with_known_texts(texts: list[ClassText]) -> list[ClassText]:
    """Give classes that were typed without a description our own texts, if a data set has a class of that name.

    Names are compared without letter case; what stands in brackets may be left out (“hopping” finds “hopping (one foot
    jumping)”) unless two classes of one data set then have the same name. All other classes stay as they are.
    """
    known = _known_names()
    return [
        _completed(text, known[text.name.casefold()]) if _is_bare(text) and text.name.casefold() in known else text
        for text in texts
    ]


def _completed(bare: ClassText, known: ClassText) -> ClassText:
    return replace(known, name=bare.name, more=(*known.more, *bare.more))


def _is_bare(text: ClassText) -> bool:
    return text.motion == text.name == text.definition


@lru_cache(maxsize=1)
def _known_names() -> dict[str, ClassText]:
    """Our texts by lower-case name, then by name without brackets; the first data set that has one counts."""
    names: dict[str, ClassText] = {}
    short_names: dict[str, ClassText] = {}
    for dataset in ("ntu120", "pku51", "utd_mhad", "nw_ucla"):
        classes = load_dataset(dataset).classes
        short = [text.name.casefold().partition(" (")[0] for text in classes]
        for text, start in zip(classes, short, strict=True):
            names.setdefault(text.name.casefold(), text)
            if short.count(start) == 1:
                short_names.setdefault(start, text)
    return short_names | names


def class_states(
    encoder: TextEncoder, texts: list[ClassText], tokens: int, *, keep: bool = False
) -> NDArray[np.float32]:
    """E of docs/method.md, section 5: float32 (K, tokens + 1, 2d), the motion's channels before the definition's.

    The last row along the second axis holds the pooled vectors. keep: take states from the cache, and leave new ones
    there. Raises FloraError without classes or if `tokens` does not fit the encoder.
    """
    if not texts:
        raise FloraError("there are no classes", remedy="Name at least one action.")
    wanted = [text.motion for text in texts] + [text.definition for text in texts]
    distinct = list(dict.fromkeys(wanted))  # a class typed without a description has one text for both
    place = {text: row for row, text in enumerate(distinct)}
    found = _kept_states(encoder, distinct, tokens) if keep else encoder.encode(distinct, tokens)
    states = found[[place[text] for text in wanted]]
    return np.concatenate([states[: len(texts)], states[len(texts) :]], axis=-1)


def _kept_states(encoder: TextEncoder, texts: list[str], tokens: int) -> NDArray[np.float32]:
    """(K, tokens + 1, d) from disk or from the encoder."""
    cache = ArrayCache("states")
    keys = [hashlib.sha256(f"{encoder.sha256} {tokens} {text}".encode()).hexdigest() for text in texts]
    known = cache.get(keys)
    new = [text for text, key in zip(texts, keys, strict=True) if key not in known]
    if new:
        made = dict(zip(new, encoder.encode(new, tokens), strict=True))
        fresh = {key: made[text] for text, key in zip(texts, keys, strict=True) if text in made}
        cache.put(fresh)
        known |= fresh
    return np.stack([known[key] for key in keys])


def several_states(
    encoder: TextEncoder, texts: Sequence[ClassText], tokens: int, kept: int = 1, *, keep: bool = False
) -> NDArray[np.float32]:
    """The states of classes that may have several texts each, as training and labelling see them.

    kept 1: (K, L+1, 2d), the mean of a class's texts. Else (K, kept·(L+1), 2d): the tokens of so many texts side by
    side, in the order of `ClassText.versions`, so that the pooled vectors at the end are those of the first text. If a
    class has fewer texts, their mean stands for each that is missing; if it has more, neighbours share a place with
    their mean. keep, FloraError: as in `class_states`.
    """
    counts = [1 + len(text.more) for text in texts]
    alone = class_states(encoder, [one for text in texts for one in text.versions], tokens, keep=keep)
    if max(counts) == kept == 1:
        return alone
    found = np.empty((len(texts), kept * (tokens + 1), alone.shape[2]), np.float32)
    for row, own in enumerate(np.split(alone, np.cumsum(counts)[:-1])):
        missing = [own.mean(axis=0)] * max(0, kept - len(own))
        groups = [group.mean(axis=0) for group in np.array_split(own, min(kept, len(own)))]
        found[row] = np.concatenate([*missing, *groups])
    return found


def class_vectors(states: NDArray[np.float32]) -> NDArray[np.float32]:
    """One vector per class where tokens are not wanted: the pooled states, both halves of unit length.

    states: float32 (K, L+1, 2d), not attuned. Returns float32 (K, 2d).
    """
    halves = np.split(states[:, -1], 2, axis=1)
    return np.concatenate([h / np.maximum(np.linalg.norm(h, axis=1, keepdims=True), 1e-12) for h in halves], axis=1)
