"""A run is an append-only folder: what was asked, what happened, what came out.

::

    config.yaml      what was asked
    events.jsonl     one JSON object a line, in the order things happened; curves are redrawn from it
    log.txt          the same for people
    checkpoints/     safetensors
    analysis/        what was decided about each test recording (see analysis.py)
    result.json      written once, when the run finished
    bundle/          the trained model, where the recipe makes one
    run.lock         held (by the operating system, so a crash frees it) while a process works on the run
    history.npz      what a long events.jsonl says, so that it is not parsed again
    control          a word for that process: pause, resume or stop; it takes the file away

Nothing here needs torch, so the window can watch a run. A crash can tear the last line of events.jsonl; readers skip
it and the next writer starts on a line of its own.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import re
import shutil
import signal
import threading
import time
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from flora_engine.errors import Cancelled, FloraError, explained
from flora_engine.files import write_text
from flora_engine.jobs import Event, Job
from flora_engine.locking import WriterLock, holder_of, is_locked
from flora_engine.processes import memory_used

CONFIG, EVENTS, LOG, RESULT, LOCK = "config.yaml", "events.jsonl", "log.txt", "result.json", "run.lock"
CONTROL, NOTES, HISTORY = "control", "notes.json", "history.npz"
WORDS = ("pause", "resume", "stop")
_CONTROL_SECONDS = 0.3  # between two looks for a word
SLEPT_SECONDS = 60.0  # between two looks: the computer slept
_BLOCK = 1 << 16  # bytes read at a time from the end of the events
_PROGRESS_SECONDS = 1.0  # between two kept lines about the progress of one stage
_SYNC_SECONDS = 5.0  # events reach the kernel at once (a killed process loses none) and the disk this often


class RunFolder:
    """One run on disk. Several processes may read it; one at a time may write, inside `hold`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._last_sync = 0.0
        self._recorded: Job | None = None
        self._told = ("", 0.0)  # the stage of the last kept progress, and when that was

    @classmethod
    def create(cls, parent: Path, name: str, config: Mapping[str, Any]) -> RunFolder:
        """Make ``parent/YYYYMMDD-HHMMSS-name`` (a number is added while that exists) with its config.yaml.

        `config` must be plain data (a pydantic model: ``model_dump(mode="json")``). Raises FloraError if the
        folder cannot be made.
        """
        stem = time.strftime("%Y%m%d-%H%M%S-") + (re.sub(r"[^\w.-]+", "-", name).strip("-.") or "run")
        for attempt in range(1, 1000):
            path = parent / (stem if attempt == 1 else f"{stem}-{attempt}")
            try:
                path.mkdir(parents=True)
            except FileExistsError:
                continue
            except OSError as error:
                raise FloraError(f"cannot make a run folder: {error.strerror}", path=path) from None
            return cls._fill(path, config)
        raise FloraError("cannot find a free name for a run", path=parent / stem)

    @classmethod
    def at(cls, path: Path, config: Mapping[str, Any]) -> RunFolder:
        """Use exactly `path`: opened if it is a run already, else made there."""
        if (path / CONFIG).is_file():
            return cls.open(path)
        path.mkdir(parents=True, exist_ok=True)
        return cls._fill(path, config)

    @classmethod
    def _fill(cls, path: Path, config: Mapping[str, Any]) -> RunFolder:
        (path / "checkpoints").mkdir(exist_ok=True)
        write_text(path / CONFIG, yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True))
        return cls(path)

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """Open a run that exists; raises FloraError if `path` is not one."""
        if not (path / CONFIG).is_file():
            raise FloraError(f"this is not a run: it has no {CONFIG}", path=path)
        return cls(path)

    def config(self) -> dict[str, Any]:
        """What was asked; raises FloraError if the file cannot be read."""
        path = self.path / CONFIG
        try:
            data = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise FloraError(f"cannot read the run's configuration: {error}", path=path) from None
        return data if isinstance(data, dict) else {}

    def checkpoint(self, name: str) -> Path:
        """Where the checkpoint `name` (such as ``joint.best``) is or will be."""
        return self.path / "checkpoints" / f"{name}.safetensors"

    @property
    def bundle(self) -> Path:
        return self.path / "bundle"

    # -- writing

    @contextlib.contextmanager
    def hold(self) -> Iterator[None]:
        """Be the one process that works on this run; the operating system lets go when the process ends, however.

        Raises FloraError if another process holds it.
        """
        lock = WriterLock(self.path / LOCK)
        if not lock.acquire(patience=1.0):
            raise FloraError(
                f"{lock.holder()} is working on this run", path=self.path, remedy="Watch it, or stop it first."
            )
        try:
            yield
        finally:
            lock.release()

    def append_event(self, event: Event) -> None:
        """Add one JSON-ready event; ``time`` is filled in if it is missing."""
        line = json.dumps({"time": time.time(), **event}, ensure_ascii=False, separators=(",", ":")) + "\n"
        now = time.monotonic()
        sync = now - self._last_sync > _SYNC_SECONDS
        self._last_sync = now if sync else self._last_sync
        _append(self.path / EVENTS, line, sync)

    def log(self, text: str) -> None:
        """Add a line to log.txt."""
        _append(self.path / LOG, f"{time.strftime('%Y-%m-%d %H:%M:%S')}  {text}\n", sync=False)

    def tell(self, job: Job, kind: str, **data: Any) -> None:
        """Emit an event on `job` and keep it in the run; ``log`` and ``warning`` texts go to log.txt as well."""
        job.emit(kind, **data)
        if job is not self._recorded:  # else the run has heard it already
            self._keep({"kind": kind, **data})

    def _keep(self, event: Event) -> None:
        kind = event["kind"]
        if not (self.path / CONFIG).is_file():
            raise FloraError(
                "the folder of this run was removed while it trained",
                path=self.path,
                remedy="Train it again elsewhere.",
            )
        if kind == "progress" and not self._is_news(event):
            return
        used = memory_used() if kind == "progress" else None
        self.append_event(event if used is None else {**event, "memory": used})
        if kind in ("log", "warning"):
            self.log(("warning: " if kind == "warning" else "") + str(event.get("text", "")))

    def _is_news(self, event: Event) -> bool:
        """Progress comes many times a second; what a reader of the run needs is one line now and then."""
        stage, now = f"{event.get('part', '')}: {event.get('stage', '')}", time.monotonic()
        late = now - self._told[1] >= _PROGRESS_SECONDS
        if stage == self._told[0] and not late and event.get("done") != event.get("total"):
            return False
        self._told = stage, now
        return True

    def metrics(self, job: Job, step: int, values: Mapping[str, float]) -> None:
        """Tell one ``metric`` event for each value."""
        for name, value in values.items():
            self.tell(job, "metric", name=name, step=step, value=value)

    def write_result(self, result: Mapping[str, Any]) -> None:
        """Write result.json; its presence is what makes a run finished."""
        write_text(self.path / RESULT, json.dumps(dict(result), indent=1, ensure_ascii=False) + "\n")

    # -- reading

    def result(self) -> dict[str, Any] | None:
        """The content of result.json, None while there is none; raises FloraError if it is broken."""
        path = self.path / RESULT
        if not path.is_file():
            return None
        try:
            return dict(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise FloraError(f"cannot read the result of the run: {error}", path=path) from None

    def read_events(self, offset: int = 0) -> tuple[list[Event], int]:
        """Events from byte `offset` on, and the offset to continue from: what a window polls while a run continues.

        A last line without its newline is left for the next call; a line that is not JSON (torn by a crash) is skipped.
        """
        try:
            with (self.path / EVENTS).open("rb") as file:
                file.seek(offset)
                content = file.read()
        except FileNotFoundError:
            return [], offset
        end = content.rfind(b"\n") + 1
        return [event for line in content[:end].splitlines() if (event := _parse(line)) is not None], offset + end

    def events(self) -> list[Event]:
        """All events so far."""
        return self.read_events()[0]

    def curves(self) -> dict[str, list[tuple[int, float]]]:
        """name → (step, value) pairs in step order; a step told twice (after a crash and resume) counts once.

        The name is ``PART: METRIC`` if the metric belongs to a part of the run.
        """
        curves: dict[str, dict[int, float]] = {}
        for event in self.events():
            if event.get("kind") == "metric":
                name = f"{event['part']}: {event['name']}" if event.get("part") else str(event["name"])
                curves.setdefault(name, {})[int(event["step"])] = float(event["value"])
        return {name: sorted(points.items()) for name, points in curves.items()}

    def is_running(self) -> bool:
        """Whether a living process, this one included, holds the run."""
        return is_locked(self.path / LOCK)

    def pid(self) -> int | None:
        """The process that holds the run, if one does."""
        holder = holder_of(self.path / LOCK) if self.is_running() else None
        return None if holder is None else holder[0]

    def kill(self) -> None:
        """End the process that works on this run at once; what it wrote is kept. FloraError if it cannot be reached."""
        holder = holder_of(self.path / LOCK) if self.is_running() else None
        if holder is None:
            raise FloraError("no process is working on this run", path=self.path)
        if holder[1] != platform.node():
            raise FloraError(
                f"the run is trained on another computer ({holder[1]})", path=self.path, remedy="Use Stop instead."
            )
        os.kill(holder[0], getattr(signal, "SIGKILL", signal.SIGTERM))

    def has_work(self) -> bool:
        """Whether anything was trained or extracted: any file beside those that every run has."""
        return any(
            path.name not in (CONFIG, EVENTS, LOG, LOCK, CONTROL, NOTES, HISTORY)
            for path in self.path.rglob("*")
            if path.is_file()
        )

    def reached(self) -> str:
        """How far it has come, in words; "" if it never told."""
        event = last_event(self.path / EVENTS, "progress")
        return "" if event is None else f"{event.get('stage', '')}, {event.get('done')} of {event.get('total')}"

    def status(self) -> str:
        """``running``, ``paused``, ``finished``, ``failed``, ``stopped``, ``interrupted`` (it died), or ``new``."""
        running = self.is_running()
        if not running and (self.path / RESULT).is_file():
            return "finished"
        return status_of(last_state(self.path / EVENTS), running)

    def ask(self, word: str) -> None:
        """Tell the process that works on this run to pause, resume or stop. FloraError if there is none."""
        if word not in WORDS:
            raise ValueError(word)
        if not self.is_running():
            raise FloraError("no process is working on this run", path=self.path, remedy="Resume the run first.")
        write_text(self.path / CONTROL, word)

    @contextlib.contextmanager
    def recording(self, job: Job) -> Iterator[None]:
        """Hold the run while the work inside lasts, keep the events of `job` in it, and do what `ask` asks for.

        Its events say how the work ended: started, then finished, stopped or failed.
        """
        with self.hold(), job.also(self._keep), self._listening(job):
            self._recorded = job
            job.emit("state", state="started", pid=os.getpid(), run=str(self.path))
            try:
                yield
            except (Cancelled, KeyboardInterrupt):
                job.emit("state", state="stopped")
                raise
            except BaseException as error:
                known = explained(error)
                text = f"{type(known or error).__name__}: {known or error}"
                with contextlib.suppress(OSError, FloraError):  # such as a full disk, which is what this is about
                    job.emit("state", state="failed", text=text)
                    self.log(f"failed: {text}")
                    self.log("" if known else "".join(traceback.format_exception(error)))
                raise
            else:
                job.emit("state", state="finished")
            finally:
                self._recorded = None

    @contextlib.contextmanager
    def _listening(self, job: Job) -> Iterator[None]:
        """Do what the file CONTROL says, until the work inside ends, and report sleep in between."""
        path, over = self.path / CONTROL, threading.Event()
        path.unlink(missing_ok=True)  # meant for an earlier process
        words = {"pause": job.pause, "resume": job.resume, "stop": job.stop}

        def listen() -> None:
            before = time.time()
            while not over.wait(_CONTROL_SECONDS):
                slept, before = time.time() - before, time.time()
                if slept > SLEPT_SECONDS:
                    with contextlib.suppress(OSError, FloraError):
                        said = f"the computer slept, or this program was held, for {slept:.0f} s; it continues"
                        job.emit("warning", text=said, slept=slept)
                with contextlib.suppress(OSError):
                    word = path.read_text(encoding="utf-8").strip()
                    path.unlink()
                    words.get(word, lambda: None)()

        thread = threading.Thread(target=listen, name="control of the run", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def remove(self) -> None:
        """Delete the run; raises FloraError while it is running."""
        if self.is_running():
            raise FloraError("a running run cannot be removed", path=self.path, remedy="Stop it first.")
        with contextlib.suppress(FileNotFoundError):  # somebody was quicker
            shutil.rmtree(self.path)


def list_runs(parent: Path) -> list[RunFolder]:
    """The runs directly under `parent`, oldest first by name."""
    if not parent.is_dir():
        return []
    return [RunFolder(path) for path in sorted(parent.iterdir()) if (path / CONFIG).is_file()]


def status_of(state: str, running: bool) -> str:
    """The status of a run without a result, by its last state event ("" if there is none)."""
    if running:
        return "paused" if state == "paused" else "running"
    if not state:
        return "new"
    return "interrupted" if state in ("started", "paused", "resumed") else state


def last_state(path: Path) -> str:
    """The last state that an event file reports, "" if none."""
    event = last_event(path, "state")
    return "" if event is None else str(event.get("state", ""))


def last_event(path: Path, kind: str) -> Event | None:
    """The last event of a kind; None if there is none. Read from the end of the file, for it may be long."""
    sign = f'"{kind}"'.encode()
    try:
        with path.open("rb") as file:
            end, rest = file.seek(0, os.SEEK_END), b""
            while end:
                start = max(0, end - _BLOCK)
                file.seek(start)
                lines = (file.read(end - start) + rest).split(b"\n")
                rest, end = lines[0] if start else b"", start
                for line in reversed(lines[1:] if start else lines):
                    event = _parse(line) if sign in line else None
                    if event is not None and event.get("kind") == kind:
                        return event
    except OSError:
        pass
    return None


def _parse(line: bytes) -> Event | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) else None


def _append(path: Path, line: str, sync: bool) -> None:
    """Write `line` in one call at the end of `path`, on a line of its own even after a torn one."""
    with path.open("ab+", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        if size:
            file.seek(size - 1)
            if file.read(1) != b"\n":
                line = "\n" + line
        file.write(line.encode("utf-8"))
        if sync:
            os.fsync(file.fileno())
