"""The timeline of a long recording: which action happens when. See docs/timeline.md.

Windows of several lengths slide over the recording, the labeller ranks the actions in each, the scores are brought to
one time axis and fused, and Viterbi's algorithm with a cost for every change makes segments of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol, overload

import numpy as np
from numpy.typing import NDArray

from flora_engine.errors import FloraError
from flora_engine.jobs import Job
from flora_engine.labelling.ranking import Ranking
from flora_engine.labelling.segments import Annotation, Segment
from flora_engine.labelling.smoothing import (
    emissions,
    fuse,
    long_absences,
    on_cells,
    segments_of,
    viterbi,
    weighted_mean,
    without_short,
)
from flora_engine.labelling.windows import Scale, cut, lengths_for, scale_weights, scales
from flora_engine.preprocessing.clip import LONGEST_GAP_SECONDS
from flora_engine.semantics.class_texts import ClassText
from flora_engine.semantics.lexicon import users_lexicon
from flora_engine.skeleton import SkeletonSequence

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
CELLS_PER_SECOND = 10
_FIRST, _AT_ONCE = 4, 64  # windows of the first batch, few so that the first pieces come soon, and of the others
ALONE = 68  # windows that are encoded here, while other processes start
_ENOUGH = 0.5  # share of a window's frames in which somebody must be there


Encoded = NDArray[np.float32] | str  # the latents of a window, or why it has none


class Ranker(Protocol):
    """What the timeline needs of a Labeller."""

    def latents(self, sequences: list[SkeletonSequence]) -> tuple[NDArray[np.float32], dict[str, float]]: ...

    def rank(self, latents: NDArray[np.float32], texts: list[ClassText]) -> list[Ranking]: ...


# What encodes windows in other processes: results in the order of the windows, each for one of them.
Spread = Callable[[Sequence[SkeletonSequence]], Generator[Encoded, None, None]]


@dataclass(frozen=True)
class Options:
    """How windows become segments.

    lengths: of the windows in seconds; None chooses them by the classes' usual durations. hop: step between windows
    as a share of their length. cost: of a change of action, in natural logarithms of evidence, of which a second of
    recording counts once; the default is from synthetic streams (docs/timeline.md). least_seconds: segments shorter
    than this go to a neighbour. background: whether a model that gives the probability of "none of these" may leave
    stretches without a class; off, because that probability was not good enough for windows (docs/timeline.md).
    """

    lengths: tuple[float, ...] | None = None
    hop: float = 0.5
    cost: float = 0.15
    least_seconds: float = 0.5
    background: bool = False


@dataclass(frozen=True)
class Lane:
    """Scores of the windows of one length. scores: float64 (W, K), NaN where nobody is there; none: (W,) or NaN."""

    scale: Scale
    scores: Floats
    none: Floats


@dataclass(frozen=True)
class Timeline:
    """names: the K actions. lanes: per window length. scores: float64 (N, K) of cells of `step` frames, fused."""

    annotation: Annotation
    names: tuple[str, ...]
    lanes: tuple[Lane, ...]
    step: int
    scores: Floats


def usual_seconds(texts: Sequence[ClassText]) -> list[float | None]:
    """How long each action usually lasts by the lexicon (the geometric mean of its range); None if that is not known.

    Raises FloraError if the lexicon is damaged.
    """
    lexicon = users_lexicon()
    numbers = [lexicon.find(text.name) for text in texts]
    entries = [None if number is None else lexicon.entries[number] for number in numbers]
    known = [None if entry is None or "seconds" not in entry.model_fields_set else entry.seconds for entry in entries]
    return [None if seconds is None else math.sqrt(seconds[0] * seconds[1]) for seconds in known]


class _Work:
    """The scores of one recording while they are being filled in."""

    def __init__(
        self,
        sequence: SkeletonSequence,
        texts: list[ClassText],
        options: Options,
        durations: Sequence[float | None],
    ) -> None:
        self.sequence, self.texts, self.options = sequence, texts, options
        self.names = tuple(text.name for text in texts)
        self.step = max(1, round(sequence.fps / CELLS_PER_SECOND))
        self.cells = -(-sequence.frames // self.step)
        lengths = options.lengths or lengths_for(durations)
        found = scales(sequence.frames, sequence.fps, lengths, options.hop)
        self.weights = scale_weights([scale.seconds for scale in found], durations)
        self.lanes = tuple(
            Lane(scale, np.full((len(scale.starts), len(texts)), np.nan), np.full(len(scale.starts), np.nan))
            for scale in found
        )
        self.here: Mask = np.asarray(sequence.present().any(axis=1))
        away = long_absences(self.here, round(LONGEST_GAP_SECONDS * sequence.fps))
        starts = np.arange(0, sequence.frames, self.step)
        self.absent: Mask = np.add.reduceat(away, starts, dtype=np.int64) == np.diff(np.append(starts, len(away)))
        self.problems: list[str] = []

    def windows(self) -> list[tuple[int, int]]:
        """(lane, window) of all windows in which somebody is there, by their ends, so that time fills from the left."""
        inside = np.concatenate([[0], np.cumsum(self.here)])
        found = []
        for number, lane in enumerate(self.lanes):
            ends = lane.scale.starts + lane.scale.frames
            enough = inside[ends] - inside[lane.scale.starts] >= max(1, _ENOUGH * lane.scale.frames)
            found += [(int(ends[w]), number, int(w)) for w in np.flatnonzero(enough)]
        return [(number, w) for _, number, w in sorted(found)]

    def cut(self, batch: Sequence[tuple[int, int]]) -> list[SkeletonSequence]:
        """The windows of `batch` as recordings."""
        places = [(self.lanes[number].scale, w) for number, w in batch]
        return [cut(self.sequence, int(scale.starts[w]), scale.frames) for scale, w in places]

    def score(self, ranker: Ranker, batch: Sequence[tuple[int, int]], encoded: Sequence[Encoded]) -> None:
        """Fill in the windows of `batch`. One that cannot be prepared stays without a score; its problem is kept."""
        self.problems += [one for one in encoded if isinstance(one, str)]
        good = [place for place, one in zip(batch, encoded, strict=True) if not isinstance(one, str)]
        if not good:
            return
        latents = np.stack([one for one in encoded if not isinstance(one, str)])
        for (number, w), ranking in zip(good, ranker.rank(latents, self.texts), strict=True):
            scores = {label.name: label.score for label in ranking.labels}
            self.lanes[number].scores[w] = [scores[name] for name in self.names]
            if self.options.background and ranking.none is not None:
                self.lanes[number].none[w] = ranking.none

    def fused(self, first: int, last: int) -> tuple[Floats, Floats]:
        """Scores (n, K) and the background's probability (n,) of the cells [first, last), NaN where not known."""
        parts, nones = [], []
        for lane in self.lanes:
            scale = lane.scale
            # only the windows that touch these cells
            a = int(np.searchsorted(scale.starts, first * self.step - scale.frames, side="right"))
            b = int(np.searchsorted(scale.starts, last * self.step, side="left"))
            where = (scale.starts[a:b] - first * self.step, scale.frames, last - first, self.step)
            parts.append(on_cells(lane.scores[a:b], *where))
            nones.append(on_cells(lane.none[a:b, None], *where))
        return fuse(parts, self.weights), weighted_mean(nones, np.ones((len(nones), 1)))[:, 0]

    def segments(self, first: int, last: int) -> tuple[tuple[Segment, ...], Floats]:
        """The segments of the cells [first, last), and their scores (n, K)."""
        scores, none = self.fused(first, last)
        seconds = self.step / self.sequence.fps
        evidence = emissions(scores, none, self.absent[first:last], seconds)
        path = viterbi(evidence, self.options.cost)
        path = without_short(path, evidence, round(self.options.least_seconds / seconds))
        shares = scores * (1 - np.nan_to_num(none))[:, None]
        return segments_of(path, shares, self.names, self.step, self.sequence.frames, first), scores


