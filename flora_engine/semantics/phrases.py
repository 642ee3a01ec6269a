"""Typed phrases taken apart: clauses, left and right, what is denied, how many persons, words nobody can know.

Rules of English, no model. What they find is applied to expectations in `flora_engine.semantics.expectations`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Side = Literal["left", "right"]
Limb = Literal["hand", "leg"]

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
# They do not tell one action from another.
_FILLER_WORDS = (
    "a an the your you his her their my one's own do doing does make making perform some it its of imaginary"
)
_FILLERS = frozenset(_FILLER_WORDS.split())
_NOT = re.compile(
    r"\b(?:not|no|never|without|don['’]?t|doesn['’]?t|do not|does not|instead of|rather than)\b", re.IGNORECASE
)
_BREAK = re.compile(
    r"[,.;:()]|\b(?:and then|then|and|but|while|before|after|until|so that|without|not|instead of|rather than)\b",
    re.IGNORECASE,
)
_HANDS = "arm arms hand hands fist elbow wrist forearm finger palm shoulder punch jab hook throw wave"
_LEGS = "leg legs foot feet knee ankle heel thigh toe hip kick step lunge"
_LIMBS: dict[str, Limb] = {**dict.fromkeys(_HANDS.split(), "hand"), **dict.fromkeys(_LEGS.split(), "leg")}
_WITH_SIDE = re.compile(
    r"\b(?:(?:with|using|by|on|of)\s+)?(?:(?:the|your|one|a|his|her)\s+)?(?:left|right)(?:[-\s](?:hand|arm|leg|foot|fist|knee|side|elbow))?\b",
    re.IGNORECASE,
)
_DIRECTION = re.compile(
    r"\b(?:from|to|towards?|on|at)\s+(?:the\s+|your\s+)?(?:left|right)\b(?!\s+\w*(?:hand|arm|leg|foot))"
)
_TWO = re.compile(
    r"\b(?:each other|one another|(?:the )?other person|another person|two (?:people|persons)|both persons|partner|"
    r"to somebody|to someone|somebody else|someone else|together)\b",
    re.IGNORECASE,
)
_PARENTHESIS = re.compile(r"\(([^()]*)\)")
_SLASH = re.compile(r"(\w+)\s*/\s*(\w+)")
_ENDINGS = ("ing", "ed", "es", "s")
# Too short for the rule of endings.
_SHORT = {
    **dict.fromkeys(("using", "used"), "use"),
    **dict.fromkeys(("going", "goes"), "go"),
    **dict.fromkeys(("lying", "lies"), "lie"),
    **dict.fromkeys(("tying", "tied"), "tie"),
}


@dataclass(frozen=True)
class Clause:
    """text: without the word that denies it. side: a side that is named, of which limb. denied: “not”, “without”."""

    text: str
    denied: bool
    side: Side | None
    limb: Limb | None
    two: bool


def stem(word: str) -> str:
    """A word without its usual ending: waving, waved and waves are one."""
    if word in _SHORT:
        return _SHORT[word]
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            word = word[: -len(ending)]
            if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "lsz":
                word = word[:-1]
            break
    return word[:-1] if len(word) > 3 and word.endswith("e") else word


def key(text: str) -> str:
    """What two spellings of one name share: stems in their order, without fillers; "" if nothing is left."""
    words = [word.casefold() for word in _WORD.findall(text)]
    return " ".join(stem(word) for word in words if word not in _FILLERS)


def readings(text: str) -> list[str]:
    """The phrase and what it says in fewer words: without what stands in parentheses, with either word around a slash,
    either side of it, and what stands in parentheses.

    “put on a hat/cap” is also “put on a hat” and “put on a cap”; “touch head (headache)” also “touch head”.
    """
    plain = _PARENTHESIS.sub(" ", text)
    found = [text, plain]
    if "/" in plain:
        found += [_SLASH.sub(choice, plain) for choice in (r"\1", r"\2")] + plain.split("/")
    found += _PARENTHESIS.findall(text)
    return list(dict.fromkeys(" ".join(one.split()) for one in found if key(one)))


def without_side(text: str) -> str:
    """The phrase without “with the left leg”, “right hand” and the like."""
    return " ".join(_WITH_SIDE.sub(" ", text).split())


def side_of(text: str) -> tuple[Side, Limb] | None:
    """The side that a phrase names and its limb (hand, if none is named); None for no side, or for both.

    “From left to right” and “to the left” are directions, not sides.
    """
    plain = _DIRECTION.sub(" ", text.casefold())
    words = _WORD.findall(plain)
    named = {word for word in words if word in ("left", "right")}
    if len(named) != 1:
        return None
    side: Side = "left" if "left" in named else "right"
    after = words[words.index(side) + 1 :]
    limb = next((_LIMBS[w] for w in (*after, *words) if w in _LIMBS), None) or next(
        (_LIMBS[s] for w in words if (s := stem(w)) in _LIMBS), None
    )
    return (side, limb) if limb is not None else None


def clauses(text: str) -> list[Clause]:
    """The parts of a description, each by itself; empty parts are left out."""
    found = []
    start = 0
    cuts = [m for m in _BREAK.finditer(text)]
    for at, following in zip([None, *cuts], [*cuts, None], strict=True):
        start = 0 if at is None else at.end()
        part = text[start : following.start() if following else len(text)]
        denied = bool(at is not None and _NOT.fullmatch(at.group())) or bool(_NOT.search(part))
        plain = " ".join(_NOT.sub(" ", part).split())
        if key(plain):
            side, limb = side_of(plain) or (None, None)
            found.append(Clause(plain, denied, side, limb, bool(_TWO.search(plain))))
    return found


def speaks_of_two(text: str) -> bool:
    """Whether the phrase names a second person."""
    return bool(_TWO.search(text))


def foreign(text: str) -> bool:
    """Whether letters are mostly of another script than Latin."""
    letters = [c for c in text if c.isalpha()]
    return bool(letters) and sum(c > "ɏ" for c in letters) > len(letters) / 2


def broken(text: str, pieces: int) -> bool:
    """Whether an English vocabulary knows the words only as crumbs: `pieces` of under three letters each."""
    words = _WORD.findall(text)
    letters = sum(len(word) for word in words)
    return bool(words) and pieces > 1.5 * len(words) + 1 and letters < 3 * pieces
