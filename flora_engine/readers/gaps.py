"""Joints that are missing in some frames, filled in from the frames before and after."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from flora_engine.skeleton import Note, SkeletonSequence


def fill(sequence: SkeletonSequence) -> SkeletonSequence:
    """The recording with every NaN joint on a straight line between its neighbours in time, or at the nearest one.

    Filled joints count as inferred (tracking 1). A joint that is never there stays NaN. A note says how much it was.
    """
    missing: NDArray[np.bool_] = np.any(np.isnan(sequence.joints), axis=3)
    if not missing.any():
        return sequence
    present = sequence.present()
    joints = sequence.joints.copy()
    for person, joint in np.argwhere(missing.any(axis=0)):
        here = present[:, person]
        known = np.flatnonzero(here & ~missing[:, person, joint])
        gone = np.flatnonzero(here & missing[:, person, joint])
        if known.size:
            for axis in range(3):
                track = joints[:, person, joint, axis]
                track[gone] = np.interp(gone, known, track[known])
    tracking = np.where(present[..., None], 2, 0).astype(np.uint8) if sequence.tracking is None else sequence.tracking
    tracking = np.where(missing & present[..., None], np.minimum(tracking, 1), tracking).astype(np.uint8)
    share = 100 * float(missing.sum()) / max(1, int(present.sum()) * missing.shape[2])
    text = f"{share:.1f} % of the joints were missing and are filled in from the frames before and after"
    notes = (*(note for note in sequence.notes if note.about != "gaps"), Note("gaps", text, "likely"))
    return replace(sequence, joints=joints, tracking=tracking, notes=notes)
