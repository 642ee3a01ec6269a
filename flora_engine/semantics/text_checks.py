"""What is wrong with a set of class texts: missing, doubled, too long."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from flora_engine.datasets.catalogue import ClassText
from flora_engine.semantics.text_encoder import TextEncoder

Part = Literal["name", "motion", "definition"]
PARTS: tuple[Part, ...] = ("name", "motion", "definition")


def check_texts(
    texts: Sequence[ClassText],
    names: Sequence[str] = (),
    encoder: TextEncoder | None = None,
    tokens: int = 0,
) -> list[str]:
    """Every problem in one sentence each; empty if there is none.

    names: the classes that must be there (none: do not ask). encoder and tokens (L): also find the texts of which
    something is cut off.
    """
    problems = _missing(texts, names)
    for part in PARTS:
        problems += _doubled(texts, part)
    for text in texts:
        if _plain(text.motion) == _plain(text.definition):
            problems.append(f"“{text.name}” has the same text twice: as motion and as definition")
    if encoder is not None:
        problems += _too_long(texts, encoder, tokens)
    return problems


def _plain(text: str) -> str:
    """The words alone: letter case, spaces and punctuation make no difference to a reader."""
    return " ".join("".join(letter if letter.isalnum() else " " for letter in text.casefold()).split())


def _missing(texts: Sequence[ClassText], names: Sequence[str]) -> list[str]:
    found = {_plain(text.name) for text in texts}
    problems = [f"“{name}” has no texts" for name in names if _plain(name) not in found]
    if names:
        known = {_plain(name) for name in names}
        problems += [f"“{text.name}” is not a class here" for text in texts if _plain(text.name) not in known]
    for text in texts:
        problems += [f"“{text.name}” has an empty {part}" for part in PARTS if not _plain(getattr(text, part))]
    return problems


def _doubled(texts: Sequence[ClassText], part: Part) -> list[str]:
    """Texts that several classes share, and those that one class has twice."""
    classes: dict[str, list[str]] = {}
    problems = []
    for text in texts:
        said = [words for one in text.versions if (words := _plain(getattr(one, part)))]
        for words in dict.fromkeys(said):
            classes.setdefault(words, []).append(text.name)
        if part != "name" and len(set(said)) < len(said):
            problems.append(f"“{text.name}” has the same {part} twice")
    groups = [" and ".join(f"“{name}”" for name in names) for names in classes.values() if len(names) > 1]
    return [f"{group} have the same {part}" for group in groups] + problems


def _too_long(texts: Sequence[ClassText], encoder: TextEncoder, tokens: int) -> list[str]:
    problems, versions = [], [one for text in texts for one in text.versions]
    for part in PARTS[1:]:
        counts = encoder.count_tokens([getattr(one, part) for one in versions])
        problems += [
            f"the {part} of “{one.name}” has {count} tokens; what is beyond {tokens} is cut off"
            for one, count in zip(versions, counts, strict=True)
            if count > tokens
        ]
    return problems
