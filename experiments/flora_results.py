"""All heads, protocols, seeds, low-shot shares and ablations on feature files: one JSON file and Markdown tables.

    python experiments/flora_results.py --dataset utd_mhad --split a=features-seed{seed}.npz,2+8+14+21+24 [--split …]
        --out results [--workers 2] [--hidden 192] [--learning-rate 1e-4] [--tokens-per-step 2] [--align 800]
        [--total 1600] [--evaluations 4] [--minutes 25]

A split is NAME=FEATURES.npz,UNSEEN (unified feature file; unseen classes joined by +). With `{seed}` in the file's name
each seed has an encoder of its own, as seeded_features.py makes them. The texts are the program's own of --dataset at
L = --tokens; NAME=FEATURES.npz,STATES.npy,UNSEEN brings class states (K, L+1, 2d) instead.

Heads that read descriptors find them in SPLIT-descriptors.npz beside the features (seeded_features.py writes it); for
`descriptors` by itself the same file may be named as the features. Heads that attend to local features find them in
FEATURES-local.npz, likewise; --no-local lets them do without.

Cells are processes of one thread each, --workers at a time, the most wanted first: the choices of every head on
held-out folds, held-out with every seed, the published protocol, low-shot, ablations. OUT.json grows with each; started
again with the same options, cells that are done are skipped; the tables have a dash for what --minutes did not suffice
for. So a head can be run alone: --heads NAME adds its cells to OUT. Run into another OUT, on another machine say, they
are added by --merge OTHER.json.

To be affordable on two cores, the folds choose once for each split, with the first seed and all samples, and score
Flora with like tokens merged (--selection-tokens; the test part is scored exactly).
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import signal
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from flora_tables import ABLATIONS, HEADS, TIMES, percent, tables, values_of

from flora_engine.config import FloraSettings
from flora_engine.evaluation.metrics import mean_and_error

KEY = ("split", "head", "protocol", "low_shot", "ablation", "seed")
DESCRIPTORS = "-descriptors.npz"  # ends the name of a file of descriptors; it may serve as the features of that head
Task = dict[str, Any]


# ---------------------------------------------------------------------------------------- in the processes of the cells


def experiment_of(task: Task) -> Any:
    import torch

    from flora_engine.datasets.published_files import read_features
    from flora_engine.evaluation.protocols import Experiment, local_by, low_shot

    torch.set_num_threads(1 if task["device"] == "cpu" else torch.get_num_threads())
    path = Path(task["features"].format(seed=task["seed"]))
    features = read_features(path, gaps=path.name.endswith(DESCRIPTORS))
    beside = path.with_name(f"{path.stem}-local.npz")
    local = read_features(beside) if task["local"] and beside.is_file() else None
    if task["low_shot"]:
        features, local = (one and low_shot(one, task["low_shot"]) for one in (features, local))
    states, parts = (np.load(task[name], allow_pickle=False) if task[name] else None for name in ("states", "parts"))
    unseen = np.unique(task["unseen"])
    return Experiment(
        *(features, states, unseen, task["device"], parts, described_of(task)), local=local_by(local, features)
    )


def described_of(task: Task) -> Any:
    """Descriptors of the split's recordings (SPLIT-descriptors.npz beside the features) and what the texts make expect;
    None if there is no such file.
    """
    from flora_engine.datasets.published_files import read_features
    from flora_engine.descriptors import load_pool
    from flora_engine.evaluation.protocols import Described, low_shot

    path = Path(task["features"]).with_name(f"{task['split']}{DESCRIPTORS}")
    if not path.is_file() or task["expectations"] is None:
        return None
    values = read_features(path, gaps=True)
    if task["low_shot"]:
        values = low_shot(values, task["low_shot"])
    pool = None if task["pool"] is None else load_pool(Path(task["pool"]))
    return Described(values, np.load(task["expectations"], allow_pickle=False), pool)


def fold_pieces(task: Task) -> Task:
    """One choice of a head on all folds, remembered below OUT.pieces."""
    from flora_engine.evaluation.selection import make_folds, piece_name, trainings, try_fold
    from flora_engine.heads import head
    from flora_engine.jobs import Job
    from flora_engine.runs.progress import Memory

    started = time.monotonic()
    experiment, settings = experiment_of(task), FloraSettings(**task["settings"])
    name, number = task["head"], task["choice"]
    module = head(name)
    for f, fold in enumerate(make_folds(experiment.read_by(name).problem(0), settings)):
        work = partial(try_fold, Job(), module, fold, trainings(module, settings)[number], settings)
        Memory(Path(task["pieces"])).recall(piece_name(name, number, f, len(trainings(module, settings)[number])), work)
    return {"seconds": time.monotonic() - started}


def picks_of(task: Task) -> Any:
    """What the folds chose for a head; all pieces are there."""
    from flora_engine.evaluation.selection import select
    from flora_engine.jobs import Job
    from flora_engine.runs.progress import Memory

    settings = FloraSettings(**task["settings"])
    problem = experiment_of(task).read_by(task["head"]).problem(0)
    return select(Job(), task["head"], problem, settings, -math.log(settings.calibration), Memory(Path(task["pieces"])))


def cell(task: Task) -> Task:
    """One head on one split under one protocol with one seed."""
    from flora_engine.evaluation.protocols import evaluate_zsl, run_protocol
    from flora_engine.heads.flora import FlowScorer
    from flora_engine.jobs import Job

    started = time.monotonic()
    experiment, settings = experiment_of(task), FloraSettings(**task["settings"])
    times: dict[str, float] = {}

    def keep(seed: int, setting: str, model: Any) -> None:
        if task["head"] == "flora" and setting == "zsl" and task["ablation"] == "full" and not task["low_shot"]:
            for t in TIMES:
                scorer = FlowScorer(replace(model, decision_time=t))
                times[str(t)] = evaluate_zsl(scorer, experiment)["accuracy"]

    if task["head"] == "plain":
        outcome = plain_cell(experiment, settings)
    else:
        wanted = ("zsl",) if task["ablation"] != "full" else ("zsl", "gzsl")
        outcome = run_protocol(
            Job(), task["head"], experiment, settings, task["protocol"], wanted, keep, picks=task.get("picks")
        )
    for part in ("zsl", "gzsl", "nearest_aligned"):
        outcome.get(part, {}).pop("confusion", None)
    kept = {key: task[key] for key in KEY}
    return {**kept, "outcome": outcome, "times": times, "seconds": time.monotonic() - started}


def plain_cell(experiment: Any, settings: FloraSettings) -> dict[str, Any]:
    """The plain version with the published attunement, no selection: each of its evaluations (ZSL)."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "reference"))
    import flora_plain as plain

    from flora_engine.heads.learning.model import FloraModel
    from flora_engine.semantics.attunement import attune

    values: dict[int, list[float]] = {}
    attunement = (settings.neighbours, settings.weight_zsl)
    attuned = attune(experiment.states, *attunement)
    for seed in settings.seeds:
        problem = experiment.problem(seed)

        def watch(number: int, network: Any) -> None:
            model = FloraModel(network, attuned, *attunement, settings.decision_time, settings.sigma_min)
            chosen = model.errors(experiment.features.zsl_data, experiment.unseen).argmin(axis=1)
            right = experiment.unseen[chosen] == experiment.features.zsl_label
            values.setdefault(number, []).append(float(right.mean()))

        plain.train(settings, problem.data, problem.labels, problem.states, attunement, seed, experiment.device, watch)
    every = {number: mean_and_error(found) for number, found in values.items()}
    return {"zsl": {"accuracy": every[max(every)], "by_evaluation": every}}


