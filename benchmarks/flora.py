"""Flora against its plain version: seconds per step, scoring speed, agreement of decisions, memory.

    python benchmarks/flora.py [--device cuda] [--hidden 768] [--tokens 61] [--parts steps scoring] [--json FILE]

Steps: on synthetic features of NTU-120 size (63,026 x 256). Scoring: the five unseen classes of NTU-60 (55/5), with the
MiniLM states of the program's own class texts, L = 60, two neighbours at weight 1; the model is trained for a moment on
synthetic features, so that its decisions differ. Ratios are from one run, plain and fast turn by turn. On a GPU it also
reports samples a second and the share of the matrix peak (--peak TFLOP/s) of the captured bfloat16 step.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "reference"))
sys.path.insert(0, str(Path(__file__).parents[1] / "experiments"))
import flora_plain as plain
from synthetic_features import synthetic_features

from flora_engine.config import FloraSettings
from flora_engine.datasets.benchmarks import load_benchmark
from flora_engine.datasets.published_files import read_features
from flora_engine.heads import Fit, Problem
from flora_engine.heads.learning.flora import start_phase, train_flora
from flora_engine.heads.learning.method import draws, prepare
from flora_engine.heads.learning.model import FloraModel
from flora_engine.jobs import Job
from flora_engine.models.flora.network import distinct_tokens
from flora_engine.semantics.class_texts import class_states, load_class_texts
from flora_engine.semantics.text_encoder import load_text_encoder


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
    trainer = prepare(settings, problem, problem.states)
    step = start_phase(trainer, phase, {})
    rows, tokens = draws(trainer, count, 0)

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
    parser.add_argument("--samples", type=int, default=0, help="samples to score (default: 64, on a GPU 2000)")
    parser.add_argument("--parts", nargs="+", choices=("steps", "scoring"), default=["steps", "scoring"])
    parser.add_argument("--peak", type=float, default=0.0, help="dense bfloat16 TFLOP/s of the GPU")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    found: dict[str, float] = {"hidden": given.hidden, "threads": torch.get_num_threads()}
    if "steps" in given.parts:
        measure_steps(given, found)
    if "scoring" in given.parts:
        measure_scoring(given, found)
    for name, value in found.items():
        print(f"{name:36s} {value:12.4f}")
    if given.json:
        given.json.write_text(json.dumps(found, indent=1))


def measure_steps(given: argparse.Namespace, found: dict[str, float]) -> None:
    """Seconds a step of both phases, fast and plain, and the memory that the fast training takes."""
    features, states, _ = synthetic_features(tokens=given.tokens)
    problem = Problem(features.train_data, features.train_label, states, device=given.device)
    settings = FloraSettings(hidden=given.hidden, align_iterations=10, total_iterations=20, evaluations=1)
    found["step_tokens"] = given.tokens
    many = 100 if given.device == "cuda" else 5
    for phase in ("align", "flow"):
        run, count = steps(settings, problem, phase, many)
        found[f"fast_{phase}_s"] = seconds(run, given.device, 3) / count
    found["fast_peak_resident_MB"] = peak_resident(given)
    base = seconds(lambda: plain_steps(settings, problem, (0, 0)), given.device, 1)
    for phase, wanted in (("align", (given.plain_steps, 0)), ("flow", (0, given.plain_steps))):
        taken = seconds(lambda wanted=wanted: plain_steps(settings, problem, wanted), given.device, 1)
        found[f"plain_{phase}_s"] = (taken - base) / given.plain_steps
        found[f"{phase}_ratio"] = found[f"plain_{phase}_s"] / found[f"fast_{phase}_s"]
    if given.device == "cuda":
        measure_gpu(settings, problem, given, found)


def peak_resident(given: argparse.Namespace) -> float:
    """Peak memory in MB of a process of its own that reads features of NTU-120 size from files and trains on them."""
    features, states, _ = synthetic_features(tokens=given.tokens)
    with tempfile.TemporaryDirectory() as folder:
        np.savez(Path(folder) / "features.npz", **vars(features))
        np.save(Path(folder) / "states.npy", states)
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            return pool.submit(train_from, Path(folder), given.hidden, given.device).result()


def train_from(folder: Path, hidden: int, device: str) -> float:
    """A few steps of both phases on the files in `folder`; returns the peak resident memory of this process in MB."""
    features, states = read_features(folder / "features.npz"), np.load(folder / "states.npy", allow_pickle=False)
    settings = FloraSettings(hidden=hidden, align_iterations=10, total_iterations=20, evaluations=1)
    problem = Problem(features.train_data, features.train_label, states, device=device)
    train_flora(Fit(Job(), problem, {"neighbours": 2, "weight": 0.4}, settings))
    # VmHWM, in kB: what getrusage tells holds the peak of the process that started this one.
    return next(int(line.split()[1]) / 1024 for line in Path("/proc/self/status").open() if line.startswith("VmHWM"))


def plain_steps(settings: FloraSettings, problem: Problem, wanted: tuple[int, int]) -> None:
    """So many plain steps of each phase."""
    arrays = (problem.data, problem.labels, problem.states)
    plain.train(settings, *arrays, (0, 0.0), 0, problem.device, steps=wanted)


def scoring_model(given: argparse.Namespace) -> tuple[FloraModel, np.ndarray, np.ndarray]:
    """(model on the texts of NTU-60, features of samples of the unseen classes, these classes)."""
    benchmark = load_benchmark("synse/ntu60_xsub_unseen5")
    texts = load_class_texts(benchmark.dataset)
    states = class_states(load_text_encoder(), texts, benchmark.tokens)
    random = np.random.default_rng(0)
    means = states[:, -1] @ random.normal(size=(states.shape[2], 256)).astype(np.float32)
    unseen, seen = np.array(benchmark.unseen), np.array(benchmark.seen)

    def draw(classes: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        labels = np.resize(classes, count)
        return means[labels] + 0.5 * random.standard_normal((count, 256), dtype=np.float32), labels

    settings = FloraSettings(
        **{"hidden": given.hidden, "tokens_per_step": 1, "evaluations": 1, "learning_rate": 1e-3},
        **{"align_iterations": 60, "total_iterations": 120},
    )
    problem = Problem(*draw(seen, 550), states, device=given.device)
    choice = {"neighbours": benchmark.neighbours, "weight": benchmark.weight_zsl}
    model = train_flora(Fit(Job(), problem, choice, settings))
    count = given.samples or (2000 if given.device == "cuda" else 64)
    return model, draw(unseen, count)[0], unseen


def measure_scoring(given: argparse.Namespace, found: dict[str, float]) -> None:
    """Pairs a second of the plain version, exact, in bfloat16 and with merged tokens, with what these change."""
    model, x, unseen = scoring_model(given)
    device = given.device
    texts, zero = torch.from_numpy(model.states[unseen]).to(device), torch.zeros(1, device=device)

    def score_plain() -> np.ndarray:
        batches = [torch.from_numpy(x[i : i + 64]).to(device) for i in range(0, len(x), 64)]
        return np.concatenate([plain.errors(model.network, b, texts, zero, zero).cpu().numpy() for b in batches])

    variants: dict[str, dict[str, Any]] = {
        "exact": {},
        "bfloat16": {"bfloat16": True},
        "merged16": {"merged": 16},
        "merged8": {"merged": 8},
    }

    def score_fast(name: str) -> np.ndarray:
        return model.errors(x, unseen, **variants[name])

    kept = [g.tokens.shape[1] for g in distinct_tokens(model.states[unseen]) for _ in g.classes]
    found["score_distinct_tokens"] = float(np.mean(kept))
    expected = score_plain()
    taken: dict[str, list[float]] = {}
    for _ in range(2):  # turn by turn: other work on the machine slows all of them
        taken.setdefault("plain", []).append(seconds(score_plain, device, 1))
        for name in variants:
            taken.setdefault(name, []).append(seconds(lambda name=name: score_fast(name), device, 1))
    slow = min(taken["plain"])
    found["score_plain_pairs_per_s"] = expected.size / slow
    for name in variants:
        errors, best = score_fast(name), min(taken[name])
        found[f"score_{name}_pairs_per_s"] = errors.size / best
        found[f"score_{name}_ratio"] = slow / best
        found[f"score_{name}_largest_deviation"] = float(np.abs(errors / expected - 1).max())
        found[f"score_{name}_same_decisions"] = float(np.mean(errors.argmin(1) == expected.argmin(1)))


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
