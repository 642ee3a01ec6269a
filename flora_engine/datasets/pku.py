"""PKU-MMD I and II: recordings are cut into the clips of their labels; the published split files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flora_engine.datasets.ntu import warn_sizes
from flora_engine.datasets.preparing import Report, Result, Task, incoming
from flora_engine.datasets.published_files import npz_writer
from flora_engine.errors import FloraError
from flora_engine.jobs import Job
from flora_engine.preprocessing import pku
from flora_engine.project import Incoming, Project
from flora_engine.readers import read_sequence
from flora_engine.readers.pku import FPS
from flora_engine.skeleton import SkeletonSequence

VIDEO = {
    "pku1": re.compile(r"(?P<video>\d{4})-(?P<view>[LMR])"),
    "pku2": re.compile(r"(?P<video>A\d\dN\d\d)-(?P<view>[LMR])"),
}
CLIP = re.compile(r"(?:F\d{3}|A0\d\dN0\d\d)V\d{3}C\d{3}L\d{3}")
VIEWS = {"L": 1, "M": 2, "R": 3}
CLASSES = 51  # both parts number their classes 1 to 51; part II uses 41 of them
CROSS_SUBJECT_TRAIN, CROSS_SUBJECT_TEST = 1, 2
# Published split file -> (data set, which split file of the data set decides)
EXPORTS = {
    "pkuv1_xsub": ("pku1", "subject"),
    "pkuv1_xview": ("pku1", "view"),
    "pkuv2_xsub": ("pku2", "subject"),
    "pkuv2_xview": ("pku2", "view"),
}


@dataclass(frozen=True)
class Label:
    """A clip in a recording: class number from 1, frames [begin, end) 0-based."""

    action: int
    begin: int
    end: int


# Reading the raw folder


def recording_name(video: str) -> str:
    """What the clip names of a video begin with: 0002-L -> F002V001, A01N02-M -> A001N002V002; "" for other names."""
    for pattern in VIDEO.values():
        if match := pattern.fullmatch(video):
            name, view = match["video"], VIEWS[match["view"]]
            start = f"A0{name[1:3]}N0{name[4:6]}" if name.startswith("A") else f"F{int(name):03d}"
            return f"{start}V{view:03d}"
    return ""


def find(raw: Path, dataset: str, left_out: frozenset[str], report: Report) -> list[Task]:
    """The recordings of the data set anywhere below `raw`, each with its label file, in name order.

    Both are text files of one name in different folders; skeleton lines hold blanks, label lines commas. Recordings
    without labels go into the report. Raises FloraError if there is no such folder or no recording in it.
    """
    if not raw.is_dir():
        raise FloraError("there is no such folder", path=raw)
    skeletons: dict[str, Path] = {}
    labels: dict[str, Path] = {}
    for path in sorted(raw.rglob("*.txt")):
        if VIDEO[dataset].fullmatch(path.stem):
            (labels if _is_labels(path) else skeletons).setdefault(path.stem, path)
    tasks = []
    for video, path in sorted(skeletons.items()):
        if video in labels:
            tasks.append(Task(path, recording_name(video), labels[video], left_out))
        else:
            report.skipped[video] = "there is no label file of this name"
    if not tasks:
        raise FloraError(
            f"holds no recording of {dataset} with labels",
            path=raw,
            remedy="Unpack the skeleton files and the label files into it, in different subfolders.",
        )
    report.found = len(tasks)
    return tasks


def _is_labels(path: Path) -> bool:
    """Skeleton lines hold 150 numbers between blanks; whatever does not look so is held to be labels."""
    try:
        with path.open("rb") as file:
            head = file.read(200)
    except OSError:
        return False  # the reader will say why
    return b"," in head or len(head.split()) < 4


def parse_label(line: str) -> Label | str:
    """The clip that a line `class,first,last,confidence` names, frames from 1, both included; or what is wrong.

    The published scripts take frames [first - 1, last), and so does this.
    """
    try:
        action, first, last = (int(part) for part in line.strip().split(",")[:3])
    except ValueError:
        return "is not a line of class,start,end,confidence"
    if not 1 <= action <= CLASSES or not 1 <= first <= last:
        return (
            f"labels frames {first} to {last} with class {action}, and classes are 1 to {CLASSES}, frames count from 1"
        )
    return Label(action, first - 1, last)


def read_labels(path: Path) -> list[Label]:
    """The clips of a label file, in file order; see `parse_label`. Raises FloraError."""
    found = []
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise FloraError(f"cannot be read as labels ({error})", path=path) from None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        label = parse_label(line)
        if isinstance(label, str):
            raise FloraError(label, path=path, where=f"line {number}")
        found.append(label)
    return found


@dataclass(frozen=True)
class Prepare:
    """The work on one recording: read, cut by its labels. The clips are kept whole; 64 frames are made when needed.

    class_names: of the 51 classes, or empty. train_videos: of the cross-subject split, or empty if unknown. whole: keep
    the recording itself too, with its true segments.
    """

    class_names: tuple[str, ...] = ()
    train_videos: frozenset[str] = frozenset()
    whole: bool = False

    def __call__(self, task: Task) -> Result:
        try:
            assert task.labels is not None
            labels = read_labels(task.labels)
            recording = read_sequence(task.path)
        except FloraError as error:
            return Result(problems=((task.name, str(error)),))
        clips, problems, excluded = [], [], []
        if self.whole:
            clips.append(self._whole(recording, labels, task))
        for index, label in enumerate(labels, 1):
            name = f"{task.name}C{label.action:03d}L{index:03d}"
            clip = pku.cut(recording.joints, label.begin, min(label.end, recording.frames))
            if name in task.left_out:
                excluded.append(name)
            elif not clip.any():
                problems.append((name, f"no person is present in frames {label.begin + 1} to {label.end}"))
            else:
                clips.append(incoming(self._clip(clip, name, label, task.path), self._class_name(label.action)))
        return Result(tuple(clips), (), tuple(problems), tuple(excluded))

    def _whole(self, recording: SkeletonSequence, labels: list[Label], task: Task) -> Incoming:
        """The recording with its labels as parts; what reaches beyond its end is cut off."""
        metadata: dict[str, int | str] = {"camera": VIEWS[task.path.stem[-1]], "video": task.path.stem}
        parts = tuple(
            (self._class_name(label.action), label.begin, min(label.end, recording.frames))
            for label in labels
            if label.begin < recording.frames
        )
        joints = np.ascontiguousarray(recording.joints)
        sequence = SkeletonSequence(joints, FPS, name=task.name, source=task.path, metadata=metadata)
        return incoming(sequence, "", parts)

    def _class_name(self, action: int) -> str:
        return self.class_names[action - 1] if action <= len(self.class_names) else f"action {action}"

    def _clip(self, joints: NDArray[np.float32], name: str, label: Label, source: Path) -> SkeletonSequence:
        metadata: dict[str, int | str] = {
            "action": label.action,
            "camera": VIEWS[source.stem[-1]],
            "video": source.stem,
            "prepared": "pku64",
        }
        if self.train_videos:
            # The data set names no subjects, only which videos train: kept as a set-up, so that splits can use it.
            train = source.stem in self.train_videos
            metadata["setup"] = CROSS_SUBJECT_TRAIN if train else CROSS_SUBJECT_TEST
        return SkeletonSequence(np.ascontiguousarray(joints), FPS, name=name, source=source, metadata=metadata)


# The data set's own split files


def find_split(folder: Path, by: str) -> dict[str, frozenset[str]] | None:
    """The "train" and "test" videos of the cross-subject or cross-view file below `folder`; None if there is none.

    by: "subject" or "view". The second line of the file names the train videos, the fourth the test videos.
    """
    files = sorted(path for path in folder.rglob("*.txt") if re.match(rf"cross.?{by}", path.name, re.IGNORECASE))
    return read_split_file(files[0]) if files else None


def read_split_file(path: Path) -> dict[str, frozenset[str]]:
    """The "train" and "test" videos of one split file. Raises FloraError if it is none."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError as error:
        raise FloraError(f"cannot read the split ({error.strerror})", path=path) from None
    sides = {
        side: frozenset(name.strip() for name in line.split(",") if recording_name(name.strip()))
        for side, line in zip(("train", "test"), lines[1:4:2], strict=False)
    }
    if len(sides) < 2 or not all(sides.values()) or sides["train"] & sides["test"]:
        raise FloraError(
            "is no split file: its second line should name the train videos, its fourth the test videos", path=path
        )
    return sides


