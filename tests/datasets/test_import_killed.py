"""kill -9 at any moment: what was confirmed is there, nothing else is, and continuing completes."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pytest

from flora_engine.datasets.importing import ImportOptions, import_folder
from flora_engine.jobs import Event, Job
from flora_engine.project import Project

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")

FILES, BATCH = 600, 3
KILL_ITSELF = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from flora_engine.project import Incoming, Project
from project_samples import recording

def recordings():
    for number in range(100, 110):
        if number == 106:
            os.kill(os.getpid(), signal.SIGKILL)
        yield Incoming(recording(number))

project = Project.open(Path(sys.argv[1]), "write")
if sys.argv[3] == "synced":  # every frame is on the disk, the transaction is not
    project.arrays.sync = lambda: os.kill(os.getpid(), signal.SIGKILL)
    project.recordings.add(Incoming(recording(number)) for number in range(100, 104))
project.recordings.add(recordings())
"""


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from flora_engine.readers import write_npz
    from flora_engine.skeleton import SkeletonSequence

    folder = tmp_path_factory.mktemp("raw")
    values = np.random.default_rng(0)
    for number in range(FILES):
        joints = values.normal(size=(1 + number % 3, 1, 25, 3)).astype(np.float32)
        write_npz(SkeletonSequence(joints, 30.0, name=f"r{number:04d}"), folder / f"r{number:04d}.npz")
    return folder


def run_import(folder: Path, raw: Path, told: Connection) -> None:
    """What the process does that will be killed."""

    def tell(event: Event) -> None:
        if event["kind"] == "committed":
            told.send(event["added"])

    project = Project.open(folder, "write")
    told.send(0)
    import_folder(Job(tell), project, [raw], ImportOptions(batch=BATCH, processes=1))


def run_and_kill(folder: Path, raw: Path, delay: float) -> tuple[int, bool]:
    """Import in another process and kill it; how many recordings it confirmed, and whether the kill came in time."""
    starter = multiprocessing.get_context("forkserver")  # starts in milliseconds where a new interpreter takes a second
    starter.set_forkserver_preload(["flora_engine.datasets.importing"])
    mine, its = starter.Pipe(duplex=False)
    process = starter.Process(target=run_import, args=(folder, raw, its))
    process.start()
    its.close()
    confirmed = mine.recv()
    time.sleep(delay)
    process.kill()
    process.join()
    with contextlib.suppress(EOFError):
        while True:
            confirmed = mine.recv()
    return confirmed, process.exitcode == -signal.SIGKILL


def test_twenty_kills_leave_exactly_what_was_committed(tmp_path: Path, raw: Path) -> None:
    moments = random.Random(1)
    rounds, killed, cut_off = 0, 0, 0
    folder = tmp_path / "project 0"
    Project.create(folder).close()
    while killed < 20:
        rounds += 1
        assert rounds < 200, "the import is over before it can be killed"
        before = len(_open(folder))
        confirmed, in_time = run_and_kill(folder, raw, moments.uniform(0, 0.15))
        killed += in_time
        frames = folder / "arrays" / "000001.frames"
        size = frames.stat().st_size if frames.exists() else 0
        project = Project.open(folder, "write")
        count = len(project.table)
        # Confirmed means there; one batch more may have been committed in the moment before it could be told.
        assert before + confirmed <= count <= before + confirmed + BATCH
        assert count == FILES or (count - before) % BATCH == 0, "half a batch is there"
        assert project.recordings.verify() == []
        used = sum(16 * -(-project.recordings.read(id).joints.nbytes // 16) for id in project.table.ids.tolist())
        assert used == (frames.stat().st_size if frames.exists() else 0), "a torn tail was left"
        cut_off += size > used
        project.close()
        if count == FILES:
            folder = tmp_path / f"project {rounds}"
            Project.create(folder).close()
    with Project.open(folder, "write") as project:
        import_folder(Job(), project, [raw], ImportOptions(processes=1))
        assert sorted(project.table.names) == [f"r{number:04d}" for number in range(FILES)]
        assert project.recordings.verify() == []


def _open(folder: Path) -> list[str]:
    with Project.open(folder, "read") as project:
        return project.table.names


@pytest.mark.parametrize("moment", ["between", "synced"])
def test_a_kill_inside_a_transaction_leaves_no_trace(tmp_path: Path, moment: str) -> None:
    """The two worst moments, always hit: half of the frames written; and all of them, but not the commit."""
    from project_samples import filled_project, recording, same

    filled_project(tmp_path / "p", 6).close()
    frames = tmp_path / "p" / "arrays" / "000001.frames"
    size = frames.stat().st_size
    command = [sys.executable, "-c", KILL_ITSELF, str(tmp_path / "p"), str(Path(__file__).parents[1]), moment]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert frames.stat().st_size > size, "the kill came before any frame was written"
    with Project.open(tmp_path / "p", "write") as project:
        assert frames.stat().st_size == size
        assert len(project.table) == 6
        assert all(same(project.recordings.read(n + 1), recording(n, tracked=n % 3 == 0)) for n in range(6))
        assert project.recordings.verify() == []
