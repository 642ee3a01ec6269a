"""The timeline of the recording on screen: finding segments by the model, and every edit of the true ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from app.controllers.opening import Opened
from app.controllers.segment_files import SegmentDialogs
from app.notice import Feedback
from app.session import Session
from app.timeline.painting import Content
from app.timeline.panel import TimelinePanel
from app.viewer.player import Player
from app.workers.jobs import HeavyJob, JobBar
from app.workers.supervisor import End
from app.workers.tasks import Newest, attempt
from flora_engine.errors import FloraError
from flora_engine.evaluation.segments import segment_measures
from flora_engine.labelling import editing
from flora_engine.labelling.lanes import Scores, motion_energy, scores_from_bytes
from flora_engine.labelling.segment_file import SegmentFile
from flora_engine.labelling.segments import Annotation, Segment
from flora_engine.project import Project, Span, TimelineSaid
from flora_engine.resources import cache_folder
from flora_engine.semantics.class_texts import parse_typed

_SHOWN = 3  # classes whose scores are shown at first
_SECONDS = 1.0  # of a segment that is added by its key
Key = tuple[Path, int | None]  # the file, or the project's folder and the id


@dataclass(frozen=True)
class _Found:
    """What a model found. until: of a search that is going on."""

    segments: tuple[Segment, ...] = ()
    scores: Scores | None = None
    model: str = ""
    until: int | None = None


class Timelines(QObject):
    """Truth is in the project or in the session's file; what models find never touches it."""

    changed = Signal()  # what can be done now may have changed
    shown = Signal()  # segments are being looked for: show the panel

    def __init__(
        self,
        session: Session,
        panel: TimelinePanel,
        player: Player,
        jobs: JobBar,
        feedback: Feedback,
        classes: Callable[[], str],
        model: Callable[[], Path],
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._session, self._panel, self._player, self._jobs = session, panel, player, jobs
        self._feedback, self._classes, self._model, self._window = feedback, classes, model, window
        self._key: Key | None = None
        self._found: dict[Key, _Found] = {}
        self._jobs_of: dict[Key, HeavyJob] = {}
        self._files: dict[Path, SegmentFile] = {}
        self._truth: tuple[Segment, ...] = ()
        self._on_screen: _Found | None = None
        self._keep: Segment | None = None  # what is selected after the next look at the truth
        self._energy, self._measuring = Newest(self), Newest(self)
        self._energy.done.connect(self._on_energy)
        self._measuring.done.connect(self._on_measures)
        self.dialogs = SegmentDialogs(feedback, window)
        lanes = panel.lanes
        lanes.seek_wanted.connect(player.seek)
        lanes.selected.connect(self.select)
        lanes.edge_moved.connect(self.move_edge)
        lanes.add_wanted.connect(self.ask_add)
        lanes.rename_wanted.connect(self.ask_rename)
        lanes.class_pressed.connect(self.press)
        player.frame_shown.connect(lanes.set_position)
        panel.scores_chosen.connect(lambda names: self._show(chosen=names))
        session.changed.connect(self.reload)

    # -- what is on screen ---------------------------------------------------------------------------------------

    @property
    def content(self) -> Content:
        """What the lanes show."""
        return self._panel.lanes.content

    @property
    def can_edit(self) -> bool:
        """Whether the true segments of the recording on screen can be edited now."""
        if self._key is None:
            return False
        return self._session.can_edit if self._key[1] is not None else self._session.file is not None

    @property
    def chosen(self) -> bool:
        """Whether a true segment is selected."""
        return any(s is self.content.selected for s in self.content.truth)

    @property
    def unsaved(self) -> bool:
        return self._session.file is not None and self._session.file.changed

    def show(self, opened: Opened | None) -> None:
        """A recording is on screen, or none."""
        sequence, lanes = self._player.sequence, self._panel.lanes
        self._key, self._session.file = self._key_of(opened), None
        self._energy.forget()
        self._measuring.forget()
        self._truth, self._on_screen = (), None
        self._panel.message.clear()
        lanes.axis.load(sequence.frames if sequence else 0, sequence.fps if sequence else 30.0)
        lanes.set_content(Content())
        lanes.moved.emit()
        if opened is None or sequence is None:
            self.changed.emit()
            return
        if opened.path is not None:
            self._open_file(opened.path, opened)
        self._energy.submit(partial(motion_energy, sequence))
        self.reload()

    def reload(self) -> None:
        """Look at the truth again, and at what was found."""
        key, project = self._key, self._session.project
        if key is None:
            return
        if key[1] is None:
            self._on_truth(key, self._session.file.segments if self._session.file is not None else (), None)
        elif project is not None:
            self._session.read(partial(_read, project, key[1]), partial(self._on_read, key))

    def select(self, segment: Segment | None) -> None:
        """Select a true or a found segment, or none."""
        self._show(selected=segment)
        self._panel.message.setText("" if segment is None else self._panel.lanes.said(segment))
        self.changed.emit()

    def go(self, steps: int) -> None:
        """Select the next (1) or the previous (-1) segment, and go to its start."""
        content, position = self.content, self._player.playback.frame()
        found = any(s is content.selected for s in content.found)
        segments = content.found if found or not content.truth else content.truth
        ahead = [s for s in segments if (s.start > position if steps > 0 else s.start < position)]
        if ahead:
            segment = ahead[0] if steps > 0 else ahead[-1]
            self.select(segment)
            self._player.seek(segment.start)

    # -- finding -------------------------------------------------------------------------------------------------

    def find(self) -> None:
        """Look for the typed actions, in a process of its own."""
        key = self._key
        if key is None:
            return
        self.shown.emit()
        if not parse_typed(self._classes()):
            self._feedback.problem("Type at least one action; then the timeline can be searched for it.")
            return
        if key in self._jobs_of:
            self._jobs_of.pop(key).stop()
        scores = cache_folder() / "timelines" / f"{id(self)}-{len(self._found)}-{hash(key)}.npz"
        scores.parent.mkdir(parents=True, exist_ok=True)
        where = {"file": str(key[0])} if key[1] is None else {"project": str(key[0]), "id": key[1]}
        arguments = {**where, "classes": self._classes(), "model": str(self._model()), "scores": str(scores)}
        job = HeavyJob("Find actions over time", "find-segments", arguments, self)
        self._jobs_of[key] = job
        self._found[key] = _Found(until=-1)
        job.event_arrived.connect(lambda event: self._on_event(key, job, event))
        job.ended.connect(lambda end: self._on_end(key, job, scores, end))
        self._jobs.add(job)
        self._show_found(key)

    def accept(self) -> None:
        """Take the selected found segment, or all of them, as true where nothing true is yet."""
        content = self.content
        one = [s for s in content.found if s is content.selected]
        found = self._found.get(self._key) if self._key else None
        said = found.model if found is not None else ""
        self._change("Accept found segments", lambda truth: editing.accept(truth, one or content.found), said)

    # -- edits ---------------------------------------------------------------------------------------------------

    def ask_add(self, first: int | None = None, last: int | None = None) -> None:
        """Ask for the class of a new segment: between two frames, or from the frame on screen."""
        if not self.can_edit:
            return
        frames, fps = self._panel.lanes.axis.frames, self._panel.lanes.axis.fps
        if first is None or last is None:
            at, length = self._player.playback.frame(), round(_SECONDS * fps)
            room, problem = attempt(lambda: editing.room_at(self.content.truth, at, length, frames))
            if problem:
                self._feedback.problem(problem)
                return
            first, last = room
        here = next((s.name for s in self.content.found if s.start <= first <= s.end), "")
        self.dialogs.ask_class("Add a segment", self.names(), here, lambda name: self.add(name, first, last))

    def add(self, name: str, first: int, last: int) -> None:
        """A new true segment of these frames."""
        frames = self._panel.lanes.axis.frames
        self._change("Add a segment", lambda truth: editing.add(truth, name, first, last, frames))

    def press(self, name: str) -> None:
        """The key of a class: the selected true segment gets it, or a new segment from the frame on screen."""
        if self.chosen:
            self.rename(name)
            return
        frames, at = self._panel.lanes.axis.frames, self._player.playback.frame()
        length = round(_SECONDS * self._panel.lanes.axis.fps)

        def change(truth: tuple[Segment, ...]) -> editing.Edited:
            return editing.add(truth, name, *editing.room_at(truth, at, length, frames), frames)

        self._change("Add a segment", change)

    def ask_rename(self) -> None:
        """Ask for another class of the selected segment."""
        segment = self._selected()
        if segment is not None:
            self.dialogs.ask_class("Change the class", self.names(), segment.name, self.rename)

    def rename(self, name: str) -> None:
        self._change_selected("Change the class of a segment", lambda truth, one: editing.rename(truth, one, name))

    def split(self) -> None:
        at = self._player.playback.frame()
        self._change_selected("Split a segment", lambda truth, one: editing.split(truth, one, at))

    def merge(self) -> None:
        self._change_selected("Merge segments", editing.merge)

    def delete(self) -> None:
        self._change_selected("Delete a segment", editing.remove)

    def edge_here(self, side: editing.Side) -> None:
        """Move one end of the selected segment to the frame on screen."""
        segment = self._selected()
        if segment is not None:
            self.move_edge(segment, side, self._player.playback.frame())

    def move_edge(self, segment: Segment, side: editing.Side, frame: int) -> None:
        """Move one end of a true segment."""
        frames = self._panel.lanes.axis.frames
        self._change("Move an edge", lambda truth: editing.move_edge(truth, segment, side, frame, frames))

    # -- files ---------------------------------------------------------------------------------------------------

    def save(self) -> None:
        """Write the true segments of a file beside it."""
        file = self._session.file
        if file is not None:
            path, problem = attempt(file.save)
            self._feedback.notice.say(f"Wrote {path}") if not problem else self._feedback.problem(problem)
            self.changed.emit()

    def ask_import(self) -> None:
        """Choose a file of segments, in place of the true ones."""
        if self.can_edit:
            self.dialogs.ask_import(self._annotation(()), self.take)

    def ask_export(self, lane: str) -> None:
        """Choose where the true or the found segments go, and in which format."""
        segments = self.content.segments(lane)
        if segments:
            self.dialogs.ask_export(self._annotation(segments))

    def take(self, segments: tuple[Segment, ...]) -> None:
        """These are the true segments now."""
        plain = editing.in_order([replace(s, score=None) for s in segments])
        self._change("Import segments", lambda _: (plain, None), origin="import")

    def may_close(self) -> bool:
        """Whether nothing is unsaved; else the user is asked, and the answer closes the window or not."""
        return self.dialogs.may_close([file for file in self._files.values() if file.changed])

    def names(self) -> list[str]:
        """The classes that can be chosen, those that were typed first."""
        project = self._session.project
        known = [text.name for text in parse_typed(self._classes())]
        known += [s.name for s in (*self.content.truth, *self.content.found)]
        known += project.classes.names() if project is not None else ()
        return list({name.casefold(): name for name in reversed(known)}.values())[::-1]

    # -- inside --------------------------------------------------------------------------------------------------

    def _key_of(self, opened: Opened | None) -> Key | None:
        if opened is None:
            return None
        if opened.path is not None:
            return opened.path, None
        project = self._session.project
        return None if project is None else (project.folder, opened.id)

    def _open_file(self, path: Path, opened: Opened) -> None:
        sequence = opened.sequence
        try:
            file = self._files.get(path) or SegmentFile(path, sequence.fps, sequence.frames)
        except FloraError as error:  # it is left as it is, and cannot be overwritten by mistake
            self._feedback.problem(str(error))
            return
        self._files[path] = self._session.file = file

    def _selected(self) -> Segment | None:
        return self.content.selected if self.chosen else None

    def _change_selected(
        self, title: str, change: Callable[[tuple[Segment, ...], Segment], editing.Edited], said: str = ""
    ) -> None:
        segment = self._selected()
        if segment is not None:
            self._change(title, lambda truth: change(truth, segment), said)

    def _change(
        self,
        title: str,
        change: Callable[[tuple[Segment, ...]], editing.Edited],
        said: str = "",
        origin: str = "user",
    ) -> None:
        """Edit the truth through the session. said: the model whose segments are accepted. origin: see `Label`."""
        if self._key is None or not self.can_edit:
            self.reload()
            return
        edited, problem = attempt(lambda: change(self._truth))
        if problem:
            self._feedback.problem(problem)
            return
        segments, self._keep = edited
        id = self._key[1]
        if id is None:
            self._session.edit_file(segments, title)
            self.reload()  # nothing may have changed, but a dragged edge is shown elsewhere
            return
        spans = [Span(s.name, s.start, s.end + 1) for s in segments]
        self._session.edit(lambda project: project.labels.set_spans(id, spans, title, origin, said))

    def _on_read(self, key: Key, answer: Any, problem: str) -> None:
        if key != self._key or problem:
            return
        truth, said = answer
        self._on_truth(key, truth, said)

    def _on_truth(self, key: Key, truth: tuple[Segment, ...], said: TimelineSaid | None) -> None:
        if said is not None and key not in self._found:
            segments = tuple(Segment(name, begin, end - 1, score) for name, begin, end, score in said.segments)
            self._found[key] = _Found(segments, scores_from_bytes(said.scores), said.model)
        self._truth = truth
        wanted = self._keep if self._keep is not None else self.content.selected
        self._keep = None
        mine = next((s for s in truth if s == wanted), None)
        theirs = next((s for s in self.content.found if s is wanted), None)
        self._show(truth=truth, selected=mine or theirs)
        self._show_found(key)
        self._measure()
        if truth or self._found.get(key):
            self.shown.emit()
        self.changed.emit()

    def _show_found(self, key: Key) -> None:
        """The found segments of the recording on screen."""
        found = self._found.get(key)
        if key != self._key or found is None or found is self._on_screen:
            return
        self._on_screen = found
        names = found.scores.names if found.scores is not None else ()
        chosen = tuple(name for name in self.content.chosen if name in names) or _most(found)
        self._panel.set_classes(names)
        self._panel.colours.meet([text.name for text in parse_typed(self._classes())])
        selected = self.content.selected if self.chosen else None
        shown = {"found": found.segments, "scores": found.scores, "chosen": chosen, "until": found.until}
        self._show(**shown, selected=selected)
        self.changed.emit()

    def _show(self, **changes: Any) -> None:
        self._panel.lanes.editable = self.can_edit
        self._panel.lanes.set_content(replace(self.content, **changes))

    def _on_event(self, key: Key, job: HeavyJob, event: dict[str, Any]) -> None:
        if event.get("kind") != "segments" or self._jobs_of.get(key) is not job:
            return
        before = self._found[key]
        pieces = [Segment(s["name"], s["start"], s["end"], s["score"]) for s in event["segments"]]
        self._found[key] = _Found(joined((*before.segments, *pieces)), until=int(event["until"]))
        self._show_found(key)

    def _on_end(self, key: Key, job: HeavyJob, scores: Path, end: End) -> None:
        content, _ = attempt(scores.read_bytes) if scores.is_file() else (b"", "")
        scores.unlink(missing_ok=True)
        if self._jobs_of.get(key) is not job:
            return  # a newer search took its place
        del self._jobs_of[key]
        if end.outcome != "finished":
            self._found[key] = replace(self._found[key], until=None)
            self._show_found(key)
            stopped = end.outcome == "cancelled"
            self._feedback.notice.say("The search was stopped. What was found is shown." if stopped else end.text)
            return
        said = TimelineSaid(end.result["model"], tuple(tuple(one) for one in end.result["segments"]), content or b"")
        segments = tuple(Segment(name, begin, after - 1, score) for name, begin, after, score in said.segments)
        self._found[key] = _Found(segments, scores_from_bytes(said.scores), said.model)
        self._show_found(key)
        self._measure()
        project, id = self._session.project, key[1]
        if id is not None and project is not None and project.folder == key[0] and project.writable:
            self._session.edit(lambda project: project.statements.add_timeline(id, said))

    def _measure(self) -> None:
        """Compare what was found with the truth, elsewhere: there may be hundreds of segments."""
        content, frames = self.content, self._panel.lanes.axis.frames
        self._measuring.forget()
        if content.truth and content.found and content.until is None:
            self._measuring.submit(partial(segment_measures, content.found, content.truth, frames))

    def _on_measures(self, measures: Any) -> None:
        self._panel.message.setText(
            f"Frames right {measures['frame_accuracy']:.0%}, F1@50 {measures['F1@50']:.0%}, mAP {measures['mAP']:.0%}"
        )

    def _on_energy(self, energy: Any) -> None:
        self._show(energy=energy)

    def _annotation(self, segments: tuple[Segment, ...]) -> Annotation:
        sequence, axis = self._player.sequence, self._panel.lanes.axis
        assert sequence is not None
        name = sequence.source.name if sequence.source is not None else sequence.name
        return Annotation(name, axis.fps, axis.frames, segments)


def _read(project: Project, id: int) -> tuple[tuple[Segment, ...], TimelineSaid | None]:
    """The true segments of a recording of a project, and the newest timeline of a model."""
    parts = [label for label in project.labels.of(id) if label.begin is not None and label.end is not None]
    truth = [Segment(label.class_name, label.begin or 0, (label.end or 1) - 1) for label in parts]
    return editing.in_order(truth), project.statements.timeline(id)


def joined(segments: tuple[Segment, ...]) -> tuple[Segment, ...]:
    """Pieces that touch and have one class are one segment."""
    found: list[Segment] = []
    for segment in segments:
        if found and found[-1].name == segment.name and found[-1].end + 1 == segment.start:
            found[-1] = replace(found[-1], end=segment.end)
        else:
            found.append(segment)
    return tuple(found)


def _most(found: _Found) -> tuple[str, ...]:
    """The classes that were found for most frames."""
    if found.scores is None:
        return ()
    totals = dict.fromkeys(found.scores.names, 0)
    for segment in found.segments:
        totals[segment.name] = totals.get(segment.name, 0) + segment.frames
    return tuple(sorted(found.scores.names, key=lambda name: -totals[name])[:_SHOWN])
