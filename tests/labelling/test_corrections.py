"""What is learned from confirmed recordings: hand-worked cases, no harm, a real bundle, a project, one file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from flora_engine.cli import main
from flora_engine.demo import synthesise
from flora_engine.errors import FloraError
from flora_engine.labelling.bundle import BUILTIN, load_manifest
from flora_engine.labelling.bundle_file import read_bundle_file, write_taught_file
from flora_engine.labelling.corrections import WEIGHT, Confirmed, corrected, likeness, weights
from flora_engine.labelling.labeller import Labeller
from flora_engine.labelling.learning import model_key, taught_by
from flora_engine.labelling.ranking import RankedLabel, Ranking
from flora_engine.labelling.teaching import Taught, TaughtRanker, load_taught
from flora_engine.project import Incoming, Project, Span
from flora_engine.readers import write_ntu
from flora_engine.semantics.class_texts import ClassText, parse_typed
from flora_engine.skeleton import SkeletonSequence

A, B = np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0])
FLAT = np.zeros((1, 2))


def test_likeness_by_hand() -> None:
    known, actions = np.stack([A, B]), np.array([0, 1])
    # usual: the cosines of A to B's prototype and of B to A's are 0; one recording counts half
    assert likeness(np.stack([A, B]), known, actions, 3).tolist() == [[0.5, 0, 0], [0, 0.5, 0]]
    alone = likeness(A[None], A[None], np.array([0]), 2)
    assert alone.tolist() == [[0.5, 0]], "an action without a recording keeps its logit"


def test_recordings_that_are_alike_are_ranked_alike() -> None:
    confirmed = Confirmed(np.stack([A, B]), np.array([0, 1]))
    base = np.array([[0.0, 1.0]])  # wrong
    better = corrected(A[None], base, np.zeros((2, 2)), [3], confirmed)
    assert better.argmax() == 0 and corrected(B[None], base, np.zeros((2, 2)), [3], confirmed).argmax() == 1
    nothing = Confirmed(np.zeros((0, 3)), np.zeros(0, np.int64))
    assert corrected(A[None], base, np.zeros((0, 2)), [3], nothing) is base


def test_leaving_out_lowers_the_weight_of_a_space_that_misleads() -> None:
    random = np.random.default_rng(0)
    actions = np.repeat([0, 1], 6)
    good = np.where(actions[:, None] == 0, A, B) + 0.05 * random.normal(size=(12, 3))
    rows = np.concatenate([good, random.normal(size=(12, 3))], axis=1)
    told = weights(np.zeros((12, 2)), [3, 3], Confirmed(rows, actions))
    assert told[0] > told[1] and told[0] >= WEIGHT / 2
    one_each = weights(np.zeros((2, 2)), [3, 3], Confirmed(rows[[0, 6]], actions[[0, 6]]))
    assert one_each.tolist() == [WEIGHT / 2] * 2, "with one recording each there is nothing to leave out"


def test_noise_that_says_nothing_does_not_overturn_a_sure_base() -> None:
    random = np.random.default_rng(1)
    actions = np.repeat([0, 1], 5)
    sure = np.where(np.arange(2) == actions[:, None], 4.0, 0.0)
    noise = Confirmed(random.normal(size=(10, 60)), actions)
    rows, truth = random.normal(size=(200, 60)), np.arange(200) % 2
    base = np.where(np.arange(2) == truth[:, None], 4.0, 0.0)
    assert (corrected(rows, base, sure, [60], noise).argmax(axis=1) == truth).all()


@dataclass
class ByFirstJoint:
    """Latents are the first joint's mean place, rankings are flat: everything must be learned."""

    spaces: tuple[int, ...] = ()
    made: list[str] = field(default_factory=list)

    def latents(self, sequences: list[SkeletonSequence]) -> tuple[NDArray[np.float32], dict[str, float]]:
        self.made += [one.name for one in sequences]
        self.spaces = (3,)
        return np.stack([one.joints[:, 0, 0].mean(axis=0) for one in sequences]), {}

    def rank(self, latents: NDArray[np.float32], texts: list[ClassText]) -> list[Ranking]:
        return [Ranking(tuple(RankedLabel(t.name, 1 / len(texts)) for t in texts)) for _ in latents]


def at(place: NDArray[np.float64], name: str) -> SkeletonSequence:
    joints = np.broadcast_to(place + 0.01, (4, 1, 25, 3)).astype(np.float32).copy()
    return SkeletonSequence(joints, 30.0, name=name, source=Path(f"/x/{name}.npz"))


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with Project.create(tmp_path / "study") as project:
        places = (A, A * 1.1, B, B * 1.2)
        project.recordings.add([Incoming(at(place, f"r{i}"), "old") for i, place in enumerate(places, 1)])
        yield project


def test_a_project_teaches_what_a_person_confirmed(project: Project) -> None:
    texts, ranker = parse_typed("reach; step"), ByFirstJoint()
    assert taught_by(project, ranker, "m", texts) is None and ranker.made == []
    project.labels.set([1], "Reach")
    project.labels.set([3], "step")
    taught = taught_by(project, ranker, "m", texts)
    assert taught is not None and taught.names == ("step", "Reach") and ranker.made == ["r3", "r1"]
    found = TaughtRanker(ranker, taught).rank(ranker.latents([at(A, "new")])[0], texts)[0]
    assert found.labels[0].name == "reach" and found.learned == 2
    assert sum(label.score for label in found.labels) == pytest.approx(1)
    ranker.made.clear()
    again = taught_by(project, ranker, "m", texts)
    assert again is not None and np.array_equal(again.rows, taught.rows) and ranker.made == [], "latents are kept"
    left = taught_by(project, ranker, "m", texts, leave_out=3)
    assert left is not None and left.names == ("Reach",)
    assert taught_by(project, ByFirstJoint(), "other model", texts) is not None
    project.lessons.switch(False)
    assert taught_by(project, ranker, "m", texts) is None and not project.lessons.on
    project.lessons.switch(True)
    project.undo()
    assert [one.class_name for one in project.lessons.confirmed(["reach", "step"], 9)] == ["Reach"], "undone: forgotten"
    assert project.lessons.confirmed(["old"], 9) == [], "imported labels were confirmed by nobody here"


