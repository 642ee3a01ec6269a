"""Does a recording look human? What the eye would notice, as numbers and plain words, before anything is imported.

Everything is measured on the recording as read (`read_sequence(path, allow_nan=True)`), so that the user can put right
what `corrections.correct` can: the layout, the up axis, the scale, the frame rate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from flora_engine.skeleton import LAYOUTS, Layout, SkeletonSequence, to_kinect_v2
from flora_engine.skeleton.orientation import STATURE, UNITS, Look, look

Verdict = Literal["good", "doubtful", "bad"]
Array = NDArray[np.float64]

# Limits of "good" and of "doubtful"; docs/formats.md has the measurements behind them.
NAN_SHARE = (0.001, 0.2)
STEADINESS = (0.2, 0.4)
SYMMETRY = (0.2, 0.4)
COMPACTNESS = (0.65, 0.8)
FPS = (10.0, 120.0)
SPEED = 12.0  # metres a second of the fastest wrist; throwing reaches some 10
ENOUGH_FRAMES = 2


@dataclass(frozen=True)
class Check:
    """One thing looked at: what was found, how it is judged, and what to do ("" where it is good)."""

    name: str
    verdict: Verdict
    finding: str
    advice: str = ""


@dataclass(frozen=True)
class Inspection:
    """What a recording looks like. None: cannot be told (too few frames, nobody there).

    nan_share: of the joints of persons who are there. bone_steadiness: median over bones of the interquartile range of
    its length over its median length; 0 for a rigid body. symmetry: median over left/right bone pairs of the relative
    difference of their median lengths. Both are means over persons, weighted by their frames.
    compactness: mean length of bones over the joints' root-mean-square distance from their centre; joints in a wrong
    order make it large. stature: hip to ankle by the knee, and spine base to head, in metres if that is the unit.
    up: "+y" and so on. layout: the LAYOUTS name that fits best among those with as many joints.
    unit: of metres, centimetres, millimetres, inches; scale: its factor to metres.
    """

    frames: int
    persons: int
    fps: float
    nan_share: float
    bone_steadiness: float | None
    symmetry: float | None
    compactness: float | None
    stature: float | None
    up: str | None
    layout: str | None
    unit: str | None
    scale: float | None
    checks: tuple[Check, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst of the checks."""
        verdicts = [check.verdict for check in self.checks]
        return "bad" if "bad" in verdicts else "doubtful" if "doubtful" in verdicts else "good"


def inspect(sequence: SkeletonSequence) -> Inspection:
    """Measure and judge one recording; never raises for odd data."""
    people = _people(sequence)
    missing = np.isnan(people).any(axis=2)
    nan_share = float(missing.mean()) if missing.size else 0.0
    steadiness = _over_persons(sequence, _steadiness)
    symmetry = _over_persons(sequence, _symmetry)
    layout = guess_layout(people, sequence.layout)
    trusted = sequence if layout is None else replace(sequence, layout=layout)
    seen = look(trusted.joints, trusted.layout)
    stature, unit = seen.stature, seen.unit
    scale = None if unit is None else UNITS[unit]
    up = None if seen.up_sure == "unsure" and not seen.may_lie else seen.up
    found = Inspection(
        frames=sequence.frames,
        persons=sequence.persons,
        fps=sequence.fps,
        nan_share=nan_share,
        bone_steadiness=steadiness,
        symmetry=symmetry,
        compactness=_compactness(people, trusted.layout),
        stature=stature,
        up=up,
        layout=layout,
        unit=unit,
        scale=scale,
        checks=(),
    )
    checks = (
        _check_people(found, len(people)),
        _check_nan(found),
        _check_layout(found, sequence),
        *_check_bones(found),
        _check_up(found),
        _check_sides(seen),
        _check_scale(found),
        _check_rate(found, _wrist_speed(sequence, trusted.layout, scale)),
    )
    return replace(found, checks=tuple(check for check in checks if check is not None))


def _people(sequence: SkeletonSequence) -> Array:
    """(n, V, 3): every person in every frame where there, absent ones left out."""
    return sequence.joints[sequence.present()].astype(np.float64)


