"""How a project of 114,480 recordings (as many as NTU RGB+D 120) opens, filters, sorts and reads.

    python benchmarks/project.py [--keep FOLDER] [--recordings 114480]

The recordings are synthetic: names, classes, subjects, cameras and set-ups as NTU RGB+D 120 numbers them, lengths and
persons drawn at random with about its means. The frames are one file full of holes (`truncate`), which reads as zeros:
the real set would take gigabytes. Opening, filtering and memory do not depend on what the frames hold; random access is
measured on these holes, so without the disk. Prints a table; the project is made anew in a temporary folder unless
--keep names one.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from flora_engine.project import DATABASE, Project
from flora_engine.project.arrays import SEGMENT_BYTES, Place

COLUMNS = """id, name, folder, file, hash, subject, camera, setup, replication, layout, fps, frames, persons, joints,
    tracked, segment, offset, metadata"""
QUERIES = ("a", "S012 A05", "class:action frames:>80", "subject:3,7 camera:1 -is:labelled", "nothing like this")


def make(folder: Path, recordings: int) -> None:
    """The tables are filled directly: making 114,480 arrays is not what is measured."""
    Project.create(folder).close()
    random = np.random.default_rng(0)
    number = np.arange(recordings)
    frames = np.clip(random.gamma(6, 14, recordings), 20, 300).astype(int)
    persons = 1 + (random.random(recordings) < 0.2)
    rows, offset = [], 0
    for n, length, people in zip(number.tolist(), frames.tolist(), persons.tolist(), strict=True):
        action, rest = n % 120 + 1, n // 120
        replication, camera, person = rest % 2 + 1, rest // 2 % 3 + 1, rest // 6
        setup, subject = person % 32 + 1, person % 106 + 1
        name = f"S{setup:03d}C{camera:03d}P{subject:03d}R{replication:03d}A{action:03d}v{n}"
        size = Place(1, 0, length, people, 25, False).end
        if offset % SEGMENT_BYTES + size > SEGMENT_BYTES:
            offset = (offset // SEGMENT_BYTES + 1) * SEGMENT_BYTES
        what = (n + 1, name, 1 + setup % 2, f"{name}.skeleton", n.to_bytes(16, "big"))
        where = (1 + offset // SEGMENT_BYTES, offset % SEGMENT_BYTES)
        numbers = (subject, camera, setup, replication)
        rows.append((*what, *numbers, "kinect_v2", 30.0, length, people, 25, 0, *where, "{}"))
        offset += size
    connection = sqlite3.connect(folder / DATABASE)
    connection.executemany("INSERT INTO folders VALUES (?, ?)", [(1, "/data/part 1"), (2, "/data/part 2")])
    connection.executemany("INSERT INTO classes VALUES (?, ?, ?)", [(n + 1, f"action {n + 1}", n) for n in range(120)])
    connection.executemany(f"INSERT INTO sequences ({COLUMNS}) VALUES ({', '.join('?' * len(rows[0]))})", rows)
    connection.executemany(
        "INSERT INTO labels (sequence, class, origin) VALUES (?, ?, 'import')",
        [(n + 1, n % 120 + 1) for n in number.tolist()],
    )
    connection.commit()
    connection.close()
    for segment in range(1, 2 + offset // SEGMENT_BYTES):
        with (folder / "arrays" / f"{segment:06d}.frames").open("wb") as file:
            file.truncate(SEGMENT_BYTES)


def measure(folder: Path) -> dict[str, float]:
    """In a fresh process, so that memory is what a program that opens the project has."""
    import psutil

    from flora_engine.datasets.split_checks import check_split, of_project
    from flora_engine.project.filters import select, sort_rows
    from flora_engine.project.splits import Split, TrainRule
    from flora_engine.project.statistics import statistics

    process = psutil.Process()
    before = process.memory_info().rss
    found: dict[str, float] = {}

    def clock(name: str, work: object, repeat: int = 1) -> None:
        start = time.perf_counter()
        for _ in range(repeat):
            work()  # type: ignore[operator]
        found[name] = (time.perf_counter() - start) / repeat * 1000

    start, start_cpu = time.perf_counter(), time.process_time()
    project = Project.open(folder, "write")
    found["open, table included (ms)"] = (time.perf_counter() - start) * 1000
    found["of it on the CPU; the rest is waiting for a busy machine (ms)"] = (time.process_time() - start_cpu) * 1000
    table = project.table
    for query in QUERIES:
        clock(f"filter “{query}”, first (ms)", lambda query=query: select(table, query))
        clock(f"filter “{query}”, again (ms)", lambda query=query: select(table, query), 5)
    rows = np.arange(len(table))
    clock("sort by name, first (ms)", lambda: sort_rows(table, rows, "name"))
    clock("sort by name, again (ms)", lambda: sort_rows(table, rows, "name"), 5)
    clock("sort by frames (ms)", lambda: sort_rows(table, rows, "frames"), 5)
    clock("statistics (ms)", lambda: statistics(table))
    chosen = np.random.default_rng(0).permutation(table.ids).tolist()
    near = table.ids[:2000].tolist()
    clock("one of the first 2,000 recordings (ms)", lambda: [project.recordings.read(id) for id in near[:2000]])
    clock("one of all recordings, at random (ms)", lambda: [project.recordings.read(id) for id in chosen[:2000]])
    for name in ("one of the first 2,000 recordings (ms)", "one of all recordings, at random (ms)"):
        found[name] /= 2000
    clock("label one recording, committed (ms)", lambda: project.labels.set(chosen[:1], "something new"))
    clock("undo it (ms)", project.undo)
    clock("label 1,000 recordings, committed (ms)", lambda: project.labels.set(chosen[:1000], "something new"))
    clock("undo it too (ms)", project.undo)
    found["resident after all this, above the bare engine (MB)"] = (process.memory_info().rss - before) / 1e6
    found["resident after all this, in all (MB)"] = process.memory_info().rss / 1e6
    split = Split(name="s", unseen=(3, 5), train=TrainRule(by="subject", values=tuple(range(1, 54))))
    clock("check a split (ms)", lambda: check_split(split, of_project(project)))
    project.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", type=Path, help="make the project here and leave it")
    parser.add_argument("--recordings", type=int, default=114_480)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(arguments.measure)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary) / "project"
        if not (folder / DATABASE).exists():
            start = time.perf_counter()
            make(folder, arguments.recordings)
            size = (folder / DATABASE).stat().st_size / 1e6
            print(f"made in {time.perf_counter() - start:.1f} s; the database has {size:.0f} MB")
        command = [sys.executable, __file__, "--measure", str(folder)]
        runs = [json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout) for _ in range(3)]
    print(f"| {arguments.recordings:,} recordings, best of {len(runs)} | |\n|---|---|")
    for name in runs[0]:
        print(f"| {name} | {min(run[name] for run in runs):.3g} |")


if __name__ == "__main__":
    main()
