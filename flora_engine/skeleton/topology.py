"""The parts of a body in a tree of joints whose names say nothing: where two legs and a spine meet are the hips.

Two branches of equal length that leave the tree near its root are legs, two that leave the third branch are arms, and
what is left there ends in the head. In each limb the two longest neighbouring bones are the ones that bend.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
_MOST = 6  # branches that are looked at per joint, the longest: a body has five
_EQUAL = 0.1  # the lengths of left and right limbs differ by at most this share
_PARTS = {"Leg": ("UpLeg", "Leg", "Foot"), "Arm": ("Arm", "ForeArm", "Hand")}


def names_by_shape(parents: Sequence[int], rest: Array, ends: Sequence[bool]) -> dict[int, str] | None:
    """Names as Mixamo has them for the joints that can be told, or None where no body is found.

    parents: of each joint, -1 for the root, parents before children. rest: (J, 3) positions of the rest pose. ends:
    which joints are end sites. Which side is called left is arbitrary; it is the same for arms and legs.
    """
    tree = _Tree(parents, rest, ends)
    for hips in sorted(range(len(parents)), key=tree.depth.__getitem__):
        for legs in _pairs(tree, hips):
            for trunk in tree.branches(hips):
                if trunk in legs:
                    continue
                found = _upper_body(tree, trunk)
                if found is not None:
                    arms, head = found
                    return _named(tree, hips, legs, arms, head)
    return None


class _Tree:
    def __init__(self, parents: Sequence[int], rest: Array, ends: Sequence[bool]) -> None:
        self.parents, self.rest = list(parents), rest
        self.children: list[list[int]] = [[] for _ in parents]
        for joint, parent in enumerate(parents):
            if parent >= 0 and not ends[joint]:
                self.children[parent].append(joint)
        self.length = [0.0] * len(parents)  # of the longest way down from each joint
        self.steps = [1] * len(parents)  # its joints, that joint among them
        self.depth = [0] * len(parents)
        for joint in range(1, len(parents)):
            self.depth[joint] = self.depth[parents[joint]] + 1
        for joint in reversed(range(len(parents))):
            if self.children[joint]:
                below = self.branches(joint)[0]
                self.length[joint] = self.length[below] + self.bone(below)
                self.steps[joint] = self.steps[below] + 1

    def bone(self, joint: int) -> float:
        parent = self.parents[joint]
        return float(np.linalg.norm(self.rest[joint] - self.rest[parent])) if parent >= 0 else 0.0

    def branches(self, joint: int) -> list[int]:
        """The longest branches below a joint."""
        return sorted(self.children[joint], key=lambda child: -self.length[child] - self.bone(child))[:_MOST]

    def chain(self, top: int) -> list[int]:
        """The longest way down from a joint."""
        way = [top]
        while self.children[way[-1]]:
            way.append(self.branches(way[-1])[0])
        return way


def _pairs(tree: _Tree, joint: int) -> list[tuple[int, int]]:
    """Pairs of branches that may be two legs or two arms, the longest first."""
    branches = [child for child in tree.branches(joint) if tree.steps[child] >= 3]
    alike = [
        (a, b)
        for a, b in combinations(branches, 2)
        if abs(tree.length[a] - tree.length[b]) <= _EQUAL * max(tree.length[a], tree.length[b])
        and tree.steps[a] == tree.steps[b]
    ]
    return sorted(alike, key=lambda pair: -tree.length[pair[0]])


def _upper_body(tree: _Tree, joint: int) -> tuple[tuple[int, int], int | None] | None:
    """The two arms and the head above a joint of the spine."""
    while True:
        for arms in _pairs(tree, joint):
            others = [child for child in tree.children[joint] if child not in arms]
            head = max(others, key=lambda child: tree.length[child] + tree.bone(child), default=None)
            return arms, None if head is None else tree.chain(head)[-1]
        if not tree.children[joint]:
            return None
        joint = max(tree.children[joint], key=lambda child: tree.length[child])


def _limb(tree: _Tree, top: int) -> list[int]:
    """The three joints of a limb: the ends of its two longest neighbouring bones."""
    chain = tree.chain(top)
    bones = [tree.bone(joint) for joint in chain[1:]]
    start = max(range(len(bones) - 1), key=lambda i: bones[i] + bones[i + 1])
    return chain[start : start + 3]


def _named(tree: _Tree, hips: int, legs: tuple[int, int], arms: tuple[int, int], head: int | None) -> dict[int, str]:
    limbs = {"Leg": [_limb(tree, leg) for leg in legs], "Arm": [_limb(tree, arm) for arm in arms]}
    across = [tree.rest[first[0]] - tree.rest[second[0]] for first, second in limbs.values()]
    if float(across[0] @ across[1]) < 0:
        limbs["Arm"].reverse()
    names = {hips: "Hips"}
    if head is not None:
        names[head] = "Head"
    for limb, sides in limbs.items():
        for side, joints in zip(("Left", "Right"), sides, strict=True):
            names |= {joint: side + part for joint, part in zip(joints, _PARTS[limb], strict=True)}
    return names
