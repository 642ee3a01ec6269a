"""The timeline finds what a perfect labeller would say, and works with the real one, on the command line too."""

from __future__ import annotations

import json
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import tiny_bundle
from numpy.typing import NDArray

from flora_engine.cli import main
from flora_engine.demo import ACTIONS, synthesise_stream
from flora_engine.errors import Cancelled, FloraError
from flora_engine.jobs import Event, Job
from flora_engine.labelling.bundle import BUILTIN
from flora_engine.labelling.exchange import FORMATS, Recording, read_segments
from flora_engine.labelling.labeller import Labeller
from flora_engine.labelling.ranking import RankedLabel, Ranking
from flora_engine.labelling.spreading import spread_for
from flora_engine.labelling.timeline import ALONE, Encoded, Options, timeline, usual_seconds
from flora_engine.readers import write_ntu
from flora_engine.recipes.actions import perform
from flora_engine.semantics.class_texts import ClassText
from flora_engine.semantics.lexicon import load_lexicon
from flora_engine.skeleton import SkeletonSequence

TEXTS = [ClassText(name, name, name) for name in ("a", "b", "c")]


def coded(*parts: tuple[int, int], fps: float = 30.0) -> SkeletonSequence:
    """A recording whose joints hold the class (1, 2, 3) of every frame; 0: nobody. parts: (class, frames)."""
    values = np.concatenate([np.full(frames, value) for value, frames in parts])
    joints = np.broadcast_to(values[:, None, None, None], (len(values), 1, 25, 3))
    return SkeletonSequence(np.ascontiguousarray(joints, np.float32), fps, name="coded")


@dataclass
class Perfect:
    """Reads the code: the scores are the shares of the classes in the window, a little smoothed."""

    refuses: int | None = None  # a class whose windows cannot be prepared
    calls: int = 0

    def latents(self, sequences: list[SkeletonSequence]) -> tuple[NDArray[np.float32], dict[str, float]]:
        self.calls += 1
        rows = []
        for sequence in sequences:
            codes = sequence.joints[:, 0, 0, 0].astype(int)
            if self.refuses is not None and (codes == self.refuses).all():
                raise FloraError("no body is left")
            rows.append(np.bincount(codes, minlength=4)[1:4] + 0.02 * len(codes))
        return np.array(rows, np.float32), {}

    def rank(self, latents: NDArray[np.float32], texts: list[ClassText]) -> list[Ranking]:
        shares = latents / latents.sum(axis=1, keepdims=True)
        found = []
        for row in shares:
            labels = [RankedLabel(text.name, float(p), 0.0) for text, p in zip(texts, row, strict=True)]
            found.append(Ranking(tuple(sorted(labels, key=lambda label: -label.score))))
        return found


def test_a_perfect_labeller_gives_the_true_segments() -> None:
    found = timeline(Job(), Perfect(), coded((1, 90), (3, 150), (2, 60), (1, 120)), TEXTS)
    assert [s.name for s in found.annotation.segments] == ["a", "c", "b", "a"]
    for segment, start, end in zip(found.annotation.segments, (0, 90, 240, 300), (89, 239, 299, 419), strict=True):
        assert abs(segment.start - start) <= 15 and abs(segment.end - end) <= 15  # half the shortest window
        assert segment.score is not None and segment.score > 0.5
    starts, ends = [s.start for s in found.annotation.segments], [s.end for s in found.annotation.segments]
    assert starts == [0, *(end + 1 for end in ends[:-1])] and ends[-1] == 419
    assert [lane.scale.seconds for lane in found.lanes] == [1, 2, 4]
    assert all(lane.scores.shape == (len(lane.scale.starts), 3) for lane in found.lanes)