def timeline(
    job: Job,
    ranker: Ranker,
    sequence: SkeletonSequence,
    texts: list[ClassText],
    options: Options | None = None,
    durations: Sequence[float | None] | None = None,
    spread: Spread | None = None,
) -> Timeline:
    """Which of `texts` happens when in `sequence`.

    durations: usual seconds of each of `texts`, None if not known. spread: encodes all but the first windows. While
    it works, the job emits events of kind `segments`: `segments`, a list of objects with name, start, end (frames, both
    included) and score, provisional, and `until`, the frame up to which all is covered. Raises FloraError if there are
    no texts or frames, or if no window can be prepared; Cancelled.
    """
    if not texts:
        raise FloraError("no action to find", remedy="Type at least one action.")
    if not sequence.frames:
        raise FloraError("the recording has no frames", path=sequence.source)
    durations = [None] * len(texts) if durations is None else durations
    work = _Work(sequence, texts, Options() if options is None else options, durations)
    _score_all(job, ranker, work, spread)
    segments, scores = work.segments(0, work.cells)
    if len(texts) == 1 and all(np.isnan(lane.none).all() for lane in work.lanes):
        job.warn("there is only one action and this model has no background: it fills the whole recording")
    name = sequence.name if sequence.source is None else sequence.source.name
    annotation = Annotation(name, sequence.fps, sequence.frames, segments)
    return Timeline(annotation, work.names, work.lanes, work.step, scores)


