"""BERT models, and our default all-MiniLM-L6-v2.

Padding is masked, because such a model was trained so and its states are wrong otherwise. The states of padded tokens
mean nothing, so each padded place holds the mean of the text's own token states. The mean over all places, by which
attunement and nearest-mean heads compare classes, is therefore the sentence embedding for any number of tokens. Pooled
is that mean at length 1, as sentence-transformers gives it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flora_engine.semantics.encoders.base import Run, from_folder, padded

NAME = "bert"
MODEL_TYPES = ("bert",)
INPUTS = ("ids", "mask")
OUTPUTS = ("states",)


def load_torch(folder: Path) -> tuple[Any, Any, dict[str, Any]]:
    """The module ids, mask (n, L) int64 → states (n, L, d), its tokenizer and the loading report."""
    from torch import Tensor, nn

    class States(nn.Module):
        def __init__(self, model: nn.Module) -> None:
            super().__init__()
            self.model = model

        def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
            states: Tensor = self.model(input_ids=ids, attention_mask=mask).last_hidden_state
            return states

    model, tokenizer, loading = from_folder("BertModel", "BertTokenizerFast", folder, add_pooling_layer=False)
    return States(model), tokenizer, loading


def encode(run: Run, ids: list[list[int]], pad_id: int, tokens: int) -> NDArray[np.float32]:
    """See `base.Kind.encode`."""
    length = max(len(row) for row in ids)
    filled, mask = padded(ids, length, pad_id)
    (states,) = run({"ids": filled, "mask": mask})
    real = mask[..., None].astype(np.float32)
    mean = (states * real).sum(1, keepdims=True) / real.sum(1, keepdims=True)  # (n, 1, d)
    result: NDArray[np.float32] = np.repeat(mean, tokens + 1, axis=1).astype(np.float32)
    result[:, :length] = np.where(real > 0, states, mean)
    result[:, tokens:] /= np.linalg.norm(mean, axis=-1, keepdims=True)
    return result
