"""Jobs in their own process end as they should, whatever the process does; short tasks answer the newest request."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import shiboken6
from patience import PATIENCE
from PySide6.QtCore import QThreadPool

from app.workers.jobs import HeavyJob, JobBar, JobStrip, left_text
from app.workers.supervisor import End, Event, Supervisor
from app.workers.tasks import InTurn, Newest
from flora_engine.errors import FloraError

_SPEAK = (
    "import json,sys,time,os,subprocess\nsay=lambda **e: print(json.dumps(e), flush=True)\njob=json.loads(input())\n"
)


class Watch:
    def __init__(self) -> None:
        self.events: list[Event] = []
        self.end: End | None = None
        self.over = threading.Event()

    def on_end(self, end: End) -> None:
        assert self.end is None
        self.end = end
        self.over.set()


def supervise(script: str, patience: float = 15.0) -> tuple[Supervisor, Watch]:
    watch = Watch()
    command = (sys.executable, "-c", _SPEAK + script)
    job = Supervisor("act", {"x": Path("/a")}, watch.events.append, watch.on_end, command=command, patience=patience)
    return job, watch


def ended(watch: Watch, seconds: float = PATIENCE) -> End:
    assert watch.over.wait(seconds)
    assert watch.end is not None
    return watch.end


def test_success_is_status_0_and_finished() -> None:
    _, watch = supervise("say(kind='progress', done=1, total=2)\nsay(kind='finished', result=job['arguments'])")
    assert ended(watch) == End("finished", {"x": "/a"})
    assert [event["kind"] for event in watch.events] == ["progress", "finished"]
    for script in ("pass", "say(kind='finished', result=1)\nsys.exit(3)", "say(kind='progress', done=1, total=1)"):
        assert ended(supervise(script)[1]).outcome == "failed"


def test_a_failure_brings_its_sentence_and_a_crash_its_last_words() -> None:
    assert ended(supervise("say(kind='failed', text='no such file')\nsys.exit(1)")[1]).text == "no such file"
    end = ended(supervise("print('last words', file=sys.stderr)\nos.abort()")[1])
    assert end.outcome == "failed" and "signal 6" in end.text and "last words" in end.details


def test_noise_on_stdout_does_no_harm() -> None:
    _, watch = supervise("print('not json')\nprint('[1]')\nsay(kind='finished', result=None)")
    assert ended(watch).outcome == "finished"


def test_stop_pause_resume_reach_the_worker() -> None:
    job, watch = supervise("for line in sys.stdin:\n  say(kind='log', text=line.strip())\n  if 'stop' in line: break\n"
                           "say(kind='cancelled')\nsys.exit(130)")  # fmt: skip
    for word in (job.pause, job.resume, job.stop):
        word()
    assert ended(watch).outcome == "cancelled"
    assert [e["text"] for e in watch.events if e["kind"] == "log"] == ["pause", "resume", "stop"]


def test_a_long_order_does_not_wait_for_the_worker_to_read_it() -> None:
    """A pipe holds 64 KiB: written by the window's own thread, this would hang it until the worker is ready."""
    watch = Watch()
    command = (sys.executable, "-c", "import time; time.sleep(100)")
    job = Supervisor("act", {"x": "a" * 1_000_000}, watch.events.append, watch.on_end, command=command)
    job.pause()
    job.kill()
    assert ended(watch).outcome == "cancelled"


def test_a_deaf_worker_is_killed_with_its_children() -> None:
    script = (
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "say(kind='log', text=str(child.pid))\ntime.sleep(600)"
    )
    job, watch = supervise(script, patience=0.3)
    _until(lambda: bool(watch.events))
    child = int(watch.events[0]["text"])
    job.stop()
    assert ended(watch).outcome == "cancelled"
    _until(lambda: not _alive(child) and not _alive(job.pid))


def test_children_of_a_crashed_worker_are_swept() -> None:
    script = (
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "say(kind='log', text=str(child.pid))\nos._exit(9)"
    )
    _, watch = supervise(script)
    assert ended(watch).outcome == "failed"
    child = int(watch.events[0]["text"])
    _until(lambda: not _alive(child))


def test_the_real_worker_refuses_what_it_does_not_know() -> None:
    watch = Watch()
    Supervisor("no such action", {}, watch.events.append, watch.on_end)
    assert "no such action" in ended(watch).text


def test_the_strip_shows_and_stops_a_job(qtbot: Any) -> None:
    bar = JobBar()
    qtbot.addWidget(bar)
    script = (
        "say(kind='progress', stage='reading', done=3, total=9, seconds_left=60)\n"
        "sys.stdin.readline()\nsay(kind='cancelled')\nsys.exit(130)"
    )
    job = HeavyJob("Import", "act", {}, command=(sys.executable, "-c", _SPEAK + script))
    bar.add(job)
    ends: list[End] = []
    job.ended.connect(ends.append)
    strip = bar.findChild(JobStrip)
    qtbot.waitUntil(lambda: "3 of 9, 60 s left" in strip.time_left.text())
    strip.stop_button.click()
    qtbot.waitUntil(lambda: bool(ends) and not bar.jobs)
    assert ends[0].outcome == "cancelled"