def _score_all(job: Job, ranker: Ranker, work: _Work, spread: Spread | None) -> None:
    """Score all windows, and emit the pieces that are finished from the left."""
    windows = work.windows()
    if not windows:
        job.warn("nobody is there for long enough to tell an action")
    # where the first window of the shortest length begins that is still to do; the longer ones need not be complete
    shortest = [int(work.lanes[0].scale.starts[w]) if number == 0 else work.sequence.frames for number, w in windows]
    open_from = np.append(np.minimum.accumulate(shortest[::-1])[::-1], work.sequence.frames).astype(np.int64)
    there = None if spread is None or len(windows) <= ALONE else spread(Windows(work, windows[ALONE:]))
    try:
        _score_batches(job, ranker, work, windows, open_from, there)
    finally:
        if there is not None:
            there.close()
    job.progress("finding actions", len(windows), len(windows))
    if windows and len(work.problems) == len(windows):
        raise FloraError(f"not a single window can be prepared: {work.problems[0]}", path=work.sequence.source)
    if work.problems:
        job.warn(f"{len(work.problems)} of {len(windows)} windows cannot be prepared: {work.problems[0]}")


def _score_batches(
    job: Job,
    ranker: Ranker,
    work: _Work,
    windows: list[tuple[int, int]],
    open_from: NDArray[np.int64],
    there: Generator[Encoded, None, None] | None,
) -> None:
    """Batch by batch; there: what other processes encode, from window `ALONE` on."""
    shown = first = 0
    while first < len(windows):
        job.progress("finding actions", first, len(windows))
        after = min(first + (_AT_ONCE if first else _FIRST), len(windows))
        if there is None or first < ALONE:
            after = after if there is None else min(after, ALONE)
            encoded = encode(ranker, work.cut(windows[first:after]))
        else:
            encoded = list(islice(there, after - first))
        work.score(ranker, windows[first:after], encoded)
        done = int(open_from[after]) // work.step if after < len(windows) else work.cells
        if done > shown:
            pieces = [vars(segment) for segment in work.segments(shown, done)[0]]
            job.emit("segments", segments=pieces, until=min(done * work.step, work.sequence.frames) - 1)
            shown = done
        first = after


def encode(ranker: Ranker, parts: list[SkeletonSequence]) -> list[Encoded]:
    """The latents of windows; a published preparation refuses some, and says why."""
    try:
        return list(ranker.latents(parts)[0])
    except FloraError:
        pass
    found: list[Encoded] = []
    for part in parts:
        try:
            found.append(ranker.latents([part])[0][0])
        except FloraError as error:
            found.append(error.problem)
    return found


class Windows(Sequence[SkeletonSequence]):
    """Windows as recordings, each cut when it is asked for: thousands of them would fill the memory."""

    def __init__(self, work: _Work, windows: Sequence[tuple[int, int]]) -> None:
        self._work, self._windows = work, windows

    def __len__(self) -> int:
        return len(self._windows)

    @overload
    def __getitem__(self, place: int) -> SkeletonSequence: ...

    @overload
    def __getitem__(self, place: slice) -> list[SkeletonSequence]: ...

    def __getitem__(self, place: int | slice) -> SkeletonSequence | list[SkeletonSequence]:
        if isinstance(place, slice):
            return self._work.cut(self._windows[place])
        return self._work.cut([self._windows[place]])[0]
