"""How long the timeline of a long synthetic recording takes with the built-in model, and how good it is.

    OMP_NUM_THREADS=2 python benchmarks/timeline.py [--minutes 10] [--persons 2] [--alone] [--costs 0.5]

Takes of ten synthetic one-person actions stand in random order until the recording is long enough. The seconds are
those of the whole timeline (all windows, Viterbi, segments); the first pieces are those of the first event. --costs
compares several costs of a change on the scores of one run, to choose the default on synthetic streams alone. Features
are made anew each time; --kept FOLDER keeps them there, for a second run to find.
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from flora_engine.demo import ACTIONS, synthesise_stream
from flora_engine.evaluation.segments import segment_measures
from flora_engine.jobs import Event, Job
from flora_engine.labelling.bundle import BUILTIN
from flora_engine.labelling.features import feature_cache
from flora_engine.labelling.labeller import Labeller
from flora_engine.labelling.segments import Segment
from flora_engine.labelling.smoothing import emissions, segments_of, viterbi, without_short
from flora_engine.labelling.spreading import spread_for
from flora_engine.labelling.timeline import Options, Timeline, timeline, usual_seconds
from flora_engine.resources import cache_folder
from flora_engine.semantics.class_texts import parse_typed, with_known_texts
from flora_engine.semantics.text_encoder import prepare_text_encoder
from flora_engine.skeleton import SkeletonSequence

CHOSEN = (0, 2, 3, 5, 6, 10, 11, 12, 15, 17)  # wave, drink, sit, squat, jump, kick, bow, clap, throw, phone


def stream(minutes: float, seed: int) -> tuple[SkeletonSequence, list[Segment]]:
    """A recording of about so many minutes and its true segments."""
    random = np.random.default_rng(seed)
    actions = [int(random.choice(CHOSEN)) for _ in range(max(1, round(minutes * 60 / 2.8)))]
    sequence, truth = synthesise_stream(actions, seed=seed)
    return sequence, [Segment(*one) for one in truth]


def again(found: Timeline, cost: float) -> list[Segment]:
    """The segments of a finished timeline with another cost."""
    cells, seconds = len(found.scores), found.step / found.annotation.fps
    evidence = emissions(found.scores, np.full(cells, np.nan), np.zeros(cells, bool), seconds)
    path = without_short(viterbi(evidence, cost), evidence, round(Options().least_seconds / seconds))
    return list(segments_of(path, found.scores, found.names, found.step, found.annotation.frames))


def processor_time() -> float:
    """Seconds of this process and of its children that have ended."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def shown(measures: dict[str, float]) -> str:
    """Some of the measures in one line."""
    return ", ".join(f"{k} {measures[k]:.3f}" for k in ("mAP@0.5", "frame_accuracy", "edit", "F1@10", "F1@50"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--model", type=Path, default=BUILTIN)
    parser.add_argument("--costs", type=float, nargs="*", default=[])
    parser.add_argument("--hop", type=float, default=Options().hop)
    parser.add_argument("--alone", action="store_true", help="in one process")
    parser.add_argument("--persons", type=int, default=1, choices=(1, 2))
    parser.add_argument("--background", action="store_true")
    parser.add_argument("--kept", type=Path, help="a folder for features (see FLORA_CACHE)")
    parser.add_argument("--seed", type=int, default=1000)
    arguments = parser.parse_args()
    if arguments.kept is None:
        os.environ["FLORA_CACHE_MB"] = "0"
    else:
        prepare_text_encoder(Job())
        kept = arguments.kept / "text-encoders"
        if not kept.exists() and (cache_folder() / "text-encoders").is_dir():
            arguments.kept.mkdir(parents=True, exist_ok=True)
            kept.symlink_to(cache_folder() / "text-encoders", target_is_directory=True)
        os.environ["FLORA_CACHE"] = str(arguments.kept)
    sequence, truth = stream(arguments.minutes, arguments.seed)
    if arguments.persons == 2:  # the same motion beside it: as much to measure
        beside = sequence.joints + np.array([1, 0, 0], np.float32)
        sequence = replace(sequence, joints=np.concatenate([sequence.joints, beside], axis=1))
    texts = with_known_texts(parse_typed("; ".join(ACTIONS[i].name for i in CHOSEN)))
    options = Options(hop=arguments.hop, background=arguments.background)
    labeller = Labeller(arguments.model, features=feature_cache())
    labeller.label(sequence, texts)  # the texts are encoded once per session
    firsts: list[float] = []
    start, used = time.perf_counter(), processor_time()

    def listen(event: Event) -> None:
        if event["kind"] == "segments":
            firsts.append(time.perf_counter() - start)

    job = Job(listen)
    spread = None if arguments.alone else spread_for(job, arguments.model, sequence)
    found = timeline(job, labeller, sequence, texts, options, usual_seconds(texts), spread)
    seconds, processor = time.perf_counter() - start, processor_time() - used
    windows = sum(len(lane.scores) for lane in found.lanes)
    print(
        f"{sequence.seconds / 60:.1f} minutes, {sequence.frames} frames, {len(texts)} actions, {windows} windows of "
        f"{', '.join(f'{lane.scale.seconds:g}' for lane in found.lanes)} s; load {os.getloadavg()[0]:.0f}"
    )
    print(
        f"whole timeline {seconds:.1f} s ({processor:.1f} s of processor), first pieces after {firsts[0]:.2f} s, "
        f"{1000 * seconds / windows:.2f} ms per window"
    )
    own = segment_measures(found.annotation.segments, truth, sequence.frames)
    print(f"true segments {len(truth)}, found {len(found.annotation.segments)}: {shown(own)}")
    for cost in arguments.costs:
        segments = again(found, cost)
        measures = segment_measures(segments, truth, sequence.frames)
        print(f"cost {cost:g}, no background: {len(segments)} segments, {shown(measures)}")


if __name__ == "__main__":
    main()