# ----------------------------------------------------------------------------------------------------------- the cells


def settle(given: argparse.Namespace) -> None:
    """Give a smaller command the options that it does not offer, as docs/results.md has them for few recordings."""
    settings = {"tokens_per_step": 2, "evaluations": 4, "align": 800, "total": 1600, "learning_rate": 1e-4}
    settings |= {"published_training": "fast", "device": "cpu", "selection_tokens": 8}
    for option, one in {**settings, "no_local": True, "pool": None, "without_own_names": False}.items():
        setattr(given, option, one)


def splits_of(given: argparse.Namespace) -> list[Task]:
    """Name, features, states and unseen classes of each split, and the settings that all cells share."""
    settings = {
        **{"hidden": given.hidden, "tokens_per_step": given.tokens_per_step, "evaluations": given.evaluations},
        **{"align_iterations": given.align, "total_iterations": given.total, "folds": given.folds},
        **{"validation_classes": given.validation, "learning_rate": given.learning_rate},
        **{"published_training": given.published_training},
    }
    if given.attunements:
        settings["attunements"] = [
            (int(k), float(w)) for k, _, w in (text.partition(":") for text in given.attunements)
        ]
    found = []
    for text in given.split:
        name, _, rest = text.partition("=")
        features, *given_states, unseen = rest.split(",")
        states, parts = (given_states[0], None) if given_states else own_texts(given)
        found.append(
            {
                **{"split": name, "features": features, "states": states, "parts": parts},
                **{"unseen": [int(c) for c in unseen.split("+")], "device": given.device, "settings": settings},
                **{"low_shot": 0.0, "ablation": "full", "seed": 0, "protocol": "held-out", "head": "flora"},
                "pieces": f"{given.out}.pieces/{name}",
                "expectations": None if given_states else own_expectations(given),
                "local": not given.no_local,
                "pool": None if given.pool is None else str(given.pool),
            }
        )
    return found