def test_frames_without_anybody_have_no_segment() -> None:
    found = timeline(Job(), Perfect(), coded((1, 90), (0, 90), (1, 10), (0, 10), (1, 70)), TEXTS)
    first, second = found.annotation.segments
    assert (first.start, second.end) == (0, 269)
    # the long absence is left out to the cell; the short one is bridged
    assert abs(first.end - 89) <= 3 and abs(second.start - 180) <= 3
    warned: list[Event] = []
    assert timeline(Job(warned.append), Perfect(), coded((0, 90)), TEXTS).annotation.segments == ()
    assert any("nobody" in event["text"] for event in warned if event["kind"] == "warning")


@pytest.mark.parametrize("frames", [1, 2, 29, 31])
@pytest.mark.parametrize("fps", [5.0, 30.0, 240.0])
def test_recordings_of_a_few_frames(frames: int, fps: float) -> None:
    segments = timeline(Job(), Perfect(), coded((2, frames), fps=fps), TEXTS).annotation.segments
    assert [(s.name, s.start, s.end) for s in segments] == [("b", 0, frames - 1)]


class WithNone(Perfect):
    """Class 3 is none of the texts."""

    def rank(self, latents: NDArray[np.float32], texts: list[ClassText]) -> list[Ranking]:
        shares = latents / latents.sum(axis=1, keepdims=True)
        rankings = super().rank(latents[:, :2], texts)
        return [replace(ranking, none=float(row[2])) for ranking, row in zip(rankings, shares, strict=True)]


class Only(Perfect):
    """Knows one class."""

    def rank(self, latents: NDArray[np.float32], texts: list[ClassText]) -> list[Ranking]:
        return super().rank(latents[:, :1], texts)


def test_none_of_these_leaves_a_gap_if_the_model_knows_it() -> None:
    recording = coded((1, 120), (3, 120), (2, 120))
    first, second = timeline(Job(), WithNone(), recording, TEXTS[:2], Options(background=True)).annotation.segments
    assert (first.name, second.name) == ("a", "b")
    assert abs(first.end - 119) <= 15 and abs(second.start - 240) <= 15
    filled = timeline(Job(), WithNone(), recording, TEXTS[:2]).annotation.segments
    assert [s.end + 1 for s in filled[:-1]] == [s.start for s in filled[1:]] and filled[-1].end == 359


def test_known_durations_choose_the_windows() -> None:
    found = timeline(Job(), Perfect(), coded((1, 300)), TEXTS, durations=[0.6, 0.6, 3.0])
    assert [lane.scale.frames for lane in found.lanes] == [18, 90]


def test_usual_durations_come_from_the_lexicon() -> None:
    """By hand, from resources/lexicon/falls.yaml and of a word that it does not hold."""
    entry = load_lexicon().entries[load_lexicon().find("fall down") or 0]
    assert "fall down" in entry.names
    known, unknown = usual_seconds([ClassText("Fall down", "", ""), ClassText("xyzzy", "", "")])
    assert known is not None and entry.seconds[0] < known < entry.seconds[1] and unknown is None


def test_windows_that_cannot_be_prepared_are_counted_and_passed_over() -> None:
    events: list[Event] = []
    found = timeline(Job(events.append), Perfect(refuses=3), coded((1, 150), (3, 300), (2, 150)), TEXTS)
    names = [s.name for s in found.annotation.segments]
    assert names[0] == "a" and names[-1] == "b"
    assert any("windows cannot be prepared: no body is left" in e["text"] for e in events if e["kind"] == "warning")
    with pytest.raises(FloraError, match="not a single window"):
        timeline(Job(), Perfect(refuses=3), coded((3, 300)), TEXTS)


def test_pieces_come_while_it_works_and_it_stops_when_told() -> None:
    events: list[Event] = []
    job = Job(events.append)
    found = timeline(job, Perfect(), coded((1, 900), (2, 900)), TEXTS)
    pieces = [event for event in events if event["kind"] == "segments"]
    untils = [event["until"] for event in pieces]
    assert len(pieces) > 3 and untils == sorted(untils) and untils[-1] == 1799
    assert untils[0] < 100  # the first piece does not wait for the end
    assert {piece["name"] for event in pieces for piece in event["segments"]} == {"a", "b"}
    assert events[-1]["done"] == events[-1]["total"] == sum(len(lane.scale.starts) for lane in found.lanes)

    ranker, stopping = Perfect(), Job()
    stopping = Job(lambda event: stopping.stop() if event["kind"] == "segments" else None)
    with pytest.raises(Cancelled):
        timeline(stopping, ranker, coded((1, 900), (2, 900)), TEXTS)
    assert ranker.calls <= 2


