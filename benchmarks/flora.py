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
    model = fast.train_flora(Job(), settings, problem, (0, 0.0))
    found["fast_peak_resident_MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # before plain starts
    for phase, wanted in (("align", (given.plain_steps, 0)), ("flow", (0, given.plain_steps))):
        taken = seconds(lambda wanted=wanted: plain_steps(settings, problem, wanted), given.device, 1)
        base = seconds(lambda: plain_steps(settings, problem, (0, 0)), given.device, 1)
        found[f"plain_{phase}_s"] = (taken - base) / given.plain_steps
        found[f"{phase}_ratio"] = found[f"plain_{phase}_s"] / found[f"fast_{phase}_s"]
    measure_scoring(given.device, model, features.zsl_data[: 2000 if given.device == "cuda" else 24], unseen, found)
    if given.device == "cuda":
        measure_gpu(settings, problem, given, found)
    for name, value in found.items():
        print(f"{name:36s} {value:12.4f}")
    if given.json:
        given.json.write_text(json.dumps(found, indent=1))


def plain_steps(settings: FloraSettings, problem: Problem, wanted: tuple[int, int]) -> None:
    """So many plain steps of each phase."""
    arrays = (problem.data, problem.labels, problem.states)
    plain.train(settings, *arrays, (0, 0.0), 0, problem.device, steps=wanted)


def measure_scoring(
    device: str, model: fast.FloraModel, x: np.ndarray, unseen: np.ndarray, found: dict[str, float]
) -> None:
    """Pairs a second, and how far merged tokens change errors and decisions."""
    texts, zero = torch.from_numpy(model.states[unseen]).to(device), torch.zeros(1, device=device)

    def score_plain() -> np.ndarray:
        batches = [torch.from_numpy(x[i : i + 64]).to(device) for i in range(0, len(x), 64)]
        return np.concatenate([plain.errors(model.network, b, texts, zero, zero).cpu().numpy() for b in batches])

    expected = score_plain()
    slow = seconds(score_plain, device, 2)
    for merged in (0, 16, 8):
        errors = model.errors(x, unseen, merged=merged)
        name = f"score_merged{merged}" if merged else "score_exact"
        taken = seconds(lambda merged=merged: model.errors(x, unseen, merged=merged), device, 2)
        found[f"{name}_pairs_per_s"] = errors.size / taken
        found[f"{name}_ratio"] = slow / taken
        found[f"{name}_largest_deviation"] = float(np.abs(errors / expected - 1).max())
        found[f"{name}_same_decisions"] = float(np.mean(errors.argmin(1) == expected.argmin(1)))


def measure_gpu(settings: FloraSettings, problem: Problem, given: argparse.Namespace, found: dict[str, float]) -> None:
    """The captured bfloat16 step of phase 2 on all tokens."""
    half = settings.model_copy(update={"precision": "bfloat16", "tokens_per_step": 0})
    run, count = steps(half, problem, "flow", 100)
    step = seconds(run, "cuda", 3) / count
    work = 3 * 2 * 14 * given.hidden**2 * half.batch_size * given.tokens  # forward and backward, linear layers only
    found["gpu_bf16_samples_per_s"] = half.batch_size / step
    found["gpu_bf16_TFLOPs"] = work / step / 1e12
    if given.peak:
        found["gpu_share_of_peak"] = found["gpu_bf16_TFLOPs"] / given.peak


if __name__ == "__main__":
    main()
