"""The worker process, as the window uses it: JSON lines over pipes."""

from __future__ import annotations

import contextlib
import inspect
import io
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from patience import PATIENCE

from flora_engine import worker
from flora_engine.errors import FloraError
from flora_engine.jobs import Job
from flora_engine.recipes.actions import ACTIONS, recipe
from flora_engine.recipes.request import Request


class Stand(Request):
    text: str = ""


class Echo:
    Request = Stand

    @staticmethod
    def run(job: Job, request: Stand) -> dict[str, str]:
        print("a library prints this")
        job.progress("echo", 1, 1)
        return {"text": request.text}


class Count:
    Request = Stand

    @staticmethod
    def run(job: Job, request: Stand) -> int:
        steps = 0
        while steps < 100 * PATIENCE:
            steps += 1
            job.progress("count", steps, 100_000)
            time.sleep(0.02)
        return steps


class Hold:
    """Tells when the pause has come, waits in the next check as any job does, and tells whether that waited."""

    Request = Stand

    @staticmethod
    def run(job: Job, request: Stand) -> None:
        while job._run.is_set():
            time.sleep(0.01)
        job.log("paused")
        job.check()
        job.log("resumed" if job._run.is_set() else "still paused")


class Touch:
    """Waits for a gate, talks to whoever may listen, and leaves a file."""

    class Request(Request):
        path: Path
        gate: Path

    @staticmethod
    def run(job: Job, request: Any) -> None:
        job.log("begun")
        while not request.gate.exists():
            time.sleep(0.01)
        time.sleep(1.0)  # longer than a job may take to notice a stop
        job.log("nobody hears this")
        job.check()
        print("nor this", flush=True)
        request.path.write_text("alone")


class Deaf:
    Request = Stand

    @staticmethod
    def run(job: Job, request: Stand) -> None:
        job.log("asleep")
        time.sleep(10 * PATIENCE)


class Refuse:
    Request = Stand

    @staticmethod
    def run(job: Job, request: Stand) -> None:
        raise FloraError("this file is broken", path="a.skeleton")


class Bug:
    Request = Stand

    @staticmethod
    def run(job: Job, request: Stand) -> None:
        raise ZeroDivisionError("oops")


class Odd:
    Request = Stand

    @staticmethod
    def run(job: Job, request: Stand) -> object:
        return object()


PROGRAM = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from flora_engine import worker
from flora_engine.recipes.actions import ACTIONS
for name in ("echo", "count", "hold", "touch", "deaf", "refuse", "bug", "odd"):
    ACTIONS[name] = "test_worker:" + name.capitalize()
worker.main()
"""


_started: list[Process] = []


@pytest.fixture(autouse=True)
def pipes_are_closed() -> Iterator[None]:
    yield
    while _started:
        _started.pop().close()


class Process:
    """A running worker with its events."""

    def __init__(self, action: str, **arguments: Any) -> None:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM], stdin=pipe, stdout=pipe, stderr=pipe, text=True, bufsize=1
        )
        _started.append(self)
        self.send(json.dumps({"version": 1, "action": action, "arguments": arguments}))

    def close(self) -> None:
        """Close the pipes: a test needs no more of it."""
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert stream is not None
            with contextlib.suppress(BrokenPipeError):
                stream.close()

    def send(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def next(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        return dict(json.loads(self.process.stdout.readline()))

    def rest(self) -> list[dict[str, Any]]:
        assert self.process.stdout is not None
        events = [json.loads(line) for line in self.process.stdout]
        self.process.wait(PATIENCE)
        return events


def test_events_then_finished_and_prints_go_to_stderr() -> None:
    process = Process("echo", text="Grüße")
    events = process.rest()
    assert [event["kind"] for event in events] == ["progress", "finished"]
    assert events[-1]["result"] == {"text": "Grüße"}
    assert process.process.returncode == 0
    assert process.process.stderr is not None
    assert "a library prints this" in process.process.stderr.read()


@pytest.mark.parametrize("how", ["stop", "end of stdin"])
def test_stop_and_the_end_of_stdin_cancel(how: str) -> None:
    process = Process("count")
    assert process.next()["kind"] == "progress"
    if how == "stop":
        process.send("stop")
    else:
        assert process.process.stdin is not None
        process.process.stdin.close()
    last = process.rest()[-1]
    assert last == {"kind": "cancelled", "forced": False}, "left alone it would go on for minutes"
    assert process.process.returncode == 130


def test_a_detached_job_outlives_its_parent(tmp_path: Path) -> None:
    process = Process("touch", path=str(tmp_path / "done"), gate=str(tmp_path / "gate"))
    assert process.next()["text"] == "begun"
    process.send("detach")
    assert process.next()["kind"] == "detached"
    process.close()
    (tmp_path / "gate").touch()
    assert process.process.wait(PATIENCE) == 0
    assert (tmp_path / "done").read_text() == "alone"


def test_a_job_that_does_not_listen_is_ended_anyway() -> None:
    process = Process("deaf")
    assert process.next()["text"] == "asleep"
    process.send("stop")
    assert process.rest()[-1] == {"kind": "cancelled", "forced": True}
    assert process.process.returncode == 130


def test_pause_holds_and_resume_goes_on() -> None:
    process = Process("hold")
    process.send("pause")
    told = [process.next(), process.next()]  # in either order: the job hears of the pause while it is told
    assert {(event["kind"], event.get("text", event.get("state"))) for event in told} == {
        ("log", "paused"),
        ("state", "paused"),
    }
    process.send("resume")
    rest = [event for event in process.rest() if event["kind"] != "state"]
    assert [event.get("text") for event in rest] == ["resumed", None]
    assert process.process.returncode == 0


@pytest.mark.parametrize(
    ("action", "text"),
    [
        ("refuse", "a.skeleton: this file is broken"),
        ("bug", "unexpected ZeroDivisionError: oops"),
        ("odd", "unexpected TypeError: object is not JSON"),
    ],
)
def test_failures_are_one_sentence(action: str, text: str) -> None:
    process = Process(action)
    (event,) = process.rest()
    assert (event["kind"], event["text"]) == ("failed", text)
    assert ("Traceback" in event.get("details", "")) == (action != "refuse")
    assert process.process.returncode == 1


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("not json", "not JSON"),
        ("[]", "exactly the keys"),
        ('{"version": 1, "action": "extract", "arguments": {}, "more": 1}', "exactly the keys"),
        ('{"version": 2, "action": "extract", "arguments": {}}', "version 1"),
        ('{"version": 1, "action": "os.system", "arguments": {}}', "unknown action"),
        ('{"version": 1, "action": "extract", "arguments": []}', "must be an object"),
        ('{"version": 1, "action": "extract", "arguments": {"files": 3}}', "wrong arguments"),
    ],
)
def test_bad_payloads_are_refused(line: str, problem: str) -> None:
    out = io.StringIO()
    assert worker.run(io.StringIO(line + "\n"), out, end=lambda status: None) == 1
    assert problem in json.loads(out.getvalue().splitlines()[-1])["text"]


@pytest.mark.parametrize("action", sorted(ACTIONS))
def test_every_action_is_a_recipe(action: str) -> None:
    found = recipe(action)
    assert issubclass(found.Request, Request)
    assert list(inspect.signature(found.run).parameters) == ["job", "request"]


def test_requests_are_checked_without_torch() -> None:
    """The window builds and checks them; loading torch there would cost seconds and gigabytes."""
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from flora_engine.recipes.actions import ACTIONS, recipe\n"
        "for action in ACTIONS: recipe(action).Request.model_json_schema()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
