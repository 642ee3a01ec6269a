"""From joints as a file has them to a recording in Kinect axes and metres, with notes on every guess."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from flora_engine.readers import _input, _telling
from flora_engine.readers.reading_recipes import ReadingRecipe
from flora_engine.skeleton import KINECT_V2, Note, SkeletonSequence
from flora_engine.skeleton.orientation import HEIGHT, KINECT_HEIGHT, Claim, align, look


def finish(
    sequence: SkeletonSequence,
    path: Path,
    *,
    claim: Claim | None = None,
    unit: str | None = None,
    invented: tuple[str, ...] | None = None,
    notes: tuple[Note, ...] = (),
) -> SkeletonSequence:
    """Turn and scale the joints (T, M, V, 3) of a recording, which are still in the file's own axes and unit.

    claim, unit: what the file or its format says, see `orientation.align`. invented: Kinect joints that were made up;
    None: as the layout says. notes: what the reader guessed before.
    """
    recipe = _telling.use()
    seen = look(sequence.joints, sequence.layout, invented)
    by_kinect = invented is None and sequence.layout.startswith(("kinect", "sbu"))
    aligned = align(seen, claim, unit, KINECT_HEIGHT if by_kinect else HEIGHT, recipe.told())
    turned = sequence.joints.astype(np.float64) @ aligned.turn.T + 0.0  # + 0: no -0 for an absent person
    fps = sequence.fps if recipe.fps is None else recipe.fps
    notes = tuple(note for note in notes if note.about != "frame rate" or recipe.fps is None)
    known = (*recipe_notes(recipe), *notes, *aligned.notes, *invented_notes(sequence, invented), *_gaps(sequence))
    return replace(sequence, joints=_input.as_joints(turned, path), fps=fps, notes=known)


def recipe_notes(recipe: ReadingRecipe) -> tuple[Note, ...]:
    """What to note of a recording that is read by a recipe."""
    if recipe.says_nothing:
        return ()
    return (Note("recipe", f"read as “{recipe.name}” says" if recipe.name else "read as you said"),)


def invented_notes(sequence: SkeletonSequence, invented: tuple[str, ...] | None = None) -> list[Note]:
    """What to note of the Kinect joints that were made up; None: those that the layout does not measure."""
    names = sequence.skeleton.invented if invented is None else invented
    if not names:
        return []
    text = f"{len(names)} of {len(KINECT_V2.joints)} joints are made up from others: {', '.join(names)}"
    return [Note("joints", text)]


def _gaps(sequence: SkeletonSequence) -> list[Note]:
    missing = np.isnan(sequence.joints[sequence.present()]).any(axis=2)
    share = float(missing.mean()) if missing.size else 0.0
    return [Note("gaps", f"{100 * share:.1f} % of the joints are missing")] if share else []
