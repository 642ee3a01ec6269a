"""How fast NTU recordings are read, denoised and translated.

    python benchmarks/preparation.py [--raw FOLDER] [--files N]

Prints ratios, as Markdown: one process against the plain version in tests/reference, two processes against one, and
one process against the floor of just reading the bytes. FOLDER holds .skeleton files; without it the real recordings
that the tests use, or else synthetic ones. Takes some two minutes where the machine has nothing else to do; on a busy
one the ratios mean little.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "reference")]

from flora_engine.datasets import ntu, preparing  # noqa: E402
from flora_engine.datasets.preparing import Task  # noqa: E402
from flora_engine.demo import write_demo  # noqa: E402
from flora_engine.jobs import Job  # noqa: E402
from flora_engine.preprocessing import ctrgcn  # noqa: E402
from flora_engine.readers.ntu import read_bodies  # noqa: E402


def fast(path: Path) -> None:
    ctrgcn.translate(ctrgcn.prepare_sequence(read_bodies(path)).joints)


def plain(path: Path) -> None:
    import preparation_plain
    from ntu_plain import read_bodies_plain

    denoised = preparation_plain.denoise(read_bodies_plain(path))
    assert denoised is not None
    preparation_plain.translate(denoised)


def seconds(work: Callable[[Path], object], paths: list[Path], rounds: int) -> float:
    """The best of several rounds over all files: what the machine can do when nothing else runs."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        for path in paths:
            work(path)
        times.append(time.perf_counter() - start)
    return min(times)


def through(tasks: list[Task], processes: int) -> float:
    """Seconds for `tasks` as `flora prepare` does them: in processes, with the results brought back and hashed."""
    start = time.perf_counter()
    for result in preparing.results(tasks, ntu.Prepare(), processes):
        assert not result.problems, result.problems
    return time.perf_counter() - start


def recordings(folder: Path | None) -> list[Path]:
    folder = folder or Path(os.environ.get("FLORA_SHARED_DATA", ROOT.parent / "shared" / "data")) / "ntu" / "raw"
    paths = sorted(folder.rglob("*.skeleton"))
    if not paths:
        print("(no real recordings: synthetic ones)")
        paths = write_demo(Job(), Path(tempfile.mkdtemp()), subjects=3, replications=2)
    return [path for path in paths if ntu.numbers(path.stem)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--raw", type=Path, help="folder of .skeleton files")
    parser.add_argument(
        "--files", type=int, default=56_880, help="files for two processes against one (default: NTU-60)"
    )
    arguments = parser.parse_args()
    paths = recordings(arguments.raw)
    fast(paths[0])  # compile
    one = seconds(fast, paths, 7)
    slow = seconds(plain, paths, 3)
    floor = seconds(Path.read_bytes, paths, 7)
    tasks = [Task(path, path.stem) for path, _ in zip(itertools.cycle(paths), range(arguments.files), strict=False)]
    single, double = through(tasks, 1), through(tasks, 2)
    megabytes = sum(path.stat().st_size for path in paths) / 1e6
    print(f"\n{len(paths)} files, {megabytes:.1f} MB; for two processes repeated to {len(tasks)} files\n")
    print("| what | figure |\n|---|---|")
    print(f"| read, denoise, translate: one process against the plain version | {slow / one:.1f} × |")
    print(f"| two processes against one, start-up included | {single / double:.2f} × |")
    print(f"| one process against reading the bytes only | {one / floor:.1f} × the floor |")
    print(f"| one process | {megabytes / one:.0f} MB/s, {1000 * one / len(paths):.2f} ms a file |")


if __name__ == "__main__":
    main()