def long_recording() -> SkeletonSequence:
    """Forty frames at one place, forty at another, and again."""
    parts = [at(place, "long").joints.repeat(10, axis=0) for place in (A, B, A * 1.1, B * 1.1)]
    return replace(at(A, "long"), joints=np.concatenate(parts))


def test_parts_of_a_recording_that_a_person_named_teach(project: Project) -> None:
    texts, ranker = parse_typed("reach; step"), ByFirstJoint()
    project.recordings.add([Incoming(long_recording(), "", parts=(("reach", 80, 120),))])
    assert taught_by(project, ranker, "m", texts) is None, "an imported part was confirmed by nobody here"
    spans = [Span("reach", 0, 40), Span("step", 40, 80), Span("reach", 80, 120)]
    project.labels.set_spans(5, spans, "Accept found segments", model="m")
    taught = taught_by(project, ranker, "m", texts)
    assert taught is not None and sorted(taught.names) == ["reach", "step"]
    known = dict(zip(taught.names, taught.rows, strict=True))
    np.testing.assert_allclose(known["reach"], A + 0.01, atol=1e-5)
    np.testing.assert_allclose(known["step"], B + 0.01, atol=1e-5)
    found = TaughtRanker(ranker, taught).rank(ranker.latents([at(B, "new")])[0], texts)[0]
    assert found.labels[0].name == "step" and found.learned == 2
    ranker.made.clear()
    again = taught_by(project, ranker, "m", texts)
    assert again is not None and np.array_equal(again.rows, taught.rows) and ranker.made == [], "latents are kept"
    assert taught_by(project, ranker, "m", texts, leave_out=5) is None, "a recording is not recognised by its parts"
    own = taught_by(project, ranker, "m", texts, leave_out=5, own_parts=True)
    assert own is not None and len(own.names) == 2, "but its parts teach what its other parts are"
    project.labels.set([5], "reach")
    own = taught_by(project, ranker, "m", texts, leave_out=5, own_parts=True)
    assert own is not None and len(own.names) == 2
    project.labels.set_spans(5, [Span("step", 40, 81)], "Move an edge")
    moved = taught_by(project, ranker, "m", texts, leave_out=5, own_parts=True)
    assert moved is not None and moved.names == ("step",) and "long" in ranker.made


def test_what_is_typed_otherwise_is_ranked_as_before(project: Project) -> None:
    project.labels.set([1], "reach")
    ranker = ByFirstJoint()
    taught = taught_by(project, ranker, "m", parse_typed("reach; step"))
    assert taught is not None
    other = parse_typed("jump; run")
    found = TaughtRanker(ranker, taught).rank(taught.rows, other)
    assert found[0].learned == 0 and [label.score for label in found[0].labels] == [0.5, 0.5]


def test_a_bundle_takes_its_corrections_along(tmp_path: Path) -> None:
    labeller, texts = Labeller(BUILTIN), parse_typed("one thing; another thing")
    rows = labeller.latents([synthesise(10), synthesise(5)])[0]
    taught = Taught(rows, ("one thing", "another thing"), labeller.spaces)
    write_taught_file(BUILTIN, taught, tmp_path / "mine.flora")
    folder = read_bundle_file(tmp_path / "mine.flora", tmp_path / "models")
    assert load_manifest(folder).version == 5 and model_key(folder) != model_key(BUILTIN)
    mine = Labeller(folder)
    for action, expected in ((10, "one thing"), (5, "another thing")):
        ranking = mine.label(synthesise(action, seed=3), texts)
        assert (ranking.labels[0].name, ranking.learned) == (expected, 2)
        plain = labeller.label(synthesise(action, seed=3), texts)
        share = {label.name: label.score for label in plain.labels}[expected]
        assert ranking.labels[0].score > share and plain.learned == 0


def test_damaged_corrections_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "corrections.npz"
    Taught(np.zeros((2, 5), np.float32), ("a", "b"), (3, 2)).save(path)
    assert load_taught(path).spaces == (3, 2)
    Taught(np.zeros((2, 5), np.float32), ("a",), (3, 2)).save(path)
    with pytest.raises(FloraError, match="do not fit"):
        load_taught(path)
    path.write_bytes(b"nothing")
    with pytest.raises(FloraError, match="cannot be read"):
        load_taught(path)


def test_the_command_line_learns_from_a_project(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Project.create(tmp_path / "study") as project:
        project.recordings.add([Incoming(synthesise(action)) for action in (10, 5)])
        project.labels.set([1], "one thing")
        project.labels.set([2], "another thing")
    write_ntu(synthesise(10, seed=3), tmp_path / "new.skeleton")
    given = ["label", str(tmp_path / "new.skeleton"), "--classes", "one thing; another thing", "--json"]
    assert main(given) == 0
    before = json.loads(capsys.readouterr().out)
    assert main([*given, "--learn-from", str(tmp_path / "study")]) == 0
    after = json.loads(capsys.readouterr().out)
    assert after["learned_from"] == 2 and "learned_from" not in before
    assert after["labels"][0]["name"] == "one thing"
    shares = [{label["name"]: label["score"] for label in one["labels"]}["one thing"] for one in (before, after)]
    assert shares[1] > shares[0]