# Writing the published split files


def export_split(job: Job, project: Project, name: str, path: Path, splits: Path | None = None) -> dict[str, int]:
    """Write pkuv1_xsub, pkuv1_xview, pkuv2_xsub or pkuv2_xview: x (N, 3, 64, 25, 2) float32, y (N, 1) int64, 0-based.

    splits: the folder of the data set's split files; None to look where the recordings came from. Samples lie in name
    order. Returns the sizes. Raises FloraError if a split file or all recordings are missing.
    """
    dataset, by = EXPORTS[name]
    table = project.table
    rows = sorted((row for row, clip in enumerate(table.names) if _is_clip(clip, dataset)), key=table.names.__getitem__)
    if not rows:
        raise FloraError(f"the project holds no clips of {dataset}", path=project.folder)
    folder = splits or project.recordings.source(int(table.ids[rows[0]])).parent.parent
    sides = find_split(folder, by)
    if sides is None:
        raise FloraError(
            f"there is no cross-{by} file of the data set", path=folder, remedy="Name its folder: --splits."
        )
    starts = {side: {recording_name(video) for video in videos} for side, videos in sides.items()}
    order = {side: [row for row in rows if table.names[row][:-8] in starts[side]] for side in sides}
    sizes = {side: len(chosen) for side, chosen in order.items()}
    lost = len(rows) - sum(sizes.values())
    if lost:
        job.warn(f"{lost} clips are of videos that the cross-{by} file does not name")
    if not all(sizes.values()):
        raise FloraError(f"a part of {name} would be empty: {sizes['train']} train and {sizes['test']} test clips")
    warn_sizes(job, name, sizes)
    total, written = sum(sizes.values()), 0

    def clips(chosen: list[int]) -> Iterator[NDArray[np.float32]]:
        nonlocal written
        for row in chosen:
            yield pku.prepare_clip(pair(project.recordings.read(int(table.ids[row])).joints))
            written += 1
            if written % 50 == 0 or written == total:
                job.progress("writing", written, total)

    with npz_writer(path) as writer:
        for side, chosen in order.items():
            labels = [np.array([int(table.names[row][-7:-4]) - 1]) for row in chosen]
            writer.write(f"x_{side}", (len(chosen), 3, pku.FRAMES, 25, pku.PERSONS), np.float32, clips(chosen))
            writer.write(f"y_{side}", (len(chosen), 1), np.int64, labels)
    return sizes


def _is_clip(name: str, dataset: str) -> bool:
    return CLIP.fullmatch(name) is not None and name.startswith("F" if dataset == "pku1" else "A")


def pair(joints: NDArray[np.float32]) -> NDArray[np.float32]:
    """(T, M, 25, 3) as (T, 2, 25, 3): a second person of zeros if there is one only."""
    both = np.zeros((len(joints), pku.PERSONS, 25, 3), np.float32)
    both[:, : joints.shape[1]] = joints[:, : pku.PERSONS]
    return both
