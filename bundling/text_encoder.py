"""The exported text encoder as a bundle carries it: its table of words in half precision, which saves 23 MB of 90.

    python bundling/text_encoder.py FROM TO

FROM and TO are folders with model.onnx, tokenizer.json and manifest.json. ONNX Runtime widens the table when it loads
the graph, so labelling is as fast as before. The vectors of all class texts that ship are compared with those of FROM.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from flora_engine.datasets.catalogue import dataset_names, load_dataset
from flora_engine.semantics.text_encoder import OnnxTextEncoder

TOKENS = 16
TOLERANCE = (
    1e-3  # of one component, as between the exported graph and torch (flora_engine/semantics/encoders/export.py)
)
_ROWS = 10_000  # of a table with more rows than any matrix of the network


def halve_tables(model: Any) -> int:
    """Keep every float32 table of more than `_ROWS` rows as float16 and widen it in the graph; returns how many."""
    tables = [one for one in model.graph.initializer if one.data_type == TensorProto.FLOAT and one.dims[0] > _ROWS]
    for table in tables:
        name = table.name
        table.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(table).astype(np.float16), f"{name}_half"))
        model.graph.node.insert(0, helper.make_node("Cast", [f"{name}_half"], [name], to=TensorProto.FLOAT))
    return len(tables)


def worst_difference(one: Path, other: Path, texts: list[str]) -> float:
    """The largest difference of a component of a token state or a vector between two encoders."""
    first, second = (OnnxTextEncoder(folder).encode(texts, TOKENS) for folder in (one, other))
    return float(np.abs(first - second).max())


def shipped_texts() -> list[str]:
    """Names, motions and definitions of all classes that ship."""
    classes = [one for name in dataset_names() for one in load_dataset(name).classes]
    return sorted({text for one in classes for text in (one.name, one.motion, one.definition)})


def shrink(source: Path, target: Path, texts: list[str]) -> float:
    """Write `target`; returns the worst difference. Raises ValueError if it is above TOLERANCE."""
    target.mkdir(parents=True, exist_ok=True)
    for name in ("manifest.json", "tokenizer.json"):
        shutil.copy(source / name, target / name)
    model = onnx.load(str(source / "model.onnx"))
    if not halve_tables(model):
        raise ValueError(f"{source}: no table of words")
    onnx.save(model, str(target / "model.onnx"))
    worst = worst_difference(source, target, texts)
    if not worst <= TOLERANCE:
        raise ValueError(f"{target}: the vectors differ by {worst:.2g}")
    return worst


if __name__ == "__main__":
    texts = shipped_texts()
    difference = shrink(Path(sys.argv[1]), Path(sys.argv[2]), texts)
    print(f"text encoder: the vectors of {len(texts)} class texts and their tokens differ by at most {difference:.1e}")
