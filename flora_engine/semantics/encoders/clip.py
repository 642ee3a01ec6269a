"""CLIP text models, the published choice (CLIP ViT-L/14@336).

A text is padded with the tokenizer's padding to L tokens and truncated to L; no attention mask is given, and the states
of padded tokens stay in. Pooled is the state at the end-of-text token.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flora_engine.semantics.encoders.base import Run, from_folder, padded

NAME = "clip"
MODEL_TYPES = ("clip", "clip_text_model")
INPUTS = ("ids",)
OUTPUTS = ("states", "pooled")


def load_torch(folder: Path) -> tuple[Any, Any, dict[str, Any]]:
    """The module ids (n, L) int64 → states (n, L, d), pooled (n, d), its tokenizer and the loading report.

    The only mask is the causal one.
    """
    from torch import Tensor, nn

    class States(nn.Module):
        def __init__(self, model: nn.Module) -> None:
            super().__init__()
            self.model = model

        def forward(self, ids: Tensor) -> tuple[Tensor, Tensor]:
            output = self.model(input_ids=ids)
            return output.last_hidden_state, output.pooler_output

    model, tokenizer, loading = from_folder("CLIPTextModel", "CLIPTokenizerFast", folder)
    return States(model), tokenizer, loading


def encode(run: Run, ids: list[list[int]], pad_id: int, tokens: int) -> NDArray[np.float32]:
    """See `base.Kind.encode`."""
    states, pooled = run({"ids": padded(ids, tokens, pad_id)[0]})
    return np.concatenate([states, pooled[:, None]], axis=1).astype(np.float32, copy=False)
