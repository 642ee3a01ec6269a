"""Nothing of an unseen class, and nothing of the test part, may train: checked by class name, not by number.

Numbers belong to a numbering; two parts of a program that disagree about it compare wrong numbers and find nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from flora_engine.datasets.clips import Clips
from flora_engine.errors import FloraError
from flora_engine.jobs import Job
from flora_engine.project.splits import Parts, Split, divide


def divide_apart(split: Split, clips: Clips, class_names: Sequence[str]) -> Parts:
    """The parts of a split, none of them empty, with `check_no_leak`. class_names: what the split's numbers mean."""
    parts = divide(split, clips.labels, clips.subjects, clips.cameras, clips.setups)
    check_no_leak(split, clips, parts, class_names)
    return parts


def check_no_leak(split: Split, clips: Clips, parts: Parts, class_names: Sequence[str]) -> None:
    """FloraError if a training clip is of an unseen class or in the test part, or if a subject, camera or set-up is in
    both parts of a split by that number.

    class_names: what the numbers of the split mean. They are compared with the names of the clips' own classes.
    """
    leaks = f"split “{split.name}” leaks"
    unseen = {class_names[label].casefold() for label in split.unseen}
    trained = (clips.class_names[label] for label in np.unique(clips.labels[parts.train]))
    for name in trained:
        if name.casefold() in unseen:
            raise FloraError(
                f"{leaks}: “{name}” is unseen and would train",
                remedy="A class of the same name in another data set counts too: make both unseen, or neither.",
            )
    if np.isin(parts.train, parts.gzsl).any():
        raise FloraError(f"{leaks}: test recordings would train")
    if split.train.by != "fraction":
        numbers = getattr(clips, f"{split.train.by}s")
        if np.intersect1d(numbers[parts.train], numbers[parts.gzsl]).size:
            raise FloraError(f"{leaks}: a {split.train.by} is in training and test")


def check_trained_apart(job: Job, checkpoints: Mapping[str, Path], unseen: Sequence[str], split: str) -> None:
    """FloraError if a checkpoint of ours has learned a class named in `unseen`, the unseen classes of `split`.

    Published checkpoints do not say what they learned. One of ours that does not say it either gives a warning.
    """
    from flora_engine.training.encoder.state import load_encoder

    names = {name.casefold() for name in unseen}
    for path in checkpoints.values():
        if not names or path.suffix == ".pt":
            continue
        learned = load_encoder(path)[1].get("class_names")
        if learned is None:
            job.warn(f"{path}: this encoder does not say which classes it has learned; they may be unseen in {split}")
            continue
        for name in learned:
            if name.casefold() in names:
                raise FloraError(
                    f"this encoder was trained on “{name}”, which is unseen in {split}",
                    path=path,
                    remedy="Train it on this split with `flora train-encoder`.",
                )
