"""Flora against its plain version: seconds per step, scoring speed, agreement of decisions, memory.

    python benchmarks/flora.py [--device cuda] [--hidden 768] [--tokens 61] [--json FILE]

On synthetic features of NTU-120 size (63,026 x 256). Ratios are from one run, plain and fast turn by turn. On a GPU
it also reports samples a second and the share of the matrix peak (--peak TFLOP/s) of the captured bfloat16 step.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "reference"))
sys.path.insert(0, str(Path(__file__).parent))
import flora_plain as plain
from synthetic_features import synthetic_features

from flora_engine.config import FloraSettings
from flora_engine.jobs import Job
from flora_engine.training import flora as fast
from flora_engine.training.heads import Problem


def seconds(work: Callable[[], object], device: str, times: int) -> float:
    """Median of `times` runs."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        if device == "cuda":
            torch.cuda.synchronize()
        taken.append(time.perf_counter() - start)
    return float(np.median(taken))


def steps(settings: FloraSettings, problem: Problem, phase: str, count: int) -> tuple[Callable[[], object], int]:
    """(runs `count` fast steps of a phase, count)."""
    trainer = fast._prepare(settings, problem, problem.states)
    step = fast._start(trainer, phase, {})
    rows, tokens = fast._draws(trainer, count, 0)

    def run() -> None:
        for i in range(count):
            step(rows[i], tokens[i])

    run()
    return run, count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--hidden", type=int, default=768)
    parser.add_argument("--tokens", type=int, default=61)
    parser.add_argument("--plain-steps", type=int, default=2)
    parser.add_argument("--peak", type=float, default=0.0, help="dense bfloat16 TFLOP/s of the GPU")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    features, states, unseen = synthetic_features(tokens=given.tokens)
    problem = Problem(features.train_data, features.train_label, states, device=given.device)
    settings = FloraSettings(hidden=given.hidden, align_iterations=10, total_iterations=20, evaluations=1)
    found: dict[str, float] = {"hidden": given.hidden, "tokens": given.tokens}
    many = 100 if given.device == "cuda" else 5
    for phase in ("align", "flow"):
        run, count = steps(settings, problem, phase, many)
        found[f"fast_{phase}_s"] = seconds(run, given.device, 3) / count
        wanted = (given.plain_steps, 0) if phase == "align" else (0, given.plain_steps)

        def slow(wanted: tuple[int, int] = wanted) -> None:
            plain.train(settings, problem.data, problem.labels, states, (0, 0.0), 0, given.device, steps=wanted)

        def setup() -> None:
            plain.train(settings, problem.data, problem.labels, states, (0, 0.0), 0, given.device, steps=(0, 0))

        whole, base = seconds(slow, given.device, 1), seconds(setup, given.device, 1)
        found[f"plain_{phase}_s"] = (whole - base) / given.plain_steps
        found[f"{phase}_ratio"] = found[f"plain_{phase}_s"] / found[f"fast_{phase}_s"]
    found["peak_resident_MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    model = fast.train_flora(Job(), settings, problem, (0, 0.0))
    x = features.zsl_data[: 2000 if given.device == "cuda" else 24]
    texts = torch.from_numpy(model.states[unseen]).to(given.device)
    zero = torch.zeros(1, device=given.device)

    def score_plain() -> np.ndarray:
        batches = [torch.from_numpy(x[i : i + 64]).to(given.device) for i in range(0, len(x), 64)]
        return np.concatenate([plain.errors(model.network, b, texts, zero, zero).cpu().numpy() for b in batches])

    expected = score_plain()
    slow_s = seconds(score_plain, given.device, 2)
    for merged in (0, 16, 8):
        errors = model.errors(x, unseen, merged=merged)
        name = f"merged{merged}" if merged else "exact"
        taken = seconds(lambda merged=merged: model.errors(x, unseen, merged=merged), given.device, 2)
        found[f"score_{name}_pairs_per_s"] = errors.size / taken
        found[f"score_{name}_ratio"] = slow_s / taken
        found[f"score_{name}_largest_deviation"] = float(np.abs(errors / expected - 1).max())
        found[f"score_{name}_same_decisions"] = float(np.mean(errors.argmin(1) == expected.argmin(1)))
    if given.device == "cuda":
        half = settings.model_copy(update={"precision": "bfloat16", "tokens_per_step": 0, "batch_size": 64})
        run, count = steps(half, problem, "flow", many)
        step_s = seconds(run, "cuda", 3) / count
        work = 3 * 2 * 14 * given.hidden**2 * 64 * given.tokens  # forward and backward of the velocity network
        found["gpu_bf16_samples_per_s"] = 64 / step_s
        found["gpu_bf16_TFLOPs"] = work / step_s / 1e12
        if given.peak:
            found["gpu_share_of_peak"] = found["gpu_bf16_TFLOPs"] / given.peak
    for name, value in found.items():
        print(f"{name:36s} {value:12.4f}")
    if given.json:
        given.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