def own_texts(given: argparse.Namespace) -> tuple[str, str]:
    """The class states of our own texts of --dataset and the parts of these texts, made once."""
    if given.dataset is None:
        raise SystemExit("give --dataset, or class states in each --split")
    ending = f"{given.dataset}-{given.tokens}.npy"
    states, parts = (given.out.with_name(f"{given.out.name}.{name}-{ending}") for name in ("states", "parts"))
    if not (states.exists() and parts.exists()):
        from flora_engine.semantics.class_parts import class_parts
        from flora_engine.semantics.class_texts import class_states, load_class_texts
        from flora_engine.semantics.text_encoder import load_text_encoder

        states.parent.mkdir(parents=True, exist_ok=True)
        encoder, texts = load_text_encoder(), load_class_texts(given.dataset)
        np.save(states, class_states(encoder, texts, given.tokens))
        np.save(parts, class_parts(encoder, texts, given.tokens))
    return str(states), str(parts)


def own_expectations(given: argparse.Namespace) -> str:
    """What our own texts of --dataset make expect of descriptors, made once."""
    path = given.out.with_name(f"{given.out.name}.expectations-{given.dataset}.npy")
    if not path.exists():
        from flora_engine.semantics.class_texts import load_class_texts
        from flora_engine.semantics.expectations import Reader
        from flora_engine.semantics.lexicon import load_lexicon
        from flora_engine.semantics.text_encoder import load_text_encoder

        texts, lexicon = load_class_texts(given.dataset), load_lexicon()
        if given.without_own_names:
            lexicon = lexicon.without([text.name for text in texts])
        read = Reader(lexicon, load_text_encoder()).read_all(texts)
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, np.stack([one.values for one in read]))
    return str(path)


def fold_tasks(splits: list[Task], given: argparse.Namespace) -> list[Task]:
    """A task for every choice of every head on every split."""
    from flora_engine.evaluation.selection import trainings
    from flora_engine.heads import head

    merged = {"scoring_tokens": given.selection_tokens}
    tasks = [{**one, "head": name, "settings": {**one["settings"], **merged}} for name in given.heads for one in splits]
    return [
        {**one, "choice": c}
        for one in tasks
        for c in range(len(trainings(head(one["head"]), FloraSettings(**one["settings"]))))
    ]


