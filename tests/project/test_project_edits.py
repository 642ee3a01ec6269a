"""Every edit can be undone and done again, whatever came before, and across reopening."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from project_samples import filled_project, recording

from flora_engine.errors import FloraError
from flora_engine.project import Incoming, Project, Span
from flora_engine.project.splits import Split, TrainRule


def snapshot(project: Project) -> dict[str, Any]:
    """Everything a user can see, read from the disk and from the table in memory."""
    table = project.table
    project.changed()
    fresh = project.table
    for column in ("ids", "classes", "spans"):
        assert np.array_equal(getattr(table, column), getattr(fresh, column)), f"the table in memory is stale: {column}"
    assert table.class_names == fresh.class_names
    return {
        "rows": list(zip(fresh.ids.tolist(), fresh.classes.tolist(), fresh.spans.tolist(), strict=True)),
        "classes": fresh.class_names,
        "labels": [project.labels.of(id) for id in fresh.ids.tolist()],
        "texts": project.classes.texts(),
        "splits": project.splits.all(),
    }


def random_edit(project: Project, chance: random.Random, number: int) -> bool:
    ids = chance.sample(project.table.ids.tolist(), 3)
    names = project.classes.names()
    label = chance.choice(ids)
    edits: list[Callable[[], bool]] = [
        lambda: project.labels.set(ids, chance.choice(names)),
        lambda: project.labels.set(ids, None),
        lambda: project.labels.set(ids, f"new {number}"),
        lambda: project.labels.add_spans(label, [Span(chance.choice(names), 0, chance.randint(1, 5), score=0.5)]),
        lambda: project.labels.remove(found.id for found in project.labels.of(label)),
        lambda: project.classes.rename(chance.choice(names), f"renamed {number}"),
        lambda: project.classes.add([f"added {number}", names[0]]),
        lambda: project.classes.set_texts({chance.choice(names): (f"move {number}", f"mean {number}")}),
        lambda: project.splits.save(Split(name=chance.choice("ab"), unseen=(chance.randrange(len(names)),))),
        lambda: project.splits.remove("a"),
        lambda: project.recordings.remove(ids[:1]),
    ]
    removable = [
        name for i, name in enumerate(names) if all(i not in split.unseen for split in project.splits.all().values())
    ]
    if len(removable) > 2:
        edits.append(lambda: project.classes.remove(removable[0]))
    return chance.choice(edits)()


@pytest.mark.parametrize("seed", range(3))
def test_undo_and_redo_pass_through_the_same_states(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    project = filled_project(tmp_path / "p", 40)
    states = [snapshot(project)]
    for number in range(40):
        if random_edit(project, chance, number):
            states.append(snapshot(project))
    assert len(states) > 20
    project.close()
    project = Project.open(tmp_path / "p", "write")
    assert snapshot(project) == states[-1]
    for state in reversed(states[:-1]):
        assert project.undo()
        assert snapshot(project) == state
    assert project.undo() is None
    for state in states[1:]:
        assert project.redo()
        assert snapshot(project) == state
    assert project.redo() is None
    for _ in range(5):
        project.undo()
    assert project.classes.add(["something else"])
    assert project.next_redo() is None, "a new edit ends what could be done again"
    assert [edit.state for edit in project.edits()].count("dropped") == 5
    project.close()


def test_an_edit_that_changes_nothing_is_no_edit(tmp_path: Path) -> None:
    with filled_project(tmp_path / "p") as project:
        assert not project.labels.set([1, 5], "walk 0")
        assert not project.classes.add(["walk 1"])
        assert project.next_undo() is None


def test_labels_have_history(tmp_path: Path) -> None:
    with filled_project(tmp_path / "p") as project:
        project.labels.set([1, 2], "sit")
        project.labels.set([1], "stand", origin="model")
        project.undo()
        project.labels.set([1], None)
        story = [
            (edit.title, edit.state, (change.after or {}).get("origin")) for edit, change in project.labels.history(1)
        ]
        assert story == [
            ("Label 2 recordings “sit”", "done", "user"),
            ("Label 1 recording “stand”", "dropped", "model"),
            ("Label 1 recording no class", "done", None),
        ]


def test_a_failing_edit_changes_nothing(tmp_path: Path) -> None:
    with filled_project(tmp_path / "p") as project:
        before = snapshot(project)
        with pytest.raises(FloraError, match="no class “fly”"):
            project.classes.set_texts({"walk 0": ("a", "b"), "fly": ("c", "d")})
        with pytest.raises(FloraError, match="taken"):
            project.classes.rename("walk 0", "walk 1")
        with pytest.raises(FloraError, match="not inside"):
            project.labels.add_spans(1, [Span("walk 1", 0, 2), Span("walk 1", 3, 99)])
        assert snapshot(project) == before
        assert project.next_undo() is None


def test_an_undo_that_would_break_a_later_import_is_refused(tmp_path: Path) -> None:
    with filled_project(tmp_path / "p") as project:
        project.classes.add(["jump"])
        project.recordings.add([Incoming(recording(80), "jump")])
        before = snapshot(project)
        with pytest.raises(FloraError, match="can no longer be undone"):
            project.undo()
        assert snapshot(project) == before
        assert project.next_undo() == "Add classes"


def test_one_edit_may_label_everything(tmp_path: Path) -> None:
    with filled_project(tmp_path / "p", 300) as project:
        before = snapshot(project)
        project.labels.set_each({id: f"class {id % 7}" for id in project.table.ids.tolist()}, origin="model")
        assert len(project.classes.names()) == 11
        assert project.undo() == "Label 300 recordings"
        assert snapshot(project) == before


def test_a_split_keeps_its_rule(tmp_path: Path) -> None:
    split = Split(name="mine", unseen=(1,), train=TrainRule(by="fraction", fraction=0.3, seed=4), low_shot=0.1, seed=2)
    with filled_project(tmp_path / "p") as project:
        project.splits.save(split)
        assert project.splits.all() == {"mine": split}
