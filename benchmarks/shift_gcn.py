"""Shift-GCN: time of features and of a training step, as ratios to the plain port in tests/reference.

    python benchmarks/shift_gcn.py                  # CPU: real NTU recordings where ../shared/data has them
    python benchmarks/shift_gcn.py --device cuda    # one GPU: eager, kernels, bandwidth floor

Every figure of a line comes from the same run with the same threads. On the CPU a ratio is the median of the ratios of
alternating repetitions, by wall clock and by processor time (which other programs disturb less).
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from reference.shift_gcn_plain import PlainShiftGCN  # noqa: E402

from flora_engine.models.shift_gcn.backends import make_runner  # noqa: E402
from flora_engine.models.shift_gcn.network import ShiftGCN, temporal_shift  # noqa: E402
from flora_engine.models.shift_gcn.published import to_published  # noqa: E402
from flora_engine.training.precision import uses_bfloat16  # noqa: E402


def models(classes: int = 60) -> tuple[ShiftGCN, PlainShiftGCN]:
    """The same network twice, its shifts spread over several frames as after training."""
    torch.manual_seed(0)
    model = ShiftGCN(classes)
    with torch.no_grad():
        for name, value in model.named_parameters():
            if name.endswith("ypos"):
                value.normal_(0, 2)
    plain = PlainShiftGCN(classes)
    plain.load_state_dict(to_published(model), strict=True)
    return model, plain


def real_clips(count: int) -> tuple[np.ndarray, str]:
    """`count` recordings evenly spread over those at hand, (N, 3, 300, 25, 2), or random ones if there are none."""
    folder = Path(os.environ.get("FLORA_SHARED_DATA", ROOT.parent / "shared" / "data")) / "ntu" / "raw"
    paths = sorted(folder.glob("*.skeleton"))
    if not paths:
        x = np.random.default_rng(0).normal(size=(count, 3, 300, 25, 2)).astype(np.float32)
        x[::2, ..., 1] = 0
        return x, "random clips (no recordings at hand)"
    from flora_engine.preprocessing import prepare
    from flora_engine.readers import read_sequence

    chosen = [paths[i * len(paths) // count] for i in range(count)]
    return np.stack([prepare(read_sequence(path), "agcn", 300) for path in chosen]), "real recordings"


def alternate(repetitions: int, *works: Callable[[], object]) -> list[list[tuple[float, float]]]:
    """(wall, processor) seconds of each work, repetition by repetition, after one run of each that is not counted."""
    for work in works:
        work()
    times: list[list[tuple[float, float]]] = [[] for _ in works]
    for _ in range(repetitions):
        for work, found in zip(works, times, strict=True):
            wall, processor = time.perf_counter(), time.process_time()
            work()
            found.append((time.perf_counter() - wall, time.process_time() - processor))
    return times


def ratio(base: list[tuple[float, float]], other: list[tuple[float, float]]) -> str:
    wall, processor = (statistics.median(a[i] / b[i] for a, b in zip(base, other, strict=True)) for i in (0, 1))
    return f"{wall:.1f}x wall, {processor:.1f}x processor"


def training_step(model: nn.Module, x: torch.Tensor, label: torch.Tensor) -> Callable[[], object]:
    optimiser = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], 0.01, 0.9, nesterov=True)

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        F.cross_entropy(model(x), label).backward()
        optimiser.step()

    return step


def on_cpu(clips: int, repetitions: int) -> None:
    features_on_cpu(clips, repetitions)
    training_on_cpu(repetitions)


def features_on_cpu(clips: int, repetitions: int) -> None:
    from flora_engine.inference import load_session
    from flora_engine.models.shift_gcn.features import FeatureExtractor
    from flora_engine.models.shift_gcn.onnx_graph import onnx_bytes

    x, kind = real_clips(clips)
    absent = float((~x.any(axis=(1, 2, 3))).mean())
    model, plain = models()
    model.eval()
    plain.eval()
    tensor = torch.from_numpy(x)
    extractor = FeatureExtractor(model, torch.device("cpu"))
    session = load_session(onnx_bytes(model, 300), threads=torch.get_num_threads())

    @torch.inference_mode()
    def plainly() -> np.ndarray:
        return np.concatenate([plain.features(part).numpy() for part in tensor.split(2)])

    works = [
        plainly,
        lambda: np.concatenate([extractor(x[i : i + 2]) for i in range(0, len(x), 2)]),
        lambda: np.concatenate([session.run(None, {"joints": x[i : i + 2]})[0] for i in range(0, len(x), 2)]),
    ]
    right = works[0]()
    difference = max(float(np.abs(work() - right).max() / np.abs(right).max()) for work in works[1:])
    base, *others = alternate(repetitions, *works)
    print(
        f"Features, {len(x)} {kind}, 300 frames, {absent:.0%} of the persons absent, {torch.get_num_threads()} threads"
    )
    print(
        f"  plain port: {min(t[0] for t in base) / len(x) * 1000:.0f} ms per recording; results within {difference:.0e}"
    )
    for name, times in zip(
        (f"extraction ({extractor.name})", "the same graph, absent persons computed too"), others, strict=True
    ):
        print(f"  {name}: {min(t[0] for t in times) / len(x) * 1000:.0f} ms, {ratio(base, times)}")


def training_on_cpu(repetitions: int) -> None:
    model, plain = models()
    model.train()
    plain.train()
    batch, label = torch.randn(8, 3, 64, 25, 2), torch.arange(8)
    steps = {"plain port": training_step(plain, batch, label)}
    for name in ("cpu_kernels", "torch"):
        steps[f"{name}, float32"] = training_step(make_runner(name, model), batch, label)
    if uses_bfloat16("auto", "cpu"):

        def with_bfloat16() -> None:
            with torch.autocast("cpu", torch.bfloat16):
                steps["cpu_kernels, float32"]()

        steps["cpu_kernels, bfloat16 (the default on this processor)"] = with_bfloat16
    base, *others = alternate(repetitions, *steps.values())
    print(f"Training step, batch 8, 64 frames; plain port {min(t[0] for t in base):.2f} s")
    for name, times in zip(list(steps)[1:], others, strict=True):
        print(f"  {name}: {min(t[0] for t in times):.2f} s, {ratio(base, times)}")


def gpu_seconds(work: Callable[[], object], repetitions: int = 8) -> float:
    for _ in range(3):
        work()
    torch.cuda.synchronize()
    start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    start.record()
    for _ in range(repetitions):
        work()
    end.record()
    torch.cuda.synchronize()
    return start.elapsed_time(end) / 1000 / repetitions


def product_bytes(model: ShiftGCN, bodies: int, frames: int, size: int) -> int:
    """Bytes that a forward pass moves if nothing but the matrix products touched memory: operand in, result out."""
    total = 0
    for block in model.each_block():
        channels, width = block.spatial.weight.shape
        after = frames // block.temporal.stride
        total += (channels + width) * frames + 2 * width * frames
        total += (channels + width) * frames if block.spatial.down is not None else 0
        total += (channels + width) * after if block.residual is not None else 0
        frames = after
    return total * bodies * model.joints * size


def copy_bandwidth() -> float:
    """Bytes read and written a second by a copy of 1 GiB."""
    source = torch.empty(256 * 1024 * 1024, device="cuda")
    target = torch.empty_like(source)
    return 2 * source.numel() * 4 / gpu_seconds(lambda: target.copy_(source))


def on_gpu(batch: int, frames: int) -> None:
    bandwidth = copy_bandwidth()
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}; copying reaches {bandwidth / 1e12:.2f} TB/s")
    one_shift(bandwidth, batch * 2, frames)
    model, plain = (m.cuda() for m in models())
    x, label = torch.randn(batch, 3, frames, 25, 2, device="cuda"), torch.arange(batch, device="cuda") % 60
    for precision, size in ((torch.float32, 4), (torch.bfloat16, 2)):
        floor = product_bytes(model, batch * 2, frames, size) / bandwidth
        for name, factor in (("extraction", 1), ("training step", 3)):
            found = {}
            for kind in ("plain port", "PyTorch without kernels", "kernels"):
                found[kind] = timed(plain if kind == "plain port" else model, kind, name, precision, x, label)
            base = found["plain port"]
            print(f"{name}, batch {batch}, {frames} frames, {str(precision)[6:]}: floor {floor * factor * 1e3:.1f} ms")
            for kind, seconds in found.items():
                print(f"  {kind}: {seconds * 1e3:.1f} ms, {base / seconds:.1f}x, {seconds / floor / factor:.1f} floors")


def timed(
    model: nn.Module, kind: str, name: str, precision: torch.dtype, x: torch.Tensor, label: torch.Tensor
) -> float:
    """Seconds of one extraction or training step; kind "kernels" runs the network by back end triton."""
    training = name == "training step"
    model.train(training)
    run: Any = make_runner("triton", model) if kind == "kernels" and isinstance(model, ShiftGCN) else model
    step = training_step(run, x, label)
    with torch.autocast("cuda", precision, enabled=precision != torch.float32):
        if training:
            return gpu_seconds(step, 4)
        with torch.inference_mode():
            return gpu_seconds(lambda: run.features(x))


def one_shift(bandwidth: float, bodies: int, frames: int) -> None:
    """The temporal shift alone, forward and backward."""
    from flora_engine.models.shift_gcn.backends import triton

    def by_kernel(x: torch.Tensor, xpos: torch.Tensor, ypos: torch.Tensor) -> torch.Tensor:
        return triton.shift(x, xpos, ypos, 1, "normalised")

    for dtype in (torch.float32, torch.bfloat16):
        x = torch.randn(bodies, 64, 25, frames, device="cuda", dtype=dtype, requires_grad=True)
        ypos = torch.empty(64, device="cuda").uniform_(-3, 3).requires_grad_()
        xpos, grad = torch.zeros(64, device="cuda"), torch.randn_like(x)
        floor = 2 * x.numel() * x.element_size() / bandwidth
        line = (
            f"temporal shift {tuple(x.shape)} {str(dtype)[6:]}, floors {floor * 1e3:.2f} and {2 * floor * 1e3:.2f} ms:"
        )
        for kind, shift in {"PyTorch": temporal_shift, "kernels": by_kernel}.items():
            forward = gpu_seconds(lambda: shift(x, xpos, ypos).detach())  # noqa: B023
            both = gpu_seconds(lambda: shift(x, xpos, ypos).backward(grad))  # noqa: B023
            line += f" {kind} {forward * 1e3:.2f} and {(both - forward) * 1e3:.2f} ms;"
        print(line.rstrip(";"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--clips", type=int, default=4)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--batch", type=int, default=32)
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    if arguments.device == "cpu":
        on_cpu(arguments.clips, arguments.repetitions)
    else:
        on_gpu(arguments.batch, 300)


if __name__ == "__main__":
    main()