def ablated(name: str, pick: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """(settings that differ, choice) of an ablation of what the folds chose for ZSL."""
    if name == "contrast off":
        return {"contrast_weight": 0.0}, dict(pick.choice)
    k = 0 if name == "attunement off" else int(name[-1])
    return {}, {"neighbours": k, "weight": 0.0 if k == 0 else pick.choice["weight"] or 0.4}


def cells(splits: list[Task], picks: dict[tuple[str, str], Any], given: argparse.Namespace) -> list[Task]:
    """All cells, the most wanted first: one for each split, head, protocol, share, ablation and seed."""
    found: list[Task] = []

    def add(seeds: int, heads: list[str], **changed: Any) -> None:
        for seed in range(seeds):
            for name in heads:
                for one in splits:
                    settings = {**one["settings"], "seeds": (seed,)}
                    chosen = picks[one["split"], name]
                    found.append({**one, "head": name, "seed": seed, "settings": settings, "picks": chosen, **changed})

    add(given.seeds, given.heads)
    add(given.published_seeds, given.heads, protocol="published")
    if given.plain:
        settings = {"seeds": tuple(range(given.seeds))}
        found += [
            {**one, "head": "plain", "protocol": "-", "settings": {**one["settings"], **settings}} for one in splits
        ]
    if given.quick:
        return found
    for low in (0.1, 0.01):
        if low == 0.1 or not all(same_low_shot(one) for one in splits):  # one sample a class either way
            add(given.low_shot_seeds, given.heads, low_shot=low)
    for name in ABLATIONS if "flora" in given.heads else ():
        start = len(found)
        add(given.ablation_seeds, ["flora"], ablation=name)
        for task in found[start:]:
            pick = task["picks"]["zsl"]
            settings, choice = ablated(name, pick)
            task["picks"] = {**task["picks"], "zsl": replace(pick, choice=choice)}
            task["settings"] = {**task["settings"], **settings}
            task["is_full"] = not settings and choice == dict(pick.choice)
    first = next((place for place, one in enumerate(found) if one["low_shot"]), len(found))
    return found[:first] + sorted(found[first:], key=lambda one: one["seed"])  # a seed of everything, then the next


def same_as_full(task: Task, done: list[Task]) -> Task | None:
    """The result of an ablation that takes away what the folds did not choose: that of the full method."""
    full = {key: task[key] for key in KEY} | {"ablation": "full"}
    same = [one for one in done if task.get("is_full") and all(one[key] == full[key] for key in KEY)]
    return {**same[0], "ablation": task["ablation"]} if same else None


def same_low_shot(one: Task) -> bool:
    """Whether 10 % and 1 % leave equally many samples of each class."""
    with np.load(one["features"].format(seed=0), allow_pickle=False) as arrays:
        counts = np.unique(arrays["train_label"], return_counts=True)[1]
    return all(max(1, int(0.1 * n)) == max(1, int(0.01 * n)) for n in counts)


def key_of(task: Task) -> tuple[Any, ...]:
    return tuple(task[key] for key in KEY)


# ------------------------------------------------------------------------------------------------------------- running


def run_all(pool: ProcessPoolExecutor, work: Callable[[Task], Task], tasks: list[Task], end: float) -> Any:
    """(task, result) pairs as they come; TimeoutError when the time is over."""
    running = {pool.submit(work, task): task for task in tasks}
    for future in as_completed(running, timeout=max(0.0, end - time.monotonic())):
        yield running[future], future.result()


def fill(given: argparse.Namespace, splits: list[Task], done: list[Task], end: float) -> int:
    """Compute what is missing into `done` and OUT.json; returns how many cells there are in all (0: not known yet)."""
    pool = ProcessPoolExecutor(given.workers, mp_context=multiprocessing.get_context("spawn"))
    total = 0
    try:
        folds = fold_tasks(splits, given)
        for task, result in run_all(pool, fold_pieces, folds, end):
            print(f"folds of {task['split']}, {task['head']} {task['choice']}: {result['seconds']:.0f} s", flush=True)
        picks = {(one["split"], one["head"]): picks_of(one) for one in folds if one["choice"] == 0}
        for (split, name), pick in picks.items():
            print(
                f"{split}, {name} chose "
                + ", ".join(f"{k}: {dict(p.choice)} × {p.evaluations}" for k, p in pick.items())
            )
        wanted = cells(splits, picks, given)
        total, known = len(wanted), {key_of(one) for one in done}
        order = {key_of(one): number for number, one in enumerate(wanted)}

        def keep(result: Task) -> None:
            done.append(result)
            done.sort(key=lambda one: order.get(key_of(one), total))
            write(given.out, splits, given, done)

        missing = [one for one in wanted if key_of(one) not in known]
        for task, result in run_all(pool, cell, [one for one in missing if not one.get("is_full")], end):
            keep(result)
            said = f"{task['head']:13s} {task['protocol']:9s} {task['low_shot']} {task['ablation']:15s}"
            accuracy = percent([values_of([result], "zsl", "accuracy")])
            print(f"{said} {task['split']} seed {task['seed']}: {accuracy}, {result['seconds']:.0f} s", flush=True)
        for task in missing:
            same = same_as_full(task, done)
            if same is not None:
                keep(same)
    except TimeoutError:
        print("time is over; the same command continues where this stopped")
    finally:
        for process in list((pool._processes or {}).values()):
            process.terminate()
        pool.shutdown(wait=False, cancel_futures=True)
    return total


def write(out: Path, splits: list[Task], given: argparse.Namespace, done: list[Task]) -> None:
    temporary = out.with_name(out.name + ".json.new")
    temporary.write_text(json.dumps({"options": options_of(given), "cells": done}))
    temporary.replace(out.with_name(out.name + ".json"))
    out.with_name(out.name + ".md").write_text(tables(done, [one["split"] for one in splits]))


def cells_of(files: list[Path], given: argparse.Namespace) -> list[Task]:
    """The cells of result files of the same options, each once; the last file counts."""
    found: dict[tuple[Any, ...], Task] = {}
    for file in files:
        content = json.loads(file.read_text())
        if content["options"] != options_of(given):
            raise SystemExit(f"{file} was made with other options; remove it and its .pieces, or choose another --out")
        found |= {key_of(one): one for one in content["cells"]}
    return list(found.values())


def options_of(given: argparse.Namespace) -> dict[str, Any]:
    """What cells depend on: a result file of other options is not continued."""
    names = (
        "split dataset tokens hidden align total evaluations tokens_per_step selection_tokens folds validation seeds "
        "attunements published_training learning_rate without_own_names no_local"
    )
    return {name: getattr(given, name) for name in names.split()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--split", action="append", required=True)
    parser.add_argument("--dataset", help="use our own texts of this data set")
    parser.add_argument("--tokens", type=int, default=32, help="L of these texts")
    parser.add_argument("--out", type=Path, required=True, help="writes OUT.json, OUT.md and OUT.pieces/")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--published-seeds", type=int, help="(default: as --seeds)")
    parser.add_argument("--low-shot-seeds", type=int, help="(default: as --seeds)")
    parser.add_argument("--ablation-seeds", type=int, default=2)
    parser.add_argument("--hidden", type=int, default=384)
    parser.add_argument("--align", type=int, default=800)
    parser.add_argument("--total", type=int, default=1600)
    parser.add_argument("--evaluations", type=int, default=4)
    parser.add_argument("--learning-rate", type=float, default=1e-4)
    parser.add_argument("--tokens-per-step", type=int, default=2)
    parser.add_argument("--selection-tokens", type=int, default=8, help="merge tokens when folds score; 0: exactly")
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--validation", type=int, default=5)
    parser.add_argument("--attunements", nargs="+", metavar="K:W", help="among which the folds choose, 0:0 2:0.4, say")
    parser.add_argument("--published-training", choices=("exact", "fast"), default="exact")
    parser.add_argument("--minutes", type=float, default=25.0)
    parser.add_argument("--heads", nargs="+", default=list(HEADS), choices=HEADS, metavar="HEAD", help="(default: all)")
    parser.add_argument("--merge", nargs="+", type=Path, default=[], help="cells of other OUT.json of the same options")
    parser.add_argument("--without-own-names", action="store_true", help="take the classes' names from the lexicon")
    parser.add_argument("--no-local", action="store_true", help="no head attends to local features")
    parser.add_argument("--pool", type=Path, help="of other sets (descriptor_pool.py --sets …), for few recordings")
    parser.add_argument("--plain", action="store_true", help="the plain version too, for the comparison of accuracy")
    parser.add_argument("--quick", action="store_true", help="no low-shot, no ablations")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the workers are ended too
    end = time.monotonic() + 60 * given.minutes
    for name in ("published_seeds", "low_shot_seeds"):
        setattr(given, name, given.seeds if getattr(given, name) is None else getattr(given, name))
    given.out.parent.mkdir(parents=True, exist_ok=True)
    file = given.out.with_name(given.out.name + ".json")
    done = cells_of([*given.merge, *([file] if file.exists() else [])], given)
    splits = splits_of(given)
    total = fill(given, splits, done, end)
    write(given.out, splits, given, done)
    print(tables(done, [one["split"] for one in splits]))
    print(f"{len(done)} of {total or 'unknown'} cells; wrote {file} and {given.out}.md")


if __name__ == "__main__":
    main()
