"""What typed classes cost: states of 5 classes (two texts each), ONNX Runtime against the same model in torch.

    python benchmarks/text_encoder.py

Both run in this process with the same number of threads, taking turns; the figures are medians. On a busy machine look
at the ratio and at the processor time, not at the wall time.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

from flora_engine.semantics.class_texts import class_states, load_class_texts, parse_typed
from flora_engine.semantics.text_encoder import find_source, load_text_encoder

TYPED = "wave a hand; drink water: raise a cup to the mouth; fall down; sit down on a chair; kick with the right foot"
TOKENS = 32
ROUNDS = 30
THREADS = 2


def measure(calls: dict[str, Callable[[], object]]) -> dict[str, tuple[float, float]]:
    """Median wall and processor milliseconds of each call, the calls taking turns."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in calls}
    for call in calls.values():
        call()
    for _ in range(ROUNDS):
        for name, call in calls.items():
            wall, processor = time.perf_counter(), time.process_time()
            call()
            times[name].append((1e3 * (time.perf_counter() - wall), 1e3 * (time.process_time() - processor)))
    return {name: (statistics.median(w for w, _ in t), statistics.median(p for _, p in t)) for name, t in times.items()}


def main() -> None:
    import torch

    from flora_engine.semantics.encoders.export import load_torch

    torch.set_num_threads(THREADS)
    start = time.perf_counter()
    encoder = load_text_encoder()
    print(f"loading the prepared encoder: {time.perf_counter() - start:.2f} s")
    model, tokenizer, _ = load_torch(find_source())
    texts = parse_typed(TYPED)
    words = sorted({text.motion for text in texts} | {text.definition for text in texts})

    @torch.no_grad()
    def in_torch() -> object:
        batch = tokenizer(words, padding=True, truncation=True, max_length=TOKENS, return_tensors="pt")
        return model(batch.input_ids, batch.attention_mask)

    found = measure({"onnx": lambda: class_states(encoder, texts, TOKENS), "torch": in_torch})
    for name, (wall, processor) in found.items():
        print(f"{name:5s} {len(texts)} typed classes: {wall:.1f} ms wall, {processor:.1f} ms processor")
    print(
        f"torch / onnx: {found['torch'][0] / found['onnx'][0]:.1f} (wall), {found['torch'][1] / found['onnx'][1]:.1f}"
    )
    classes = load_class_texts("ntu120")
    start = time.perf_counter()
    class_states(encoder, classes, 60)
    print(f"all {len(classes)} classes of NTU-120, 60 tokens: {time.perf_counter() - start:.2f} s")


if __name__ == "__main__":
    main()
