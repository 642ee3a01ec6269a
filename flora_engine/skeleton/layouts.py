"""Joint layouts: names, bones, and how to make the model's 25 joints from each.

A layout is one file, `resources/layouts/NAME.yaml`:

    title: what people call it
    joints: lists of names in file order, flattened
    bones: [child, parent] pairs
    synonyms: {joint: [other names]}, beside what `names.key` knows
    front: [names in front, names behind] of the head, to see where a body without feet faces
    invented: the Kinect v2 joints that it does not have, so that they are made up from others
    kinect_v2: {Kinect v2 joint: recipe}; a joint that is left out is the one of the same name
    matched: the same, but so that the body gets Kinect v2's proportions, where names alone do not
    whole: how many joints the whole body has of which these are the first, as with face and fingers
    named_only: true if joints without names are never taken for this layout, whatever their number

A recipe is a name, a list of names (their mean) or {name: weight} (a weighted mean; a negative weight extrapolates). A
name with SIDE stands for two, left first; OTHER is the side that SIDE is not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from flora_engine.resources import RESOURCES

# Kinect v2 joint -> source joint -> its weight; the weights of a joint sum to 1.
Recipe = dict[str, dict[str, float]]
SIDES = ("left", "right")
FOLDER = RESOURCES / "layouts"
# Of layouts with the same joints the earlier one is meant.
_FIRST = ("kinect_v2", "kinect_v1", "kinect_v1_utd", "mediapipe_33")


@dataclass(frozen=True)
class Layout:
    """A skeleton's joints, in file order.

    bones: (child, parent) index pairs, 0-based. mirror: (left, right) index pairs. up: the axis that points up in
    sequences of this layout, as its reader gives them ("+y"). to_kinect_v2: for every Kinect v2 joint name the weights
    of the source joints; empty for Kinect v2 itself. matched: the same, but so that the body gets Kinect v2's
    proportions; empty where `to_kinect_v2` does that as well. invented: Kinect v2 joints that are not measured.
    front: names (before, behind) at the head. synonyms: other names of joints. named_only: found by names alone.
    whole: the number of joints of the arrays whose first these are, or 0.
    """

    name: str
    title: str
    joints: tuple[str, ...]
    bones: tuple[tuple[int, int], ...]
    mirror: tuple[tuple[int, int], ...]
    up: str
    to_kinect_v2: Recipe
    matched: Recipe = field(default_factory=dict)
    invented: tuple[str, ...] = ()
    front: tuple[tuple[str, ...], tuple[str, ...]] | None = None
    synonyms: dict[str, tuple[str, ...]] = field(default_factory=dict)
    named_only: bool = False
    whole: int = 0

    @property
    def counts(self) -> tuple[int, ...]:
        """The numbers of joints without names that may be of this layout."""
        return () if self.named_only else (len(self.joints), self.whole) if self.whole else (len(self.joints),)


def _sided(name: str) -> list[str]:
    return [name.replace("SIDE", side) for side in SIDES] if "SIDE" in name else [name]


def _pairs(joints: tuple[str, ...]) -> tuple[tuple[int, int], ...]:
    """Left/right index pairs from the names themselves."""
    index = {name: i for i, name in enumerate(joints)}
    return tuple((i, index["right " + name[5:]]) for name, i in index.items() if name.startswith("left "))


def _weights(recipe: str | list[str] | dict[str, float], side: str) -> dict[str, float]:
    """Weights that sum to 1, with SIDE replaced."""
    if isinstance(recipe, str):
        recipe = [recipe]
    given = recipe if isinstance(recipe, dict) else dict.fromkeys(recipe, 1.0)
    total = sum(given.values())
    other = "right" if side == "left" else "left"
    return {name.replace("SIDE", side).replace("OTHER", other): weight / total for name, weight in given.items()}


def _recipe(given: dict[str, Any] | None, joints: tuple[str, ...], targets: tuple[str, ...]) -> Recipe:
    if given is None:
        return {}
    own = {target: _weights(recipe, target.split()[0]) for name, recipe in given.items() for target in _sided(name)}
    return {target: own.get(target) or {joints[joints.index(target)]: 1.0} for target in targets}


def load_layout(path: Path, targets: tuple[str, ...] = ()) -> Layout:
    """One layout file; targets: the names of the 25 Kinect v2 joints."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    with path.open(encoding="utf-8") as file:
        content: dict[str, Any] = yaml.load(file, loader)
    joints = tuple(name for row in content["joints"] for joint in row for name in _sided(joint))
    index = {name: i for i, name in enumerate(joints)}
    bones = []
    for child, parent in content["bones"]:
        sides = SIDES if "SIDE" in child else SIDES[:1]
        bones += [(index[child.replace("SIDE", side)], index[parent.replace("SIDE", side)]) for side in sides]
    front = content.get("front")
    return Layout(
        name=path.stem,
        title=content["title"],
        joints=joints,
        bones=tuple(bones),
        mirror=_pairs(joints),
        up="+y",
        to_kinect_v2=_recipe(content.get("kinect_v2"), joints, targets),
        matched=_recipe(content.get("matched"), joints, targets),
        invented=tuple(name for joint in content.get("invented", ()) for name in _sided(joint)),
        front=(tuple(front[0]), tuple(front[1])) if front else None,
        synonyms={
            own: tuple(other.replace("SIDE", own.split()[0]) for other in others)
            for joint, others in content.get("synonyms", {}).items()
            for own in _sided(joint)
        },
        named_only=bool(content.get("named_only", False)),
        whole=int(content.get("whole", 0)),
    )


KINECT_V2 = load_layout(FOLDER / "kinect_v2.yaml")
_OTHERS = sorted({path.stem for path in FOLDER.glob("*.yaml")} - set(_FIRST))
LAYOUTS: dict[str, Layout] = {KINECT_V2.name: KINECT_V2} | {
    name: load_layout(FOLDER / f"{name}.yaml", KINECT_V2.joints) for name in (*_FIRST[1:], *_OTHERS)
}
