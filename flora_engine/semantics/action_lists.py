"""Lists of a user's actions as rows: from pasted lines, CSV, benchmarks and the lexicon, and back to typed lines."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from flora_engine.errors import FloraError
from flora_engine.semantics.class_texts import ClassText, parse_typed, typed_motions, with_known_texts
from flora_engine.semantics.lexicon import Lexicon
from flora_engine.semantics.text_encoder import TextEncoder
from flora_engine.semantics.text_vectors import text_vectors

ALIKE = 0.8  # cosine of two sentence embeddings from which on the texts say almost the same
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
_COLUMNS = ("name", "description", "colour", "key")
_MOST = 5  # hints that are shown


@dataclass(frozen=True)
class Action:
    """One action. description: "" for none. colour: #rrggbb or "". key: one letter or digit, or "".

    known: whether a bare name may be completed from known texts.
    """

    name: str
    description: str = ""
    colour: str = ""
    key: str = ""
    known: bool = True


def from_typed(text: str) -> list[Action]:
    """The rows of a typed or pasted list, a line each: `name`, `name: description`, or name, tab, description."""
    rows = []
    for part in parse_typed(text.replace("\t", ": ")):
        bare = part.motion == part.name
        described = "" if bare else typed_motions(part)
        rows.append(Action(part.name, described, known=part.definition == part.name or not bare))
    return rows


def to_typed(actions: Sequence[Action]) -> str:
    """The rows as lines of the box. A bare name whose known texts are refused gets a colon."""
    lines = []
    for one in actions:
        tail = f": {one.description}" if one.description else "" if one.known else ":"
        lines.append(f"{one.name}{tail}")
    return "\n".join(lines)


def completed(action: Action) -> str:
    """The text that a bare name is completed by; "" if none is known or the row has a description."""
    bare = ClassText(action.name, action.name, action.name)
    found = with_known_texts([bare])[0]
    return "" if action.description or found == bare else found.motion


def merged(old: Sequence[Action], new: Sequence[Action]) -> list[Action]:
    """The old rows with the new ones behind; a name that is there already (in any letter case) gets the new text."""
    rows = {one.name.casefold(): one for one in old}
    for one in new:
        before = rows.get(one.name.casefold())
        if before is None:
            rows[one.name.casefold()] = one
        elif one.description:
            rows[one.name.casefold()] = replace(before, description=one.description)
    return list(rows.values())


def problems(actions: Sequence[Action]) -> list[str]:
    """What is wrong with the rows, one sentence each."""
    found = []
    names = [one.name.casefold() for one in actions]
    keys = [one.key for one in actions if one.key]
    for one in actions:
        if not one.name:
            found.append("An action has no name.")
        if one.colour and not _COLOUR.fullmatch(one.colour):
            found.append(f"The colour of “{one.name}” is not of the form #rrggbb.")
        if one.key and not (len(one.key) == 1 and one.key.isalnum()):
            found.append(f"The key of “{one.name}” is not one letter or digit.")
    found += [f"“{name}” is named twice." for name in dict.fromkeys(names) if names.count(name) > 1]
    found += [f"The key {key} is used twice." for key in dict.fromkeys(keys) if keys.count(key) > 1]
    return found


def read_csv(path: Path) -> list[Action]:
    """Rows of a CSV file with a column name and perhaps description, colour and key. FloraError names bad lines."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise FloraError(f"cannot read the actions: {error}", path=path) from None
    reader = csv.DictReader(io.StringIO(text))
    fields = [name.strip().lower() for name in reader.fieldnames or ()]
    if "name" not in fields:
        raise FloraError("the first line names no column “name”", path=path, where="line 1")
    reader.fieldnames = fields
    rows, bad = [], []
    for row in reader:
        name, description, colour, key = (" ".join((row.get(column) or "").split()) for column in _COLUMNS)
        one = Action(name, description, colour, key)
        wrong = problems([one])
        bad += [f"line {reader.line_num}: {wrong[0]}"] if wrong else []
        rows.append(one)
    if bad:
        raise FloraError("; ".join(bad[:_MOST]), path=path, remedy="Correct the lines and read the file again.")
    return rows


def find_in_lexicon(lexicon: Lexicon, words: str, most: int = 50) -> list[Action]:
    """Entries of the lexicon whose names hold all words, with their sentence of motion."""
    wanted = words.casefold().split()
    found = [
        Action(entry.names[0], entry.motion)
        for entry in lexicon.entries
        if all(any(word in name.casefold() for name in entry.names) for word in wanted)
    ]
    return found[:most]


def alike(texts: Sequence[ClassText], encoder: TextEncoder) -> list[tuple[str, str, float]]:
    """Pairs of actions whose texts say almost the same, with their cosine, the closest first."""
    if len(texts) < 2:
        return []
    vectors = text_vectors(encoder, [text.motion for text in texts])
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    cosines = unit @ unit.T
    pairs = [
        (texts[i].name, texts[j].name, float(cosines[i, j]))
        for i in range(len(texts))
        for j in range(i + 1, len(texts))
        if cosines[i, j] >= ALIKE
    ]
    return sorted(pairs, key=lambda pair: -pair[2])


def hints(texts: Sequence[ClassText], encoder: TextEncoder, confused: Sequence[tuple[str, str, int]] = ()) -> list[str]:
    """Which actions will be confused: by their texts, and by what was confused among labelled recordings."""
    found = [
        f"“{wrong}” was ranked first for {count} recording{'s' if count > 1 else ''} of “{right}”."
        for right, wrong, count in confused[:_MOST]
    ]
    found += [
        f"“{a}” and “{b}” have almost the same text ({share:.0%}): describe how they differ."
        for a, b, share in alike(texts, encoder)[:_MOST]
    ]
    return found


def to_json(actions: Sequence[Action]) -> str:
    """The rows as a project keeps them."""
    return json.dumps([asdict(one) for one in actions], ensure_ascii=False)


def from_json(text: str) -> list[Action]:
    """The rows that `to_json` gave."""
    return [Action(**row) for row in json.loads(text)]
