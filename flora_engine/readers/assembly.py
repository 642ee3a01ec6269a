"""Joints with any names or numbers, as a file has them, to a recording in a known layout."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flora_engine.errors import FloraError
from flora_engine.readers import _input, _telling
from flora_engine.readers._guessing import finish
from flora_engine.readers.inspection import guess_layout
from flora_engine.readers.reading_recipes import ReadingRecipe
from flora_engine.skeleton import KINECT_V2, LAYOUTS, Note, SkeletonSequence, rigs
from flora_engine.skeleton.names import find, index_of, match
from flora_engine.skeleton.orientation import Claim

Array = NDArray[np.float64]
DEFAULT_FPS = 30.0
_SENSOR = Claim(np.eye(3), "a Kinect has +y up")
OUR_AXES = Claim(np.eye(3), "the file says that +y is up")  # of what we wrote
_PICTURE = np.diag([-1.0, -1.0, 1.0])  # x to the picture's right, y down, z away from the camera
CLAIMS = {
    **dict.fromkeys(("kinect_v2", "kinect_v1", "kinect_v1_utd", "sbu_15"), _SENSOR),
    "mediapipe_33": Claim(_PICTURE, "MediaPipe has -y up"),
    "azure_kinect_32": Claim(_PICTURE, "an Azure Kinect has -y up"),
}
_PICTURE_LANDMARKS = Note(
    "unit",
    "x and y are shares of a picture, which distorts the body: MediaPipe's world landmarks are better",
    "likely",
    conflict=True,
)
ASSUMED_RATE = Note("frame rate", "the file does not say it; 30 frames per second are assumed", "unsure")
HELP = "docs/formats.md lists the layouts and shows how a table should look."


def from_names(
    values: Array,
    names: Sequence[str],
    fps: float | None,
    path: Path,
    *,
    confidence: Array | None = None,
    claim: Claim | None = None,
    unit: str | None = None,
    body_ids: tuple[str, ...] | None = None,
    notes: tuple[Note, ...] = (),
    where: str = "",
) -> SkeletonSequence:
    """A recording of (T, M, N, 3) positions of N named joints, in the file's axes and unit; NaN where there is none.

    confidence (T, M, N): 0 to 1, or None. FloraError where the names belong to no known layout or rig.
    """
    recipe = _telling.saw(names)
    layout, places, known = _told_places(recipe, names, path) or _layout_of(names, values, path, where)
    invented: tuple[str, ...] | None = None
    if layout is not None:
        values = values[:, :, places]
        confidence = None if confidence is None else confidence[:, :, places]
    else:
        rig = rigs.recognise(names)
        if rig.missing:
            shown = _input.shown(", ".join(list(names)[:6]))
            raise FloraError(
                f"does not name all joints of a known layout (it has {len(names)}: {shown} ...)",
                path=path,
                where=where,
                remedy=HELP,
            )
        layout, invented = KINECT_V2.name, rig.invented
        used = rig.matrix != 0
        whole: NDArray[np.bool_] = ~np.any(np.isnan(values), axis=3)
        ready: NDArray[np.bool_] = np.stack([whole[:, :, row].all(axis=2) for row in used], axis=2)
        values = np.einsum("wv,tmvc->tmwc", rig.matrix, np.nan_to_num(values))
        somebody: NDArray[np.bool_] = np.any(whole, axis=2, keepdims=True)
        values[~ready & somebody] = np.nan
        confidence = (
            None if confidence is None else np.stack([confidence[:, :, row].min(axis=2) for row in used], axis=2)
        )
    return from_layout(
        values,
        layout,
        fps,
        path,
        confidence=confidence,
        claim=claim,
        unit=unit,
        body_ids=body_ids,
        notes=(*known, *notes),
        invented=invented,
    )


def _told_places(
    recipe: ReadingRecipe, names: Sequence[str], path: Path
) -> tuple[str, list[int], tuple[Note, ...]] | None:
    """The layout that a recipe says, and where its joints are among the file's; None if it says no layout.

    Joints that it does not name are found by their own names, or all of them by the file's order.
    """
    if recipe.layout is None:
        return None
    layout = LAYOUTS[recipe.layout]
    own = {name: i for i, name in enumerate(names)}
    strange = next((name for name in recipe.joints.values() if name not in own), None)
    if strange is not None:
        raise FloraError(f"has no joint {strange!r}, which {_called(recipe)} names", path=path,
                         remedy="Read it another way, or correct the recipe.")  # fmt: skip
    told = {joint: own[name] for joint, name in recipe.joints.items()}
    found = find(layout, index_of(names))
    places = [told.get(joint, place) for joint, place in zip(layout.joints, found, strict=True)]
    known = [place for place in places if place is not None]
    if len(set(known)) == len(layout.joints):
        return layout.name, known, ()
    if not told and len(names) == len(layout.joints):
        return layout.name, list(range(len(names))), ()
    lost = next((joint for joint, place in zip(layout.joints, places, strict=True) if place is None), "a joint")
    problem = f"is to be read in the layout {layout.name}, but {_called(recipe)} does not say which one is the {lost}"
    raise FloraError(problem, path=path, remedy="Name it in the recipe, under `joints` or `columns`.")


def _called(recipe: ReadingRecipe) -> str:
    return f"the recipe “{recipe.name}”" if recipe.name else "what you said"


def from_layout(
    values: Array,
    layout: str,
    fps: float | None,
    path: Path,
    *,
    confidence: Array | None = None,
    claim: Claim | None = None,
    unit: str | None = None,
    body_ids: tuple[str, ...] | None = None,
    notes: tuple[Note, ...] = (),
    invented: tuple[str, ...] | None = None,
) -> SkeletonSequence:
    """A recording of (T, M, V, 3) positions in the order of a layout, in the file's axes and unit."""
    _telling.saw((f"{values.shape[2]} joints",), "count")
    _input.check_size(path, *values.shape[:3])
    values = _without_lost(values)
    here = np.any(np.nan_to_num(values) != 0, axis=(2, 3))
    if not here.any():
        raise FloraError(f"holds nobody in any of its {len(values)} frames", path=path, remedy="Leave it out.")
    kept = here.any(axis=0)
    ids = None if body_ids is None else tuple(name for name, keep in zip(body_ids, kept, strict=True) if keep)
    tracking = None
    if confidence is not None:
        sure = np.where(np.nan_to_num(confidence) >= 0.5, 2, 1)
        tracking = np.where(here[..., None], sure, 0).astype(np.uint8)[:, kept]
    sequence = SkeletonSequence(
        _input.as_joints(values[:, kept], path),
        DEFAULT_FPS if fps is None else fps,
        layout,
        tracking,
        name=path.stem,
        source=path,
        body_ids=ids if ids and any(ids) else None,
    )
    rate = () if fps is not None else (ASSUMED_RATE,)
    if layout == "mediapipe_33" and _in_a_picture(values):
        notes = (*notes, _PICTURE_LANDMARKS)
    claim = claim or (CLAIMS.get(layout) if invented is None else None)
    return finish(sequence, path, claim=claim, unit=unit, invented=invented, notes=(*notes, *rate))


