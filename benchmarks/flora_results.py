"""All heads, protocols, seeds, low-shot shares and ablations on feature files; one JSON and Markdown tables.

    python benchmarks/flora_results.py --split utd1=features.npz,states.npy,2+8+14+21+24 [--split …] --out results
        [--device cuda] [--workers 12] [--seeds 5] [--hidden 768] [--plain] [--heads …] [--quick]

A split is NAME=FEATURES.npz,STATES.npy,UNSEEN: unified feature file; class states (K, L+1, 2d); classes joined by +.
Every cell is a process of its own task, run `--workers` at a time: short trainings leave a GPU mostly idle, so a dozen
share one well. Unfinished cells are skipped when --minutes is over, and the tables say which are missing.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "reference"))

BASE = {"attunements": ((0, 0.0), (1, 0.3), (2, 0.4), (2, 1.0))}
# ablation -> settings that differ; "flow off" is the nearest aligned mean that every Flora cell reports
ABLATIONS: dict[str, dict[str, Any]] = {
    "full": {},
    "attunement off": {"attunements": ((0, 0.0),)},
    "contrast off": {"contrast_weight": 0.0},
    **{f"k = {k}": {"attunements": ((k, 0.1), (k, 0.4), (k, 1.0))} for k in (1, 2, 3)},
    **{f"t = {t}": {"decision_time": t} for t in (0.1, 0.3, 0.7, 0.9)},
}


def cell(task: dict[str, Any]) -> dict[str, Any]:
    """One head on one split under one protocol."""
    import torch

    from flora_engine.config import FloraSettings
    from flora_engine.datasets.features import Features
    from flora_engine.evaluation.protocols import Experiment, low_shot, run_protocol
    from flora_engine.jobs import Job

    torch.set_num_threads(1)
    with np.load(task["features"], allow_pickle=False) as arrays:
        features = Features(**{name: arrays[name] for name in Features.__dataclass_fields__})
    if task["low_shot"]:
        features = low_shot(features, task["low_shot"])
    states = np.load(task["states"], allow_pickle=False)
    settings = FloraSettings(**{**BASE, **task["settings"]})
    experiment = Experiment(features, states, np.array(task["unseen"]), task["device"])
    started = time.monotonic()
    if task["head"] == "plain":
        outcome = plain_cell(experiment, settings)
    else:
        outcome = run_protocol(Job(), task["head"], experiment, settings, task["protocol"])
    for part in ("zsl", "gzsl", "nearest_aligned"):
        outcome.get(part, {}).pop("confusion", None)
    return {**task, "outcome": outcome, "seconds": time.monotonic() - started}


def plain_cell(experiment: Any, settings: Any) -> dict[str, Any]:
    """The plain version with the published attunement, no selection: its last and its middle evaluation (ZSL)."""
    import flora_plain as plain

    from flora_engine.evaluation.metrics import mean_and_error
    from flora_engine.training.flora import FloraModel

    values: dict[int, list[float]] = {}
    attunement = (settings.neighbours, settings.weight_zsl)
    for seed in settings.seeds:
        problem = experiment.problem(seed)

        def watch(number: int, network: Any, seed: int = seed) -> None:
            from flora_engine.semantics.attunement import attune

            attuned = attune(experiment.states, *attunement)
            model = FloraModel(network, attuned, *attunement, settings.decision_time, settings.sigma_min)
            chosen = model.errors(experiment.features.zsl_data, experiment.unseen).argmin(axis=1)
            right = experiment.unseen[chosen] == experiment.features.zsl_label
            values.setdefault(number, []).append(float(right.mean()))

        plain.train(settings, problem.data, problem.labels, problem.states, attunement, seed, experiment.device, watch)
    every = {number: mean_and_error(found) for number, found in values.items()}
    return {"zsl": {"accuracy": every[max(every)], "by_evaluation": every}}


def tasks(given: argparse.Namespace) -> list[dict[str, Any]]:
    """Cells, the most wanted first."""
    found = []
    common = {"hidden": given.hidden, "seeds": tuple(range(given.seeds)), "evaluations": given.evaluations}
    common |= {"align_iterations": given.align, "total_iterations": given.total, "validation_classes": given.validation}

    def add(head: str, protocol: str, low: float, ablation: str, **changed: Any) -> None:
        for split in given.split:
            name, _, rest = split.partition("=")
            features, states, unseen = rest.split(",")
            found.append(
                {
                    "split": name,
                    "features": features,
                    "states": states,
                    "unseen": [int(c) for c in unseen.split("+")],
                    "device": given.device,
                    "head": head,
                    "protocol": protocol,
                    "low_shot": low,
                    "ablation": ablation,
                    "settings": {**common, **changed},
                }
            )

    for head in given.heads:
        add(head, "held-out", 0.0, "full")
    for head in given.heads:
        add(head, "published", 0.0, "full")
    if given.plain:
        add("plain", "-", 0.0, "full")
    if not given.quick:
        for low in (0.1, 0.01):
            for head in given.heads:
                add(head, "held-out", low, "full")
        for ablation, changed in ABLATIONS.items():
            if ablation != "full":
                add("flora", "held-out", 0.0, ablation, **changed)
    return found


def percent(value: dict[str, Any]) -> str:
    error = value["error"]
    return f"{100 * value['mean']:.1f}" + ("" if error is None else f" ± {100 * error:.1f}")


def tables(done: list[dict[str, Any]]) -> str:
    """Markdown: one table for heads and protocols, one for low-shot, one for ablations."""
    splits = sorted({one["split"] for one in done})
    lines: list[str] = []

    def table(title: str, key: str, rows: list[dict[str, Any]], part: str, value: str) -> None:
        names = list(dict.fromkeys(one[key] for one in rows))
        lines.extend([f"### {title}", "", "| | " + " | ".join(splits) + " | mean |", "|---" * (len(splits) + 2) + "|"])
        for name in names:
            found = {one["split"]: one["outcome"].get(part) for one in rows if one[key] == name}
            cells = [percent(found[s][value]) if found.get(s) else "missing" for s in splits]
            means = [found[s][value]["mean"] for s in splits if found.get(s)]
            lines.append(
                f"| {name} | {' | '.join(cells)} | {100 * float(np.mean(means)):.1f} |" if means else f"| {name} | |"
            )
        lines.append("")

    for protocol in ("held-out", "published", "-"):
        rows = [o for o in done if o["protocol"] == protocol and not o["low_shot"] and o["ablation"] == "full"]
        if not rows:
            continue
        label = {"published": "published: best of the evaluations on the test part", "-": "plain version"}
        title = label.get(protocol, protocol)
        table(f"ZSL accuracy, {title}", "head", rows, "zsl", "accuracy")
        if protocol != "-":
            table(f"GZSL harmonic mean, {title}", "head", rows, "gzsl", "harmonic")
            table(f"GZSL area under the curve, {title}", "head", rows, "gzsl", "area")
    flow_off = [o for o in done if o["head"] == "flora" and o["ablation"] == "full" and not o["low_shot"]]
    flow_off = [o for o in flow_off if o["protocol"] == "held-out"]
    table("Flow off: nearest mean in Flora's aligned space (ZSL)", "head", flow_off, "nearest_aligned", "accuracy")
    for low in (0.1, 0.01):
        rows = [o for o in done if o["low_shot"] == low]
        if rows:
            table(f"ZSL accuracy with {low:.0%} of the training samples", "head", rows, "zsl", "accuracy")
    rows = [o for o in done if o["head"] == "flora" and o["protocol"] == "held-out" and not o["low_shot"]]
    table("Ablations of Flora, ZSL accuracy", "ablation", rows, "zsl", "accuracy")
    table("Ablations of Flora, GZSL harmonic mean", "ablation", rows, "gzsl", "harmonic")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--split", action="append", required=True)
    parser.add_argument("--out", type=Path, required=True, help="writes OUT.json and OUT.md")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--hidden", type=int, default=768)
    parser.add_argument("--align", type=int, default=1000)
    parser.add_argument("--total", type=int, default=2000)
    parser.add_argument("--evaluations", type=int, default=20)
    parser.add_argument("--validation", type=int, default=5)
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--heads", nargs="+", default=["flora", "eszsl", "nearest_mean", "smie", "cada_vae"])
    parser.add_argument("--plain", action="store_true", help="the plain version too, for the comparison of accuracy")
    parser.add_argument("--quick", action="store_true", help="no low-shot, no ablations")
    given = parser.parse_args()
    end = time.monotonic() + 60 * given.minutes
    wanted, done = tasks(given), []
    given.out.parent.mkdir(parents=True, exist_ok=True)
    pool = ProcessPoolExecutor(given.workers, mp_context=multiprocessing.get_context("spawn"))
    running = [pool.submit(cell, task) for task in wanted]
    try:
        for future in as_completed(running, timeout=60 * given.minutes):
            one = future.result()
            done.append(one)
            names = f"{one['head']:13s} {one['protocol']:9s} {one['low_shot']} {one['ablation']:15s} {one['split']:8s}"
            print(f"{names} {percent(one['outcome']['zsl']['accuracy']):14s} {one['seconds']:.0f} s", flush=True)
            given.out.with_suffix(".json").write_text(json.dumps(done))
    except TimeoutError:
        print(f"time is over: {len(done)} of {len(wanted)} cells are done")
    for process in list((pool._processes or {}).values()):
        process.terminate()
    pool.shutdown(wait=False, cancel_futures=True)
    order = {json.dumps(task, default=str): number for number, task in enumerate(wanted)}
    keys = list(wanted[0])
    done.sort(key=lambda one: order.get(json.dumps({key: one[key] for key in keys}, default=str), 0))
    given.out.with_suffix(".md").write_text(tables(done))
    print(f"{len(done)} cells, {end - time.monotonic():.0f} s to spare; wrote {given.out}.json and .md")


if __name__ == "__main__":
    main()
