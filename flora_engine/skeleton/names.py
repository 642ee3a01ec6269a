"""What a joint's name means, however it is spelled: "mixamorig:LeftForeArm", "l_forearm", "Forearm.L", "LForeArm"."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from flora_engine.skeleton.layouts import Layout

# What tools put before every name.
_PREFIX = re.compile(
    r"^((?i:mixamorig\d*|bip\d+|valvebiped|[mf]_avg|j_?bip)[ _.:-]*"
    r"|(?i:def|cc_base|character\d*|robot|joint|jnt|skel)[ _.:-]+|j(?=[A-Z]))"
)
_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
_SIDE = {"left": "left", "l": "left", "right": "right", "r": "right"}
_SPELLINGS = {"center": "centre"}


def keys(name: str) -> tuple[str, ...]:
    """What a name may mean, most likely first, as "left forearm" or "spine1".

    The side may be a word or letter of its own anywhere, or the first or last letter of a name without one.
    """
    plain = name.rsplit(":", 1)[-1].strip()
    shorter = _PREFIX.sub("", plain)
    plain = shorter if re.search("[A-Za-z]", shorter) else plain
    words = [_SPELLINGS.get(word.lower(), word.lower()) for word in _WORD.findall(plain)]
    sides = [i for i, word in enumerate(words) if word in _SIDE]
    if sides and len(words) > 1:
        rest = "".join(word for i, word in enumerate(words) if i != sides[0])
        return (f"{_SIDE[words[sides[0]]]} {rest}",)
    whole = "".join(words)
    found = [whole]
    for letter, rest in ((whole[:1], whole[1:]), (whole[-1:], whole[:-1])):
        if letter in _SIDE and len(rest) > 1:
            found.append(f"{_SIDE[letter]} {rest}")
    for side in ("left", "right"):
        if whole != side and (whole.startswith(side) or whole.endswith(side)):
            found.insert(0, f"{side} {whole.removeprefix(side) if whole.startswith(side) else whole[: -len(side)]}")
    return tuple(found)


def index_of(names: Sequence[str]) -> dict[str, int]:
    """Every meaning of every name, with the place of the first name that has it; sure meanings go before others."""
    index: dict[str, int] = {}
    meanings = [keys(name) for name in names]
    for depth in range(max(map(len, meanings), default=0)):
        for i, each in enumerate(meanings):
            if depth < len(each):
                index.setdefault(each[depth], i)
    return index


def match(layout: Layout, index: Mapping[str, int]) -> list[int] | None:
    """The place of every joint of the layout among names (`index_of`), None unless all are there."""
    found = [place for place in find(layout, index) if place is not None]
    return found if len(set(found)) == len(layout.joints) else None


def find(layout: Layout, index: Mapping[str, int]) -> list[int | None]:
    """The place of each joint of the layout among names (`index_of`), None for those that are not there."""
    return [_place(index, (joint, *layout.synonyms.get(joint, ()))) for joint in layout.joints]


def _place(index: Mapping[str, int], spellings: Iterable[str]) -> int | None:
    return next((index[key] for name in spellings for key in keys(name) if key in index), None)