def _over_persons(sequence: SkeletonSequence, measure: Callable[[Array, Layout], float | None]) -> float | None:
    """A measure of each person's frames, averaged by their number; persons of a single frame are left out."""
    present = sequence.present()
    total = weight = 0.0
    for person in range(sequence.persons):
        frames = sequence.joints[present[:, person], person].astype(np.float64)
        value = measure(frames, sequence.skeleton) if len(frames) >= ENOUGH_FRAMES else None
        if value is not None:
            total, weight = total + len(frames) * value, weight + len(frames)
    return total / weight if weight else None


def _lengths(people: Array, layout: Layout) -> Array:
    """(n, bones): the length of each bone, those never seen whole left out."""
    child, parent = np.array(layout.bones).T
    lengths: Array = np.linalg.norm(people[:, child] - people[:, parent], axis=2)
    return lengths[:, ~np.isnan(lengths).all(axis=0)]


def _steadiness(people: Array, layout: Layout) -> float | None:
    lengths = _lengths(people, layout)
    if lengths.size == 0:
        return None
    low, middle, high = np.nanquantile(lengths, (0.25, 0.5, 0.75), axis=0)
    real = middle > 1e-9 * float(middle.max())  # a bone to a copied joint has no length
    return float(np.median((high - low)[real] / middle[real])) if real.any() else None


def _compactness(people: Array, layout: str) -> float | None:
    enough = people[np.isnan(people).any(axis=2).mean(axis=1) < 0.5]  # frames in which half the joints are there
    lengths = _lengths(enough, LAYOUTS[layout]) if len(enough) else enough
    if not lengths.size:
        return None
    spread = np.sqrt(np.nanmean(((enough - np.nanmean(enough, axis=1, keepdims=True)) ** 2).sum(axis=2), axis=1))
    real = (spread > 0) & ~np.isnan(lengths).all(axis=1)
    return float(np.median(np.nanmean(lengths[real], axis=1) / spread[real])) if real.any() else None


def _symmetry(people: Array, skeleton: Layout) -> float | None:
    other = {**dict(skeleton.mirror), **{right: left for left, right in skeleton.mirror}}
    left_joints = {left for left, _ in skeleton.mirror}
    differences = []
    for child, parent in skeleton.bones:
        if child not in left_joints:
            continue
        left = np.linalg.norm(people[:, child] - people[:, parent], axis=1)
        right = np.linalg.norm(people[:, other[child]] - people[:, other.get(parent, parent)], axis=1)
        if np.isnan(left).all() or np.isnan(right).all():
            continue
        a, b = float(np.nanmedian(left)), float(np.nanmedian(right))
        if a + b > 0:
            differences.append(2 * abs(a - b) / (a + b))
    return float(np.median(differences)) if differences else None


def guess_layout(people: Array, own: str) -> str | None:
    """Of the layouts with as many joints the most compact one; the file's own unless another is clearly better."""
    scores: dict[str, float] = {}
    for name, layout in LAYOUTS.items():
        fits = len(layout.joints) == people.shape[1] and (name == own or not layout.named_only)
        score = _compactness(people, name) if fits else None
        if score is not None:
            scores[name] = score
    if not scores:
        return None
    best = min(scores, key=lambda name: scores[name])
    return best if scores[best] < 0.9 * scores[own] else own


def _wrist_speed(sequence: SkeletonSequence, layout: str, scale: float | None) -> float | None:
    """95th percentile of the wrists' speed in metres a second, between neighbouring frames of one person."""
    if scale is None or sequence.frames < ENOUGH_FRAMES:
        return None
    wrists = to_kinect_v2(replace(sequence, layout=layout)).joints[:, :, [6, 10]].astype(np.float64)
    here = sequence.present()
    steps = np.linalg.norm(np.diff(wrists, axis=0), axis=3)[here[1:] & here[:-1]]
    steps = steps[~np.isnan(steps)]
    return float(np.quantile(steps, 0.95)) * scale * sequence.fps if steps.size else None


def _judge(value: float, limits: tuple[float, float]) -> Verdict:
    return "good" if value <= limits[0] else "doubtful" if value <= limits[1] else "bad"


