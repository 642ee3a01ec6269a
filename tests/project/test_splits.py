"""Parts of splits, their leaks and counts, and splits as files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from project_samples import filled_project, recording

from flora_engine.datasets.split_checks import Recordings, check_parts, check_split, count_parts, of_project
from flora_engine.errors import FloraError
from flora_engine.project import Incoming, Span
from flora_engine.project.splits import Parts, Split, TrainRule, divide, export_split, import_split, parts_of

CLASSES, SUBJECTS = 6, 8
ODD = TrainRule(by="subject", values=(1, 3, 5, 7))


def recordings(seed: int = 0) -> Recordings:
    """Every class by every subject from every camera, each with its own content, in random order."""
    grid = np.array([(c, s, v) for c in range(CLASSES) for s in range(1, SUBJECTS + 1) for v in (1, 2)], np.int64)
    labels, subjects, cameras = np.random.default_rng(seed).permutation(grid).T
    names = tuple(f"class {number}" for number in range(CLASSES))
    return Recordings(labels, subjects, cameras, 1 + cameras % 2, names, np.arange(len(labels)))


def arrays(data: Recordings) -> tuple[np.ndarray, ...]:
    return data.labels, data.subjects, data.cameras, data.setups


def texts(split: Split, data: Recordings, level: str) -> str:
    return " | ".join(finding.text for finding in check_split(split, data) if finding.level == level)


RULES = [ODD, TrainRule(by="camera", values=(1,)), TrainRule(by="setup", values=(2,)), TrainRule(by="fraction", seed=3)]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.by)
@pytest.mark.parametrize("low_shot", [None, 0.1, 0.5])
def test_parts_are_what_they_are_called(rule: TrainRule, low_shot: float | None) -> None:
    data = recordings()
    split = Split(name="s", unseen=(1, 4), train=rule, low_shot=low_shot)
    parts = divide(split, *arrays(data))
    unseen = np.isin(data.labels, split.unseen)
    assert not unseen[parts.train].any()
    assert unseen[parts.zsl].all()
    assert not set(parts.train) & set(parts.gzsl)
    assert set(parts.zsl) == {row for row in parts.gzsl if unseen[row]}
    if rule.by != "fraction":
        numbers = {"subject": data.subjects, "camera": data.cameras, "setup": data.setups}[rule.by]
        assert set(numbers[parts.train]) <= set(rule.values)
        assert not set(numbers[parts.gzsl]) & set(rule.values)
    per_class = np.bincount(data.labels[parts.train], minlength=CLASSES)[~np.isin(range(CLASSES), split.unseen)]
    assert (per_class == max(1, int(8 * (low_shot or 1)))).all(), "every rule here trains on half of 16, stratified"


def test_fractions_and_low_shots_are_seeded() -> None:
    data = recordings()
    split = Split(name="s", unseen=(1,), train=TrainRule(by="fraction", fraction=0.3, seed=1), low_shot=0.5)
    again = divide(split, *arrays(data)).train
    assert np.array_equal(divide(split, *arrays(data)).train, again)
    other_shot = divide(split.model_copy(update={"seed": 9}), *arrays(data)).train
    assert not np.array_equal(other_shot, again)
    other = Split(name="s", unseen=(1,), train=TrainRule(by="fraction", fraction=0.3, seed=2), low_shot=0.5)
    assert not np.array_equal(divide(other, *arrays(data)).train, again)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.by)
def test_unlabelled_recordings_are_in_no_part(rule: TrainRule) -> None:
    data = recordings()
    labels = data.labels.copy()
    labels[::5] = -1
    split = Split(name="s", unseen=(1, 4), train=rule)
    parts = parts_of(split, labels, data.subjects, data.cameras, data.setups)
    for part in (parts.train, parts.zsl, parts.gzsl):
        assert (labels[part] >= 0).all()
    assert "20 recordings have no label" in texts(split, replace(data, labels=labels), "warning")


def test_a_sound_split_has_no_findings() -> None:
    assert check_split(Split(name="s", unseen=(1, 4), train=ODD), recordings()) == []


def test_counts_add_up() -> None:
    data = recordings()
    counts = count_parts(Split(name="s", unseen=(1, 4), train=ODD), data)
    assert counts.train.tolist() == [8, 0, 8, 8, 0, 8]
    assert counts.zsl.tolist() == [0, 8, 0, 0, 8, 0]
    assert counts.gzsl.tolist() == [8] * CLASSES
    assert counts.unused.tolist() == [0, 8, 0, 0, 8, 0]
    low = count_parts(Split(name="s", unseen=(1, 4), train=ODD, low_shot=0.25), data)
    assert low.unused.tolist() == [6, 8, 6, 6, 8, 6]


def test_leaks_are_errors_whoever_made_the_parts() -> None:
    data = recordings()
    split = Split(name="s", unseen=(1, 4), train=ODD)
    parts = divide(split, *arrays(data))
    assert check_parts(split, parts, data) == []
    unseen_row = int(np.flatnonzero(np.isin(data.labels, (1,)) & (data.subjects == 1))[0])
    leaky = check_parts(split, replace(parts, train=np.append(parts.train, unseen_row)), data)
    assert [(f.level, f.text) for f in leaky] == [("error", "unseen classes are in training: class 1")]
    overlap = Parts(np.append(parts.train, parts.gzsl[:2]), parts.zsl, parts.gzsl)
    found = {f.text.split(":")[0] for f in check_parts(split, overlap, data) if f.level == "error"}
    assert "2 recordings are in training and in test" in found
    assert any("in training and in test" in text and "subject" in text for text in found)


def test_shared_subjects_are_a_warning_where_the_rule_is_another() -> None:
    split = Split(name="s", unseen=(1,), train=TrainRule(by="camera", values=(1,)))
    assert "8 subjects are in training and in test: 1, 2, 3, 4, 5, 6 and 2 more" in texts(
        split, recordings(), "warning"
    )


def test_empty_classes_and_parts_are_found() -> None:
    data = recordings()
    split = Split(name="s", unseen=(1, 4), train=ODD)
    keep = (data.labels != 4) & (data.labels != 2) & ((data.labels != 3) | (data.subjects == 2))
    fewer = Recordings(*(column[keep] for column in arrays(data)), data.class_names)
    assert "unseen classes have no recordings at all: class 4" in texts(split, fewer, "error")
    assert "seen classes have no recordings at all: class 2" in texts(split, fewer, "warning")
    assert "seen classes have no training recordings: class 3" in texts(split, fewer, "warning")
    nobody = Split(name="s", unseen=(1,), train=TrainRule(by="subject", values=(99,)))
    assert "the training part is empty" in texts(nobody, data, "error")
    assert "no recording has subject 99" in texts(nobody, data, "warning")
    everybody = Split(name="s", unseen=(1,), train=TrainRule(by="subject", values=tuple(range(1, 9))))
    assert "the unseen test part is empty" in texts(everybody, data, "error")
    assert "every class is unseen" in texts(Split(name="s", unseen=tuple(range(CLASSES))), data, "error")
    assert "unseen class 6 does not exist" in texts(Split(name="s", unseen=(6,)), data, "error")
    for bad in (nobody, everybody):
        with pytest.raises(FloraError, match="is empty"):
            divide(bad, *arrays(data))


def test_unknown_numbers_are_a_warning() -> None:
    data = recordings()
    subjects = np.where(data.subjects == 2, 0, data.subjects)
    found = texts(Split(name="s", unseen=(1,), train=ODD), replace(data, subjects=subjects), "warning")
    assert "12 recordings do not tell the subject" in found


def test_leaks_inside_a_project_are_found(tmp_path: Path) -> None:
    """Copies of training recordings among the test ones, and unseen actions inside a training recording."""
    with filled_project(tmp_path / "p", 24) as project:
        split = Split(name="s", unseen=(1,), train=TrainRule(by="subject", values=(1, 3)))
        sound = [f.text for f in check_split(split, of_project(project)) if "copy" in f.text or "parts of" in f.text]
        assert sound == []
        copy = recording(0, tracked=True, name="copy")  # subject 1 trains
        object.__setattr__(copy, "metadata", {"subject": 2, "camera": 1, "setup": 1})
        project.recordings.add([Incoming(copy, "walk 0")])
        project.labels.add_spans(1, [Span("walk 1", 0, 3)])
        found = texts(split, of_project(project), "warning")
        assert "1 test recording is an exact copy of a training recording" in found
        assert "parts of training recordings are labelled with unseen classes: walk 1" in found


def test_a_published_protocol_with_copies_across_views_is_noticed(shared_data: Path, tmp_path: Path) -> None:
    """Northwestern-UCLA as it is handed out holds recordings of view 2 again under view 3, its test part."""
    from flora_engine.datasets.importing import import_folder
    from flora_engine.jobs import Job
    from flora_engine.project import Project

    with Project.create(tmp_path / "p") as project:
        report = import_folder(Job(), project, sorted((shared_data / "nw_ucla").glob("**/a02_*.json")))
        assert report.failed == []
        everything = of_project(project)
    split = Split(name="xview", unseen=(), train=TrainRule(by="camera", values=(1, 2)))
    assert "50 test recordings are an exact copy of a training recording" in texts(split, everything, "warning")


def test_a_split_travels_by_class_names(tmp_path: Path) -> None:
    split = Split(name="mine – ü", unseen=(2, 0), train=TrainRule(by="fraction", fraction=0.3, seed=4), low_shot=0.1)
    export_split(split, ["sit", "stand", "walk"], tmp_path / "split.yaml")
    assert import_split(tmp_path / "split.yaml", ["sit", "stand", "walk"]) == split
    assert import_split(tmp_path / "split.yaml", ["walk", "jump", "sit"]).unseen == (0, 2)
    with pytest.raises(FloraError, match="there is no class “walk”"):
        import_split(tmp_path / "split.yaml", ["sit", "stand"])


@pytest.mark.parametrize(
    "text", ["", "[1, 2]", "name: a", "unseen: [sit]", "name: a\nunseen: [sit]\nmore: 1", "a: [", "\0"]
)
def test_a_file_that_is_no_split_says_so(tmp_path: Path, text: str) -> None:
    (tmp_path / "split.yaml").write_text(text)
    with pytest.raises(FloraError, match=r"split\.yaml"):
        import_split(tmp_path / "split.yaml", ["sit"])
