"""Edits of segments, and the segments of a file beside it: every edit on cases worked by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from flora_engine.errors import FloraError
from flora_engine.labelling import editing
from flora_engine.labelling.exchange import Recording, look_at
from flora_engine.labelling.lanes import Scores, binned, motion_energy, scores_from_bytes
from flora_engine.labelling.segment_file import SegmentFile
from flora_engine.labelling.segments import Segment
from flora_engine.skeleton import SkeletonSequence

A, B, C = Segment("a", 0, 9), Segment("b", 10, 19), Segment("c", 30, 39)
ALL = (A, B, C)


def places(edited: editing.Edited) -> list[tuple[str, int, int]]:
    return [(s.name, s.start, s.end) for s in edited[0]]


def test_an_edge_stops_at_the_neighbour_at_the_end_and_at_one_frame() -> None:
    assert places(editing.move_edge(ALL, B, "end", 25, 50))[1] == ("b", 10, 25)
    assert places(editing.move_edge(ALL, B, "end", 45, 50))[1] == ("b", 10, 29)
    assert places(editing.move_edge(ALL, B, "start", 3, 50))[1] == ("b", 10, 19)
    assert places(editing.move_edge(ALL, B, "start", 30, 50))[1] == ("b", 19, 19)
    assert places(editing.move_edge(ALL, C, "end", 99, 50))[2] == ("c", 30, 49)
    assert places(editing.move_edge(ALL, A, "start", -5, 50))[0] == ("a", 0, 9)


def test_overlapping_segments_stay_free_of_each_other() -> None:
    first, second = Segment("a", 0, 20), Segment("b", 10, 30)
    assert editing.tiers((first, second, Segment("c", 21, 40))) == [0, 1, 0]
    assert places(editing.move_edge((first, second), first, "end", 25, 50))[0] == ("a", 0, 25)


def test_split_merge_rename_remove() -> None:
    assert places(editing.split(ALL, B, 15)) == [("a", 0, 9), ("b", 10, 14), ("b", 15, 19), ("c", 30, 39)]
    for frame in (10, 20, 5):
        with pytest.raises(FloraError, match="cannot be split"):
            editing.split(ALL, B, frame)
    assert places(editing.merge(ALL, B)) == [("a", 0, 9), ("b", 10, 39)]
    with pytest.raises(FloraError, match="no segment follows"):
        editing.merge(ALL, C)
    renamed, new = editing.rename(ALL, Segment("a", 0, 9), "  walk   on ")
    assert new is not None and new.name == "walk on" and renamed[0] is new
    assert places(editing.remove(ALL, A)) == [("b", 10, 19), ("c", 30, 39)]
    with pytest.raises(FloraError, match="not there any more"):
        editing.remove(ALL, Segment("a", 0, 8))
    with pytest.raises(FloraError, match="needs a class"):
        editing.rename(ALL, A, "  ")


def test_a_new_segment_fills_the_room_there_is() -> None:
    assert editing.room_at(ALL, 20, 30, 50) == (20, 29)
    assert editing.room_at(ALL, 45, 30, 50) == (45, 49)
    assert editing.room_at((), 3, 5, 50) == (3, 7)
    with pytest.raises(FloraError, match="there is a segment here"):
        editing.room_at(ALL, 12, 30, 50)
    assert places(editing.add(ALL, "d", 28, -3, 50))[0] == ("a", 0, 9)
    assert editing.add(ALL, "d", 28, 22, 50)[1] == Segment("d", 22, 28)


def test_accepting_never_overwrites_what_is_true() -> None:
    found = (Segment("x", 5, 34, 0.7), Segment("y", 35, 45, 0.4))
    accepted, first = editing.accept(ALL, found)
    assert [(s.name, s.start, s.end, s.score) for s in accepted] == [
        *(("a", 0, 9, None), ("b", 10, 19, None), ("x", 20, 29, None), ("c", 30, 39, None), ("y", 40, 45, None)),
    ]
    assert first == Segment("x", 20, 29)
    assert editing.accept(ALL, (Segment("x", 12, 15, 0.9),)) == (ALL, None)


def test_segments_of_a_file_are_saved_beside_it_and_edits_undone(tmp_path: Path) -> None:
    recording = tmp_path / "long walk.npz"
    file = SegmentFile(recording, 30.0, 50)
    assert file.segments == () and not file.changed and file.undo() is None
    assert file.set((A,), "Add a segment") and file.set(ALL, "Accept found segments") and not file.set(ALL, "Nothing")
    assert file.undo_title == "Accept found segments" and file.undo() == "Accept found segments"
    assert file.segments == (A,) and file.redo_title == "Accept found segments"
    assert file.redo() == "Accept found segments" and file.segments == ALL and file.changed
    assert file.save() == tmp_path / "long walk.npz.segments.json" and not file.changed
    again = SegmentFile(recording, 30.0, 50)
    assert again.segments == ALL and again.undo_title is None
    again.set((), "Delete a segment")
    again.discard()
    assert again.segments == ALL and again.undo() is None


def test_a_damaged_file_of_segments_is_not_taken_for_none(tmp_path: Path) -> None:
    recording = tmp_path / "a.npz"
    SegmentFile(recording, 30.0, 50).save()
    (tmp_path / "a.npz.segments.json").write_text("{")
    with pytest.raises(FloraError, match=r"a\.npz\.segments\.json"):
        SegmentFile(recording, 30.0, 50)


def test_every_bad_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text("class,start_frame,end_frame\na,0,9\nb,x,3\n,4,5\nc,40,60\n")
    good, bad = look_at(path, Recording(30.0, 50))
    assert good == (A,) and [place for place, _ in bad] == ["line 3", "line 4", "line 5"]


def test_motion_energy_is_the_mean_speed_of_who_is_there() -> None:
    joints = np.zeros((5, 2, 25, 3), np.float32)
    joints[:, 0, :, 0] = np.array([1, 1.1, 1.3, 1.3, 0])[:, None]  # the first person moves, then leaves
    joints[2:, 1, :, 1] = np.array([2, 2.3, 2.3])[:, None]  # the second one comes
    energy = motion_energy(SkeletonSequence(joints, 10.0))
    assert energy.tolist() == pytest.approx([0, 1, 2, 1.5, 0], abs=1e-5)
    assert motion_energy(SkeletonSequence(joints[:1], 10.0)).tolist() == [0]


def test_energy_of_a_long_recording_has_no_seams(monkeypatch: pytest.MonkeyPatch) -> None:
    joints = np.random.default_rng(3).normal(size=(23, 1, 25, 3)).astype(np.float32)
    whole = motion_energy(SkeletonSequence(joints, 30.0))
    monkeypatch.setattr("flora_engine.labelling.lanes._AT_ONCE", 5)
    assert np.allclose(motion_energy(SkeletonSequence(joints, 30.0)), whole, atol=1e-4)


def test_bins_hold_the_largest_value() -> None:
    values = np.array([1, 5, 2, np.nan, 3, 4])
    assert binned(values, 0, 6, 3).tolist() == [5, 2, 4]
    assert binned(values, 1, 3, 4).tolist() == [5, 5, 2, 2]
    assert binned(values, -2, 8, 5).tolist() == [0, 5, 2, 4, 0]
    assert binned(values[:0], 0, 6, 2).tolist() == [0, 0]


def test_scores_go_through_bytes() -> None:
    scores = Scores(("a", "ба"), 3, np.array([[0.25, 0.75], [np.nan, np.nan]], np.float32))
    again = scores_from_bytes(scores.to_bytes())
    assert again is not None and again.names == scores.names and again.step == 3
    assert np.array_equal(again.values, scores.values, equal_nan=True)
    assert scores_from_bytes(b"") is None and scores_from_bytes(json.dumps({}).encode()) is None
