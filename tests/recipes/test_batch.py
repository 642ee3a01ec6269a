"""Batches: a folder and a project, resumed after a stop, a crash and the loss of a process; nothing is ranked twice."""

from __future__ import annotations

import functools
import json
import os
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from flora_engine.cli import main
from flora_engine.demo import synthesise
from flora_engine.errors import Cancelled, FloraError
from flora_engine.jobs import Event, Job
from flora_engine.labelling.journal import Line, read_journal
from flora_engine.project import Incoming, Project
from flora_engine.readers import write_ntu
from flora_engine.recipes import batch
from flora_engine.recipes.actions import perform

CLASSES = "wave; bow; squat"
MANY = 26  # enough for a pool


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("many")
    for seed in range(3):
        write_ntu(synthesise(11, seed=seed), folder / f"take{seed}.skeleton")
    (folder / "broken.skeleton").write_text("3\n1\n")
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "study"
    with Project.create(place) as project:
        project.recordings.add([Incoming(synthesise(10 + seed % 2, seed=seed, replication=seed)) for seed in range(4)])
    yield place


def ask(**given: Any) -> batch.Request:
    return batch.Request.of(classes=CLASSES, **given)


def test_a_folder_is_ranked_into_a_journal_and_not_twice(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    result = batch.run(Job(), ask(files=(folder,), journal=path))
    assert (result.ranked, result.new, result.failed) == (3, 4, 1)
    head, lines = read_journal(path)
    assert (
        len(head.items) == 4
        and head.typed == CLASSES
        and {line.item for line in lines} == {str(p) for p in folder.iterdir()}
    )
    good = [line for line in lines if not line.problem]
    assert len(good) == 3 and all({name for name, _ in line.ranking} == {"wave", "bow", "squat"} for line in good)
    assert batch.run(Job(), ask(files=(folder,), journal=path)).new == 0
    with pytest.raises(FloraError, match="of other actions"):
        batch.run(Job(), batch.Request.of(files=(folder,), journal=path, classes="sing"))


def test_a_stopped_and_a_torn_batch_resume(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, ranked = tmp_path / "j.jsonl", list[str]()
    real = batch.rank_items
    monkeypatch.setattr(batch, "_AT_ONCE", 1)

    def counted(work: Any, items: Sequence[str]) -> list[Line]:
        ranked.extend(items)
        return real(work, items)

    monkeypatch.setattr(batch, "rank_items", counted)
    job = Job(lambda event: job.stop() if event["kind"] == "ranked" and event["done"] == 2 else None)
    with pytest.raises(Cancelled):
        batch.run(job, ask(files=(folder,), journal=path))
    assert len(read_journal(path)[1]) == 2
    with path.open("a") as file:
        file.write('{"item": "torn')  # as a crash leaves it
    assert len(read_journal(path)[1]) == 2
    assert batch.run(Job(), ask(files=(folder,), journal=path)).new == 2
    assert sorted(ranked) == sorted(str(p) for p in folder.iterdir()), "nothing is ranked twice"
    assert all(json.loads(line) for line in path.read_text().splitlines())


def lose_a_process(work: Any, items: Sequence[str]) -> list[Line]:
    """Dies once, in the process that gets recording 3 first."""
    mark = Path(work)
    if "3" in items and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return [Line(item, (("wave", 1.0),), None, 1.0) for item in items]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")
def test_the_work_of_a_lost_process_is_done_again(tmp_path: Path) -> None:
    events: list[Event] = []
    journal = batch.Journal(tmp_path / "j.jsonl", batch.Head("m", "k", "wave", [], []))
    items = [str(number) for number in range(MANY)]
    work = functools.partial(lose_a_process, str(tmp_path / "died"))
    assert batch._rank_all(Job(events.append), work, items, journal, 2) == MANY
    journal.close()
    assert sorted(line.item for line in read_journal(tmp_path / "j.jsonl")[1]) == sorted(items)
    assert any("was lost" in event["text"] for event in events if event["kind"] == "warning")


def test_a_project_is_ranked_and_labels_stay_as_they_are(project: Path, tmp_path: Path) -> None:
    path = project / "batches" / "one.jsonl"
    result = perform(Job(), "label-batch", {"project": project, "ids": [1, 3], "classes": CLASSES, "journal": path})
    assert result["ranked"] == 2
    with Project.open(project, "write") as opened:
        assert batch.take_journal(opened, path) == 2 and batch.take_journal(opened, path) == 0
        said = opened.statements.newest_rankings()
        assert list(said) == [1, 3] and said[1].model == "built-in model" and said[1].time > 0
        assert opened.labels.of(1) == [] and opened.next_undo() is None


def test_the_command_line_ranks_a_filtered_project(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    journal = project / "j.jsonl"
    given = ["label", str(project), "--classes", CLASSES, "--batch", str(journal)]
    assert main([*given, "--filter", "frames:>0", "--processes", "1"]) == 0
    assert "4 recordings ranked (4 of them now)" in capsys.readouterr().out
    assert main(given) == 0
    assert "(0 of them now)" in capsys.readouterr().out
    with Project.open(project, "read") as opened:
        assert len(opened.statements.newest_rankings()) == 4
    assert main(["label", str(project), "--classes", CLASSES, "--filter", "x"]) == 1
    assert main([*given, "--filter", "name:nobody"]) == 1