def _check_people(found: Inspection, appearances: int) -> Check:
    text = f"{found.persons} person(s) in {found.frames} frame(s)"
    if appearances == 0:
        return Check("people", "bad", f"nobody is there in {found.frames} frame(s)", "Leave it out.")
    if found.compactness is None and found.nan_share < 0.5:
        return Check("people", "bad", "all joints lie in one point", "Leave it out, or check the file.")
    if appearances < ENOUGH_FRAMES:
        return Check("people", "doubtful", text, "One frame shows a pose, not an action; consider leaving it out.")
    return Check("people", "good", text)


def _check_nan(found: Inspection) -> Check:
    verdict = _judge(found.nan_share, NAN_SHARE)
    text = f"{100 * found.nan_share:.1f} % of the joints are missing (NaN)"
    return Check("missing joints", verdict, text, "" if verdict == "good" else "Fill the gaps before importing.")


def _check_layout(found: Inspection, sequence: SkeletonSequence) -> Check | None:
    if found.layout is None or found.compactness is None:
        return None
    verdict = _judge(found.compactness, COMPACTNESS)
    if verdict != "good":
        return Check(
            "layout",
            verdict,
            "the joints do not hang together like a body's in any known layout",
            "Check the order of the joints in the file; docs/formats.md lists the known orders.",
        )
    if found.layout == sequence.layout:
        return Check("layout", "good", f"the joints fit {sequence.skeleton.title}")
    return Check(
        "layout",
        "bad",
        f"the joints are named as {sequence.skeleton.title} but fit {LAYOUTS[found.layout].title}",
        f"Set the layout to {found.layout}.",
    )


def _check_bones(found: Inspection) -> list[Check]:
    checks = []
    if found.bone_steadiness is not None:
        verdict = _judge(found.bone_steadiness, STEADINESS)
        checks.append(
            Check(
                "bone lengths",
                verdict,
                f"the lengths of bones vary by {100 * found.bone_steadiness:.0f} %",
                "" if verdict == "good" else "Check the layout (the order of the joints), or the tracking is poor.",
            )
        )
    if found.symmetry is not None:
        verdict = _judge(found.symmetry, SYMMETRY)
        checks.append(
            Check(
                "symmetry",
                verdict,
                f"left and right bones differ by {100 * found.symmetry:.0f} %",
                "" if verdict == "good" else "Check the layout: left and right joints may be at the wrong place.",
            )
        )
    return checks


def _check_up(found: Inspection) -> Check | None:
    if found.up is None:
        if found.bone_steadiness is None:
            return None
        return Check("up axis", "doubtful", "no axis is clearly up", "Look at it in the viewer; somebody may lie down.")
    if found.up == "+y":
        return Check("up axis", "good", "+y is up")
    advice = f"Set the up axis to {found.up}, unless the person lies or hangs upside down."
    return Check("up axis", "bad", f"{found.up} seems to be up, not +y", advice)


def _check_sides(seen: Look) -> Check | None:
    if not seen.left_handed or seen.handed_sure != "sure":
        return None
    advice = "Check it in the viewer; left and right joints may be exchanged."
    return Check("left and right", "doubtful", "feet, knees or elbows point backwards: it seems mirrored", advice)


def _check_scale(found: Inspection) -> Check | None:
    if found.stature is None:
        return None
    if found.unit is None:
        text = f"a size of {found.stature:.3g} fits no unit of length"
        return Check("scale", "bad", text, f"Set the scale to about {STATURE / found.stature:.3g}.")
    if found.unit == "metres":
        return Check("scale", "good", f"a person's size fits metres ({found.stature:.2f} m, ankles to head)")
    return Check("scale", "bad", f"the coordinates seem to be {found.unit}", f"Set the scale to {found.scale:g}.")


def _check_rate(found: Inspection, speed: float | None) -> Check:
    text = f"{found.fps:g} frames a second"
    if not FPS[0] <= found.fps <= FPS[1]:
        return Check("frame rate", "doubtful", text, "Check the frame rate; usual are 10 to 120 a second.")
    if speed is not None and speed > SPEED:
        text = f"{text}, at which the wrists move at {speed:.0f} m/s"
        return Check("frame rate", "doubtful", text, "Check the frame rate and the scale, or the tracking jumps.")
    return Check("frame rate", "good", text)
