"""Runs on disk for the window's tests and pictures: what a pipeline tells, without training anything."""

from __future__ import annotations

import json
import math
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from flora_engine.runs import analysis
from flora_engine.runs.folder import EVENTS, RunFolder

CONFIG: dict[str, Any] = {
    "kind": "pipeline",
    "data": [{"dataset": "project", "project": "two bodies"}],
    "splits": [{"name": "by person", "unseen": [0, 5]}],
    "encoder": {"streams": ["joint"], "epochs": 25},
    "flora": {"seeds": [0, 1], "folds": 3},
    "heads": ["flora", "nearest_mean"],
}


def mean(value: float) -> dict[str, Any]:
    return {"mean": value, "error": 0.012, "values": [value - 0.012, value + 0.012]}


def outcome(zsl: float) -> dict[str, Any]:
    gzsl = {name: mean(zsl + add) for name, add in (("seen", 0.2), ("unseen", -0.1), ("harmonic", 0.0), ("area", -0.2))}
    return {
        "zsl": {"accuracy": mean(zsl)},
        "gzsl": gzsl,
        "chance": 0.5,
        "seeds": [0, 1],
        "seconds": {"all": 60.0},
        "note": "held out",
    }


def result(zsl: float) -> dict[str, Any]:
    heads = {"flora": {"held-out": outcome(zsl)}, "nearest_mean": {"held-out": outcome(zsl - 0.1)}}
    split = {
        "kind": "split",
        "unseen": [0, 5],
        "chance": 0.5,
        "counts": {"train": 40},
        "encoder": {},
        "heads": heads,
        "minutes": {"all": 4.0},
    }
    return {"kind": "pipeline", "splits": {"by person": split}, "bundle": "by person/bundle", "minutes": 4.0}


def events(started: float, *, finished: bool, zsl: float = 0.7) -> list[dict[str, Any]]:
    """What a run of CONFIG tells; one that is not finished stands in the middle of Flora's folds."""
    found: list[dict[str, Any]] = []
    now = started

    def tell(kind: str, part: str = "", seconds: float = 0.0, **data: Any) -> None:
        nonlocal now
        now += seconds
        found.append({"kind": kind, "time": now, **({"part": part} if part else {}), **data})

    def metrics(part: str, step: int, **values: float) -> None:
        for name, value in values.items():
            tell("metric", part, name=name.replace("__", "/"), step=step, value=value)

    tell("state", state="started", pid=1)
    tell("log", text="by person: 40 training clips, 12 of unseen classes, 60 test")
    for part in ("by person", "by person/encoder joint"):
        tell("part", part, state="started")
    for epoch in range(25):
        loss = 2.2 * math.exp(-epoch / 7) + 0.05 * math.sin(9 * epoch)
        held = {"joint__held_out_loss": loss + 0.25, "joint__held_out_accuracy": 0.85 - 0.7 * math.exp(-epoch / 6)}
        accuracy = 1 - 0.9 * math.exp(-epoch / 6)
        metrics("by person/encoder joint", epoch, joint__loss=loss, joint__accuracy=accuracy, **held)
        metrics("by person/encoder joint", epoch, joint__learning_rate=0.1 * 0.9**epoch, joint__samples_per_second=84.0)
        tell("progress", "by person/encoder joint", 4, stage="training joint", done=epoch + 1, total=25, memory=7.4e8)
    tell("part", "by person/encoder joint", state="finished")
    tell("part", "by person/features", state="started")
    tell("warning", "by person/features", text="3 recordings are shorter than 32 frames; their last frame is repeated")
    tell("part", "by person/features", 6, state="finished")
    tell("part", "by person/flora", state="started")
    tell("part", "by person/flora/choosing", state="started")
    for fold in range(6 if finished else 3):
        part = f"by person/flora/choosing/fold {fold % 3 + 1} of 3, choice {fold // 3 + 1} of 2"
        tell("part", part, state="started")
        last = not finished and fold == 2
        for step in range(100, 900 if last else 1700, 100):
            name = "align_loss" if step <= 800 else "flow_loss"
            metrics(part, step, **{name: 1.4 * math.exp(-(step % 800) / 500) + 0.1 * fold / 6})
        for evaluation in range(1, 1 if last else 5):
            metrics(part, evaluation, held_out_zsl=zsl - 0.2 / evaluation, held_out_harmonic=zsl - 0.3 / evaluation)
        tell("progress", part, 5, stage="align text and skeleton", done=640, total=800, seconds_left=1.5, memory=9e8)
        if not last:
            tell("part", part, 4, state="finished")
    if finished:
        for part in ("by person/flora/choosing", "by person/flora", "by person"):
            tell("part", part, state="finished")
        tell("state", state="finished")
    return found


def make_run(parent: Path, name: str, *, finished: bool = True, zsl: float = 0.7, **config: Any) -> RunFolder:
    run = RunFolder.create(parent, name, {**CONFIG, **config})
    lines = (json.dumps(event) for event in events(time.time() - 300, finished=finished, zsl=zsl))
    (run.path / EVENTS).write_text("\n".join(lines) + "\n", encoding="utf-8")
    if finished:
        run.write_result(result(zsl))
    return run


def keep_decisions(folder: Path) -> None:
    """Five classes of 12 recordings, of which “run” (3) and “walk” (0) are unseen and alike, and confused."""
    names = ("walk", "sit down", "drink", "run", "wave both hands")
    random, labels = np.random.default_rng(0), np.repeat(np.arange(5), 12)
    near = np.full((5, 5), 0.2, np.float32) + 0.8 * np.eye(5, dtype=np.float32)
    near[0, 3] = near[3, 0] = 0.95
    analysis.write_classes(folder, names, [0, 3], near)
    recordings = [
        analysis.Recording(f"{names[label]} {row}", f"/recordings/{row}.npz") for row, label in enumerate(labels)
    ]
    unseen = np.flatnonzero(np.isin(labels, [0, 3]))
    analysis.write_recordings(folder, [recordings[row] for row in unseen], recordings)
    scores = (3 * np.eye(5)[labels] + random.random((60, 5))).astype(np.float32)
    scores[:4, 3] += 5
    shares = np.linspace(0, 1, 40)
    curve = np.stack([4 * shares - 2, 1 - 0.8 * shares**3, 0.9 * shares**0.3]).astype(np.float32)
    found = analysis.Decisions.of(np.arange(60), labels, np.arange(5), scores)
    analysis.write_decisions(folder, "flora", "gzsl", 0, replace(found, bonus=0.5, curve=curve))
    found = analysis.Decisions.of(np.arange(24), labels[unseen], np.array([0, 3]), scores[unseen][:, [0, 3]])
    analysis.write_decisions(folder, "flora", "zsl", 0, found)
    texts = random.standard_normal((5, 12)).astype(np.float32)
    points = texts[labels] + 0.4 * random.standard_normal((60, 12)).astype(np.float32)
    analysis.write_latents(folder, "flora", analysis.components(np.arange(60), points, texts))