def test_nothing_to_find_is_an_error_and_one_action_a_warning() -> None:
    with pytest.raises(FloraError, match="Type at least one"):
        timeline(Job(), Perfect(), coded((1, 9)), [])
    with pytest.raises(FloraError, match="no frames"):
        timeline(Job(), Perfect(), replace(coded((1, 9)), joints=np.zeros((0, 1, 25, 3), np.float32)), TEXTS)
    events: list[Event] = []
    timeline(Job(events.append), WithNone(), coded((1, 90)), TEXTS[:2])
    assert not [e for e in events if e["kind"] == "warning"]
    timeline(Job(events.append), Only(), coded((1, 90)), TEXTS[:1])
    assert next(e["text"] for e in events if e["kind"] == "warning").startswith("there is only one action")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model") / "bundle"
    tiny_bundle.write(folder)
    return folder


def test_windows_are_ranked_as_the_labeller_ranks_them_alone(bundle: Path) -> None:
    sequence, truth = synthesise_stream((0, 3, 10), pause=1.0)
    assert [name for name, _, _ in truth] == [ACTIONS[i].name for i in (0, 3, 10)]
    assert [bool(sequence.present()[end + 1].any()) for _, _, end in truth[:-1]] == [False, False]
    labeller = Labeller(bundle, threads=1)
    texts = [ClassText(name, name, name) for name, _, _ in truth]
    found = timeline(Job(), labeller, sequence, texts)
    lane = found.lanes[0]
    part = replace(sequence, joints=sequence.joints[: lane.scale.frames], tracking=None)
    alone = {label.name: label.score for label in labeller.label(part, texts).labels}
    assert lane.scores[0] == pytest.approx([alone[text.name] for text in texts], abs=1e-3)
    assert np.nansum(found.scores, axis=1)[0] == pytest.approx(1)


