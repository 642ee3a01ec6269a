"""Inspects files in the background; the dialog fetches the results, a bounded number at a time. Qt-free."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from app.dialogs.import_form import Seen, class_name, seen
from flora_engine.datasets.importing import ImportLabels, ImportOptions, inspect_files
from flora_engine.jobs import Event, Job

Result = tuple[int, Seen, str]  # row, what was found, its class name


class Inspecting:
    """One pass over some files. `run` works in a thread of its own, the other methods in the window's."""

    def __init__(
        self, rows: Sequence[int], files: Sequence[Path], options: ImportOptions, import_labels: ImportLabels
    ) -> None:
        self._rows, self._files, self._options, self._import_labels = rows, files, options, import_labels
        self._results: deque[Result] = deque()
        self._job = Job(self._listen)
        self.total = len(rows)
        self.done = 0
        self.seconds_left: float | None = None

    def run(self) -> None:
        """Inspect; Cancelled soon after `stop`, FloraError if a process was killed."""
        with closing(inspect_files(self._job, self._files, self._options, quietly=True)) as found:
            for row, path, preview in zip(self._rows, self._files, found, strict=True):
                kept = seen(preview, path)
                self._results.append((row, kept, class_name(self._import_labels, kept)))

    def stop(self) -> None:
        self._job.stop()

    def fetch(self, most: int) -> list[Result]:
        """Results since the last call, `most` at a time."""
        found = [self._results.popleft() for _ in range(min(most, len(self._results)))]
        self.done += len(found)
        return found

    @property
    def is_fetched(self) -> bool:
        return not self._results

    def _listen(self, event: Event) -> None:
        if event["kind"] == "progress":
            self.seconds_left = event["seconds_left"]