def test_a_job_quicker_than_whoever_listens_to_it_is_heard(qtbot: Any) -> None:
    """A loaded machine may run a whole job between the line that makes it and the line that listens."""
    script = "say(kind='finished', result={'files': 3})"
    job = HeavyJob("Import", "act", {}, command=(sys.executable, "-c", _SPEAK + script))
    assert job._supervisor.wait(PATIENCE)
    events: list[Event] = []
    ends: list[End] = []
    job.event_arrived.connect(events.append)
    job.ended.connect(ends.append)
    qtbot.waitUntil(lambda: bool(ends))
    assert [event["kind"] for event in events] == ["finished"] and ends[0].outcome == "finished"


def test_time_left_is_for_people() -> None:
    assert [left_text(s) for s in (None, 12.4, 600, 9000)] == ["", ", 12 s left", ", 10 min left", ", 2.5 h left"]


def test_newest_wins(qtbot: Any) -> None:
    newest, answers, problems = Newest(), [], []
    newest.done.connect(answers.append)
    newest.failed.connect(problems.append)
    ran: list[int] = []

    def slow(number: int) -> Callable[[], int]:
        def task() -> int:
            time.sleep(0.05)
            ran.append(number)
            return number

        return task

    for number in range(10):
        newest.submit(slow(number))
    qtbot.waitUntil(lambda: answers == [9])
    assert ran == [0, 9] and not problems
    newest.submit(slow(10))
    newest.forget()
    qtbot.waitUntil(lambda: not newest.is_busy)
    assert answers == [9]


def test_results_that_nobody_wants_any_more_are_handed_out_to_be_closed(qtbot: Any) -> None:
    newest, answers, stale = Newest(), [], []
    newest.done.connect(answers.append)
    newest.stale.connect(stale.append)
    gate = threading.Event()
    newest.submit(lambda: gate.wait(10) and "first")
    newest.submit(lambda: "second")
    gate.set()
    qtbot.waitUntil(lambda: answers == ["second"])
    newest.submit(lambda: "third")
    newest.forget()
    qtbot.waitUntil(lambda: not newest.is_busy)
    assert stale == ["first", "third"] and answers == ["second"]


class Closing:
    """What a task opened."""

    def __init__(self) -> None:
        self.closed = threading.Event()

    def close(self) -> None:
        self.closed.set()


@pytest.mark.parametrize("late", [False, True], ids=["on its way", "later"])
def test_what_was_opened_for_a_window_that_has_gone_is_closed(qtbot: Any, late: bool) -> None:
    """Whether the result is on its way when the receiver goes, or comes afterwards."""
    newest, opened, gate = Newest(), Closing(), threading.Event()

    def task() -> Closing:
        gate.wait(PATIENCE)
        return opened

    newest.submit(task)
    if not late:
        gate.set()
        assert QThreadPool.globalInstance().waitForDone(int(1000 * PATIENCE))
    shiboken6.delete(newest)
    gate.set()
    assert opened.closed.wait(PATIENCE)


@pytest.mark.parametrize(
    ("error", "text"), [(FloraError("bad file"), "bad file"), (ZeroDivisionError("oops"), "ZeroDivisionError: oops")]
)
def test_a_failed_task_is_told_and_the_next_one_works(qtbot: Any, error: Exception, text: str) -> None:
    newest, answers, problems = Newest(), [], []
    newest.done.connect(answers.append)
    newest.failed.connect(problems.append)

    def broken() -> None:
        raise error

    newest.submit(broken)
    qtbot.waitUntil(lambda: len(problems) == 1)
    assert text in problems[0]
    newest.submit(lambda: 5)
    qtbot.waitUntil(lambda: answers == [5])


def _alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _until(condition: Callable[[], bool], seconds: float = PATIENCE) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, os.times()
        time.sleep(0.02)


def test_every_task_has_its_turn_and_a_quick_one_is_over_at_once(qtbot: Any) -> None:
    turns, told = InTurn(), []
    turns.patience = PATIENCE
    turns.do(lambda: 1, lambda result, problem: told.append((result, problem)))
    assert told == [(1, "")] and not turns.is_busy
    turns.patience = 0.0
    gate = threading.Event()
    busy: list[bool] = []
    turns.busy.connect(busy.append)

    def fail() -> None:
        raise FloraError("no")

    turns.do(lambda: gate.wait(PATIENCE), lambda result, problem: told.append((result, problem)))
    turns.do(fail, lambda result, problem: told.append((result, problem)))
    turns.do(lambda: 3, lambda result, problem: told.append((result, problem)))
    assert turns.is_busy and told == [(1, "")]
    gate.set()
    qtbot.waitUntil(lambda: not turns.is_busy and len(told) == 4)
    assert told[1:] == [(True, ""), (None, "no"), (3, "")]
    assert busy[0] is True and busy[-1] is False
    turns.do(lambda: 4, lambda result, problem: told.append((result, problem)))
    turns.finish()
    assert told[-1] == (4, "")