def _in_a_picture(values: Array) -> bool:
    """Whether all x and y are shares of a picture; world landmarks lie about the hips, on both sides of zero."""
    flat = values[..., :2][np.isfinite(values[..., :2]) & (values[..., :2] != 0)]
    return bool(flat.size) and bool(flat.min() > -0.2) and bool(flat.max() < 1.2)


def _without_lost(values: Array) -> Array:
    """Absent persons as zeros, and joints that are (0, 0, 0) in some frames only, as trackers write lost ones, NaN."""
    gone: NDArray[np.bool_] = np.any(np.isnan(values), axis=3)
    away: NDArray[np.bool_] = np.all(gone, axis=2, keepdims=True)
    values = np.where(away[..., None], 0.0, values)
    zero: NDArray[np.bool_] = np.all(values == 0, axis=3)
    here: NDArray[np.bool_] = ~np.all(zero, axis=2, keepdims=True)
    lost = zero & here
    always = lost.sum(axis=0) == here.sum(axis=0)  # a root at the origin
    return np.where((lost & ~always[None])[..., None], np.nan, values)


def _layout_of(
    names: Sequence[str], values: Array, path: Path, where: str
) -> tuple[str | None, list[int], tuple[Note, ...]]:
    """The largest layout all of whose joints are named, and their places; or one by its numbers; or (None, …)."""
    index = index_of(names)
    fitting = [(layout, places) for layout in LAYOUTS.values() if (places := match(layout, index)) is not None]
    if fitting:
        layout, places = max(fitting, key=lambda each: len(each[1]))
        return layout.name, places, ()
    numbers = [re.fullmatch(r"\D*?(\d{1,3})", name.strip()) for name in names]
    order = sorted((int(number[1]), i) for i, number in enumerate(numbers) if number)
    if len(order) == len(names) and [number - order[0][0] for number, _ in order] == list(range(len(names))):
        places = [i for _, i in order]
        found, notes = by_count(values[:, :, places], path, where)
        return found, places[: len(LAYOUTS[found].joints)], notes
    return None, [], ()


def by_count(values: Array, path: Path, where: str = "") -> tuple[str, tuple[Note, ...]]:
    """The layout of (T, M, V, 3) joints without names: of those with as many joints the one that hangs together best.

    The joints of that layout are the first of them. FloraError where none has as many.
    """
    count = values.shape[2]
    recipe = _telling.saw((f"{count} joints",), "count")
    if recipe.layout is not None and len(LAYOUTS[recipe.layout].joints) == count:
        return recipe.layout, ()
    fitting = [name for name, layout in LAYOUTS.items() if count in layout.counts]
    if not fitting:
        counts = ", ".join(str(n) for n in sorted({n for layout in LAYOUTS.values() for n in layout.counts}))
        raise FloraError(
            f"does not name its {count} joints, and no known layout has as many",
            path=path,
            where=where,
            remedy=f"Known are layouts of {counts} joints; name the joints, or write them as .npz with a layout.",
        )
    whole = LAYOUTS[fitting[0]]
    if len(whole.joints) != count:
        text = f"the first {len(whole.joints)} of {count} joints are taken for {whole.title} by their number"
        return whole.name, (Note("layout", text, "likely"),)
    people = values.reshape(-1, count, 3)
    best = guess_layout(people[np.nan_to_num(people).any(axis=(1, 2))], fitting[0]) or fitting[0]
    others = [LAYOUTS[name].title for name in fitting if name != best]
    text = f"the {count} joints are taken for {LAYOUTS[best].title} by their number"
    if others:
        return best, (Note("layout", f"{text} and how they hang together, not {' or '.join(others)}", "likely"),)
    return best, (Note("layout", text, "likely"),)
