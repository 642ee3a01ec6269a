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
from flora_engine.project.project import Incoming, Project
from flora_engine.project.splits import Split, TrainRule


def snapshot(project: Project) -> dict[str, Any]:
    """Everything a user can see, read from the disk and from the table in memory."""
    table = project.table
    project._table = None
    fresh = project.table
    for column in ("ids", "classes", "subjects", "spans"):
        assert np.array_equal(getattr(table, column), getattr(fresh, column)), f"the table in memory is stale: {column}"
    assert table.class_names == fresh.class_names
    return {
        "rows": list(zip(fresh.ids.tolist(), fresh.classes.tolist(), fresh.subjects.tolist(), strict=True)),
        "classes": fresh.class_names,
        "labels": [project.labels(id) for id in fresh.ids.tolist()],
        "texts": project.texts(),
        "splits": project.splits(),
    }


def random_edit(project: Project, chance: random.Random, number: int) -> bool:
    ids = chance.sample(project.table.ids.tolist(), 3)
    names = project.class_names()
    label = chance.choice(ids)
    edits: list[Callable[[], bool]] = [
        lambda: project.set_class(ids, chance.choice(names)),
        lambda: project.set_class(ids, None),
        lambda: project.set_class(ids, f"new {number}"),
        lambda: project.add_span(label, chance.choice(names), 0, chance.randint(1, 5), score=0.5),
        lambda: project.remove_labels(found.id for found in project.labels(label)),
        lambda: project.rename_class(chance.choice(names), f"renamed {number}"),
        lambda: project.add_classes([f"added {number}", names[0]]),
        lambda: project.set_texts({chance.choice(names): (f"move {number}", f"mean {number}")}),
        lambda: project.save_split(Split(name=chance.choice("ab"), unseen=(chance.randrange(len(names)),))),
        lambda: project.remove_split("a"),
        lambda: project.order_classes(chance.sample(names, len(names))),
        lambda: project.set_numbers(ids, subject=chance.randint(1, 9)),
        lambda: project.remove(ids[:1]),
    ]
    removable = [
        name for i, name in enumerate(names) if all(i not in split.unseen for split in project.splits().values())
    ]
    if len(removable) > 2:
        edits.append(lambda: project.remove_class(removable[0]))
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
    assert project.add_classes(["something else"])
    assert project.next_redo() is None, "a new edit ends what could be done again"
    assert [edit.state for edit in project.history()].count("dropped") == 5
    project.close()


def test_an_edit_that_changes_nothing_is_no_edit(tmp_path: Path) -> None:
    with filled_project(tmp_path / "p") as project:
        assert not project.set_class([1, 5], "walk 0")
        assert not project.add_classes(["walk 1"])
        assert project.next_undo() is None


def test_labels_have_history(tmp_path: Path) -> None:
    with filled_project(tmp_path / "p") as project:
        project.set_class([1, 2], "sit")
        project.set_class([1], "stand", origin="model")
        project.undo()
        project.set_class([1], None)
        story = [
            (edit.title, edit.state, (change.after or {}).get("origin")) for edit, change in project.label_history(1)
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
            project.set_texts({"walk 0": ("a", "b"), "fly": ("c", "d")})
        with pytest.raises(FloraError, match="taken"):
            project.rename_class("walk 0", "walk 1")
        with pytest.raises(FloraError, match="not inside"):
            project.add_spans(1, [("walk 1", 0, 2, None), ("walk 1", 3, 99, None)])
        assert snapshot(project) == before
        assert project.next_undo() is None


def test_an_undo_that_would_break_a_later_import_is_refused(tmp_path: Path) -> None:
    with filled_project(tmp_path / "p") as project:
        project.add_classes(["jump"])
        project.add([Incoming(recording(80), "jump")])
        before = snapshot(project)
        with pytest.raises(FloraError, match="can no longer be undone"):
            project.undo()
        assert snapshot(project) == before
        assert project.next_undo() == "Add classes"


def test_one_edit_may_label_everything(tmp_path: Path) -> None:
    with filled_project(tmp_path / "p", 300) as project:
        before = snapshot(project)
        project.set_classes({id: f"class {id % 7}" for id in project.table.ids.tolist()}, origin="model")
        assert len(project.class_names()) == 11
        assert project.undo() == "Label 300 recordings"
        assert snapshot(project) == before


def test_a_split_keeps_its_rule(tmp_path: Path) -> None:
    split = Split(name="mine", unseen=(1,), train=TrainRule(by="fraction", fraction=0.3, seed=4), low_shot=0.1, seed=2)
    with filled_project(tmp_path / "p") as project:
        project.save_split(split)
        assert project.splits() == {"mine": split}
