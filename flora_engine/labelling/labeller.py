"""Rank actions in the user's own words for a recording, on ONNX Runtime alone."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flora_engine.array_cache import ArrayCache
from flora_engine.errors import FloraError
from flora_engine.inference import load_session
from flora_engine.labelling.bundle import BUILTIN, CORRECTIONS, DESCRIPTORS, DIRECT, MOTION, graphs_of, load_manifest
from flora_engine.labelling.features import KeptFeatures
from flora_engine.labelling.measured import Measured
from flora_engine.labelling.ranking import RankedLabel, Ranking, Reason
from flora_engine.labelling.teaching import TaughtRanker, load_taught, taught_rankings
from flora_engine.semantics.attunement import attune
from flora_engine.semantics.class_texts import ClassText, class_vectors, several_states
from flora_engine.semantics.text_encoder import TextEncoder, load_text_encoder
from flora_engine.skeleton import SkeletonSequence

Floats = NDArray[np.float32]
_CANDIDATES_AT_ONCE = 64


class Labeller:
    """A loaded bundle. Methods may be called from any thread, one at a time inside.

    threads: of ONNX Runtime; None for as many as it likes. features: where what was made of recordings is kept.
    Raises FloraError if the bundle is missing, or if its text encoder or its preparation is missing or not the one that
    it was trained with.
    """

    def __init__(
        self, folder: Path = BUILTIN, *, threads: int | None = None, features: ArrayCache | None = None
    ) -> None:
        self.folder = folder
        self.manifest = load_manifest(folder)
        self._lock = threading.RLock()
        how = self.manifest.preparation
        self._prepare = None if how is None else how.matching(folder)
        self._encoder = self._matching_text_encoder()
        added = self.manifest.descriptors
        graphs = graphs_of(self.manifest)
        self._graphs = {name: load_session(folder / name, threads=threads, cuda=True) for name in graphs}
        motion = folder / MOTION if MOTION in self.manifest.files else None
        self._measured = None if added is None else Measured(folder / DESCRIPTORS, self._encoder, motion)
        self._features = None if features is None else KeptFeatures(folder, features)
        self._taught: TaughtRanker | None = None
        self._spaces: tuple[int, ...] = ()
        self._states: dict[ClassText, Floats] = {}
        self._last_text: tuple[list[ClassText], Floats] = ([], np.empty(0, np.float32))
        self._seen = [ClassText(c.name, c.motion, c.definition, c.more) for c in self.manifest.seen_classes]
        if self.manifest.corrections:
            self._taught = TaughtRanker(_Untaught(self), load_taught(folder / CORRECTIONS))

    def _matching_text_encoder(self) -> TextEncoder:
        wanted = self.manifest.text_encoder
        encoder = load_text_encoder(wanted.name)
        if encoder.sha256 != wanted.sha256:
            raise FloraError(
                f"this model was trained with another text encoder than the installed “{wanted.name}”",
                path=self.folder,
                remedy="Install the version it names, or train again.",
            )
        return encoder

    def _run(self, graph: str, **inputs: Floats) -> Floats:
        result: Floats = self._graphs[f"{graph}.onnx"].run(None, inputs)[0]
        return result

    def latents(self, sequences: list[SkeletonSequence]) -> tuple[Floats, dict[str, float]]:
        """What `rank` needs of recordings, (N, …), and the seconds of preparing and encoding them.

        Skeleton latents (N, H), the vectors in text space of an ensemble (N, 2d), and the standardised descriptors of a
        bundle that has them (N, D), as far as the bundle uses each.
        """
        seconds = {"prepare": 0.0, "encode": 0.0}

        def make(new: list[SkeletonSequence]) -> list[Floats]:
            parts, spent = self._encoded(new)
            seconds.update(spent)
            return parts

        start = time.perf_counter()
        parts = make(sequences) if self._features is None else self._features.parts(sequences, make)
        seconds["prepare"] += time.perf_counter() - start - sum(seconds.values())
        self._spaces = tuple(part.shape[1] for part in parts)
        return np.concatenate(parts, axis=1), seconds

    def _encoded(self, sequences: list[SkeletonSequence]) -> tuple[list[Floats], dict[str, float]]:
        """The parts of `latents`, made anew."""
        start = time.perf_counter()
        how, prepare, parts = self.manifest.preparation, self._prepare, []
        if self._graphs:
            assert how is not None and prepare is not None
            joints = np.stack([prepare(sequence, how.frames)[..., : how.persons] for sequence in sequences])
        if self._measured is not None:
            measured = self._measured.describe(sequences)
        prepared = time.perf_counter()
        if self._graphs:
            with self._lock:
                feature = self._run("skeleton_encoder", joints=joints)
                parts.append(self._run("skeleton_to_latent", feature=feature))
                if DIRECT in self._graphs:
                    parts.append(self._run("skeleton_to_text", feature=feature))
        if self._measured is not None:
            parts.append(measured.astype(np.float32))
        return parts, {"prepare": prepared - start, "encode": time.perf_counter() - prepared}

    @property
    def spaces(self) -> tuple[int, ...]:
        """The widths of the parts of a row of `latents`, in their order; empty before the first one is made."""
        return self._spaces

    def _class_states(self, texts: list[ClassText]) -> Floats:
        """(K, T, 2d) as in training; each class is encoded once and kept."""
        new = [text for text in dict.fromkeys(texts) if text not in self._states]
        if new:
            how = self.manifest.text_encoder
            states = several_states(self._encoder, new, how.tokens, how.kept)
            self._states.update(zip(new, states, strict=True))
        return np.stack([self._states[text] for text in texts])

    def _text_latents(self, texts: list[ClassText]) -> Floats:
        """(K, T, H): attuned over the candidates and the classes of training, as in training.

        The last ones are kept: a folder is ranked against one list.
        """
        if self._last_text[0] == texts:
            return self._last_text[1]
        names = {text.name.casefold() for text in texts}
        others = [text for text in self._seen if text.name.casefold() not in names]
        how = self.manifest.attunement
        assert how is not None
        states = attune(self._class_states([*texts, *others]), how.neighbours, how.weight)[: len(texts)]
        latents = self._run("text_to_latent", states=np.ascontiguousarray(states))
        self._last_text = (list(texts), latents)
        return latents

    def prepare_texts(self, texts: list[ClassText]) -> None:
        """Encode and read texts now; a ranking then needs no more of them. So a long list can be read in pieces."""
        with self._lock:
            if self._measured is not None:
                self._measured.prepare(texts)
            if self._graphs:
                self._class_states(texts)

    def rank(self, latents: Floats, texts: list[ClassText]) -> list[Ranking]:
        """One ranking for each row of `latents`, as the method of that name gives them, over the K candidate `texts`;
        raises FloraError without any. Corrections that came with the bundle have their say.
        """
        ranked = self.rank_untaught(latents, texts)
        return ranked if self._taught is None else taught_rankings(self._taught, ranked, latents, texts)

    def rank_untaught(self, latents: Floats, texts: list[ClassText]) -> list[Ranking]:
        """As `rank`, without corrections."""
        if not texts:
            raise FloraError("no action to rank", remedy="Type at least one action.")
        start = time.perf_counter()
        width = 0 if self._measured is None else self._measured.width
        with self._lock:
            if self._measured is not None:
                self._measured.read(texts)
            text = self._text_latents(texts) if self._graphs else None
            worded = time.perf_counter()
            mine, z = np.split(latents, [latents.shape[1] - width], axis=1)
            logits, errors = np.zeros((len(latents), len(texts))), None
            if text is not None:
                logits, errors = self._by_graphs(mine, text, texts)
            found = self._added(logits, z.astype(np.float64), texts)
        seconds = {"text": worded - start, "score": time.perf_counter() - worded}
        rows = [None] * len(latents) if errors is None else list(errors)
        return [self._ranking(*row, texts, seconds) for row in zip(*found, rows, strict=True)]

    def _by_graphs(self, latents: Floats, text: Floats, texts: list[ClassText]) -> tuple[NDArray[np.float64], Floats]:
        """Logits and Flora's errors, (N, K) each."""
        skeleton, direct = np.split(latents, [text.shape[2]], axis=1)
        errors = np.concatenate(
            [
                self._run("scorer", text=text[i : i + _CANDIDATES_AT_ONCE], skeleton=skeleton)
                for i in range(0, len(texts), _CANDIDATES_AT_ONCE)
            ],
            axis=1,
        )
        surprises = np.log(np.maximum(errors.astype(np.float64), 1e-30))
        if DIRECT in self._graphs:
            surprises -= direct @ class_vectors(self._class_states(texts)).T
        assert self.manifest.decision is not None
        return -surprises / self.manifest.decision.temperature, errors

    def _added(
        self, logits: NDArray[np.float64], z: NDArray[np.float64], texts: list[ClassText]
    ) -> tuple[NDArray[np.float64], list[float | None]]:
        """Logits (N, K) with the descriptors' added, and the probability of none of the texts."""
        if self._measured is None or self.manifest.descriptors is None:
            return logits, [None] * len(logits)
        scores, model = self._measured.scores(z, texts), self._measured.model
        none: list[float | None] = [float(p) for p in self._measured.none_of_these(z, scores)]
        how = self.manifest.descriptors
        return how.graphs * logits + how.descriptors * scores / float(model.temperature), none

    def _ranking(
        self,
        logits: NDArray[np.float64],
        none: float | None,
        errors: Floats | None,
        texts: list[ClassText],
        seconds: dict[str, float],
    ) -> Ranking:
        fit = np.exp(logits - logits.max())
        scores = fit / fit.sum()
        read = None if self._measured is None else self._measured.read(texts)
        labels = tuple(
            RankedLabel(
                texts[i].name,
                float(scores[i]),
                None if errors is None else float(errors[i]),
                None if read is None else read[i].sure,
                None if read is None else read[i].notice,
            )
            for i in np.argsort(-logits, kind="stable")
        )
        return Ranking(labels, seconds, none)

    def reasons(self, sequence: SkeletonSequence, texts: list[ClassText]) -> list[tuple[Reason, ...]]:
        """Per text, what spoke most for it in this recording, then what spoke most against it, strongest first; nothing
        if the bundle has no descriptors.
        """
        if self._measured is None:
            return [() for _ in texts]
        with self._lock:
            return self._measured.reasons(sequence, texts)

    def explain(self, sequence: SkeletonSequence, texts: list[ClassText], ranking: Ranking) -> Ranking:
        """The ranking of these texts for this recording, with the reasons of every label (none without descriptors)."""
        why = {text.name: found for text, found in zip(texts, self.reasons(sequence, texts), strict=True)}
        return replace(ranking, labels=tuple(replace(label, why=why[label.name]) for label in ranking.labels))

    def label(self, sequence: SkeletonSequence, texts: list[ClassText], *, why: bool = False) -> Ranking:
        """Rank `texts` for one recording, with reasons if `why`.

        Raises FloraError if it cannot be prepared or there is no text.
        """
        latents, seconds = self.latents([sequence])
        ranking = self.rank(latents, texts)[0]
        ranking = replace(ranking, timings={**seconds, **ranking.timings})
        return self.explain(sequence, texts, ranking) if why else ranking


class _Untaught:
    """A labeller without the corrections of its bundle."""

    def __init__(self, labeller: Labeller) -> None:
        self._labeller = labeller
        self.latents, self.explain = labeller.latents, labeller.explain
        self.rank = labeller.rank_untaught

    @property
    def spaces(self) -> tuple[int, ...]:
        return self._labeller.spaces
