"""The descriptor model in a bundle: typed actions against what was measured, and why. Numpy only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flora_engine.descriptors import analyse, catalogue, measure_all, say
from flora_engine.descriptors.pool import Pool
from flora_engine.errors import FloraError
from flora_engine.labelling.ranking import Reason
from flora_engine.models.descriptors import load_descriptor_model
from flora_engine.models.motion_encoder import PREPARATION, load_motion_encoder
from flora_engine.preprocessing import preparation
from flora_engine.preprocessing.probe import agrees
from flora_engine.semantics.class_texts import ClassText
from flora_engine.semantics.expectations import Expectation, Reader
from flora_engine.semantics.lexicon import users_lexicon
from flora_engine.semantics.text_encoder import TextEncoder
from flora_engine.semantics.text_vectors import text_vectors
from flora_engine.skeleton import SkeletonSequence

Floats = NDArray[np.float64]
REASONS = 5  # for a label, and as many against it
# A descriptor that an action says nothing about is no reason, though the learned map may use it a little.
_SPOKEN = 0.15


def _together(read: Sequence[Expectation]) -> Expectation:
    """What several texts of one class make expect."""
    if len(read) == 1:
        return read[0]
    best = max(reversed(read), key=lambda one: one.sure)  # of equals the first text, which is last
    return replace(best, values=np.mean([one.values for one in read], axis=0))


class Measured:
    """One stored model with one text encoder; texts that were read are kept.

    motion: the file of a motion encoder, which then ranks too. Raises FloraError if a file is damaged, or if clips are
    prepared in another way now than the motion encoder's were.
    """

    def __init__(self, path: Path, encoder: TextEncoder, motion: Path | None = None) -> None:
        self.model = load_descriptor_model(path)
        self._motion = None if motion is None else load_motion_encoder(motion)
        if self._motion is not None:
            if not agrees(tuple(self._motion.fingerprint), preparation(PREPARATION).fingerprint):
                raise FloraError(
                    f"this motion encoder was trained on clips of another version of the preparation “{PREPARATION}”",
                    path=motion,
                    remedy="Use the program version that trained it, or train again.",
                )
            odds = self._motion.odds
            self.model = self.model.calibrated(float(self._motion.temperature), (float(odds[0]), float(odds[1])))
        self._encoder, self._reader = encoder, Reader(users_lexicon(), encoder)
        self._reader.prepare()
        self._last: tuple[tuple[ClassText, ...], list[Expectation], tuple[Floats, Floats]] | None = None

    @property
    def width(self) -> int:
        """Of a row of `describe`: D, the number of descriptors, or 2 D with a motion encoder."""
        return len(self.model.mean) * (1 if self._motion is None else 2)

    def describe(self, sequences: Sequence[SkeletonSequence]) -> Floats:
        """z (N, D) of recordings, finite; beside it what the motion encoder expects (N, D), if there is one."""
        z = self.model.standardise(measure_all(sequences))
        if self._motion is None:
            return z
        how, frames = preparation(PREPARATION), int(self._motion.frames)
        clips = np.stack([how(sequence, frames) for sequence in sequences])
        return np.concatenate([z, self._motion.expected(clips)], axis=1)

    def prepare(self, texts: Sequence[ClassText]) -> None:
        """Encode and read these texts; what was read is kept."""
        every = [one for text in texts for one in text.versions]
        self._reader.read_all(every)
        text_vectors(self._encoder, [text.motion for text in every])

    def read(self, texts: Sequence[ClassText]) -> list[Expectation]:
        """What each text makes expect."""
        return self._understood(texts)[0]

    def directions(self, texts: Sequence[ClassText]) -> tuple[Floats, Floats]:
        """(K, width) and (K,): the score of an action is row·direction + offset, for a row of `describe`."""
        return self._understood(texts)[1]

    def _understood(self, texts: Sequence[ClassText]) -> tuple[list[Expectation], tuple[Floats, Floats]]:
        """Expectations and directions; those of the last texts are kept, for thousands of windows ask for the same.

        Of several texts for one class these are means; how well it was understood is said by the one that was best.
        """
        key = tuple(texts)
        if self._last is None or self._last[0] != key:
            every = [one for text in texts for one in text.versions]
            read = self._reader.read_all(every)
            vectors = text_vectors(self._encoder, [text.motion for text in every])
            weight, offset = self._directions(np.stack([one.values for one in read]), vectors)
            ends = np.cumsum([len(text.versions) for text in texts]).tolist()
            groups = [slice(end - len(text.versions), end) for text, end in zip(texts, ends, strict=True)]
            if len(every) > len(texts):
                weight, offset = (np.stack([part[g].mean(axis=0) for g in groups]) for part in (weight, offset))
            self._last = (key, [_together(read[group]) for group in groups], (weight, offset))
        return self._last[1], self._last[2]

    def _directions(self, expected: Floats, vectors: Floats) -> tuple[Floats, Floats]:
        weight, offset = self.model.directions(expected, vectors)
        if self._motion is None:
            return weight, offset
        of_descriptors, of_motion, less = self._motion.directions(expected)
        return np.concatenate([weight + of_descriptors, of_motion], axis=1), offset + less

    def scores(self, z: Floats, texts: Sequence[ClassText]) -> Floats:
        """(N, K), larger is better."""
        weight, offset = self.directions(texts)
        return np.asarray(z @ weight.T + offset)

    @cached_property
    def _rivals(self) -> tuple[Floats, Floats]:
        """Directions (E, D) and offsets (E,) of all actions of the lexicon."""
        return self._directions(*self._reader.actions())

    def none_of_these(self, z: Floats, scores: Floats) -> Floats:
        """(N,): the probability that none of the actions happens whose `scores` (N, K) are given."""
        weight, offset = self._rivals
        return self.model.none_of_these(scores, z @ weight.T + offset)

    def reasons(self, sequence: SkeletonSequence, texts: Sequence[ClassText]) -> list[tuple[Reason, ...]]:
        """Per text, the measurements that spoke most for it and then those most against it, strongest first."""
        found = analyse(sequence)
        ranks = np.nan_to_num(Pool(self.model.quantiles).scores(found.values))
        z = self.model.standardise(found.values[None])[0]
        weight, _ = self.directions(texts)
        descriptors = list(catalogue().values())
        every = []
        for direction, expected in zip(weight[:, : len(z)], self.read(texts), strict=True):
            share = np.where(np.abs(expected.values) > _SPOKEN, direction * z, 0.0)
            order = np.argsort(-share, kind="stable")
            chosen = [d for d in order[:REASONS] if share[d] > 0] + [d for d in order[::-1][:REASONS] if share[d] < 0]
            reasons = []
            for d in chosen:
                moment = found.moment(descriptors[d])
                said = say(descriptors[d], float(found.values[d]), float(ranks[d]), moment)
                where = (moment.start, moment.end, moment.joints)
                reasons.append(Reason(descriptors[d].name, said, float(share[d]), *where))
            every.append(tuple(reasons))
        return every