def test_the_command_finds_compares_and_exports(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sequence, truth = synthesise_stream((0, 3))
    write_ntu(sequence, tmp_path / "a.skeleton")
    names = "; ".join(dict.fromkeys(name for name, _, _ in truth))
    labels = tmp_path / "truth.txt"
    labels.write_text("".join(f"{a / 30:.6f}\t{(b + 1) / 30:.6f}\t{name.upper()}\n" for name, a, b in truth))
    command = ["label", str(tmp_path / "a.skeleton"), "--timeline", "--classes", names, "--model", str(bundle)]
    assert main([*command, "--json", "--truth", str(labels), "--hop", "1"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["format"], found["version"], found["frames"]) == ("flora-segments", 1, sequence.frames)
    assert {s["name"] for s in found["segments"]} <= {name for name, _, _ in truth}
    assert 0 <= found["measures"]["F1@50"] <= 1
    out = tmp_path / "out.eaf"
    assert main([*command, "--out", str(out), "--hop", "1"]) == 0
    again = read_segments(out, Recording(sequence.fps, sequence.frames))
    assert [(s.name, s.start, s.end) for s in again] == [(s["name"], s["start"], s["end"]) for s in found["segments"]]
    assert main([*command[:3], "--classes", names, "--model", str(bundle), "--hop", "1"]) == 0
    assert "segments" in capsys.readouterr().out


def test_what_is_wrong_is_said_before_the_work(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sequence, _ = synthesise_stream((0,))
    write_ntu(sequence, tmp_path / "in" / "a.skeleton")
    command = ["label", str(tmp_path / "in" / "a.skeleton"), "--classes", "wave; sit", "--model", str(bundle)]
    for more, text in (
        (["--export", "elan"], "Add --timeline"),
        (["--timeline", "--export", "elan"], "give out"),
        (["--timeline", "--why"], "not of timelines"),
        (["--timeline", "--without-none"], "not of timelines"),
        (["--background"], "Add --timeline"),
        (["--timeline", "--export", "word", "--out", "x"], "export is one of"),
        (["--timeline", "--out", str(tmp_path / "x.txt")], "Add --export"),
        (["--timeline", "--export", "pku", "--out", str(tmp_path / "x.txt")], "“wave” is not one of their names"),
        (["--timeline", "--truth", str(tmp_path / "none.csv")], "cannot read the segments"),
    ):
        assert main([*command, *more]) == 1
        assert text in capsys.readouterr().err
    assert not list(tmp_path.glob("x*"))


def test_a_folder_gives_one_file_for_each_recording_and_names_the_bad_one(bundle: Path, tmp_path: Path) -> None:
    for name in "ac":
        write_ntu(synthesise_stream((0,))[0], tmp_path / "in" / f"{name}.skeleton")
    (tmp_path / "in" / "b.skeleton").write_text("1\n1\nbroken")
    given = {"folder": str(tmp_path / "in"), "classes": "wave; sit", "model": str(bundle), "out": str(tmp_path / "out")}
    result = perform(Job(), "label-timeline", given | {"export": "csv", "hop": 1})
    assert [Path(path).name for path in result["written"]] == ["a.csv", "c.csv"]
    assert [Path(path).name for path, _ in result["failed"]] == ["b.skeleton"]
    assert len(result["recordings"]) == 3 and "problem" in result["recordings"][1]
    with pytest.raises(FloraError, match="format is not named"):
        perform(Job(), "label-timeline", given)
    (tmp_path / "in" / "more").mkdir()
    write_ntu(synthesise_stream((0,))[0], tmp_path / "in" / "more" / "a.skeleton")
    with pytest.raises(FloraError, match="2 recordings are called “a”"):
        perform(Job(), "label-timeline", given | {"export": "csv"})


def test_help_names_every_format(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["label", "--help"])
    assert ", ".join(sorted(FORMATS)) in " ".join(capsys.readouterr().out.split())


def test_other_processes_encode_all_but_the_first_windows() -> None:
    sequence = coded(*[(1 + place % 3, 45) for place in range(60)])
    alone = timeline(Job(), Perfect(), sequence, TEXTS)
    given: list[int] = []

    def spread(parts: Sequence[SkeletonSequence]) -> Generator[Encoded, None, None]:
        for start in range(0, len(parts), 10):
            for part in parts[start : start + 10]:
                given.append(part.frames)
                yield Perfect().latents([part])[0][0]

    here = Perfect()
    spreaded = timeline(Job(), here, sequence, TEXTS, spread=spread)
    windows = sum(len(lane.scores) for lane in alone.lanes)
    assert len(given) == windows - ALONE and here.calls < ALONE
    assert spreaded.annotation == alone.annotation and np.array_equal(spreaded.scores, alone.scores)


def test_real_processes_give_what_one_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    sequence, _ = synthesise_stream([0, 5, 11] * 16, seed=1)
    texts = [ClassText(name, name, name) for name in ("squat", "bow", "wave")]
    monkeypatch.setattr("flora_engine.labelling.spreading._LEAST", 0.0)
    monkeypatch.setattr("flora_engine.labelling.spreading.cpu_count", lambda: 2)
    spread = spread_for(Job(), BUILTIN, sequence)
    assert spread is not None
    labeller = Labeller(BUILTIN)
    there = timeline(Job(), labeller, sequence, texts, spread=spread)
    alone = timeline(Job(), labeller, sequence, texts)
    assert sum(len(lane.scores) for lane in there.lanes) > ALONE
    assert np.allclose(there.scores, alone.scores, atol=1e-4)
