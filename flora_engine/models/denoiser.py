"""A transformer that predicts the noise in a skeleton's feature from the tokens of a text, as TDSM has it.

Do and Kim (ICCV 2025), "CrossDiT": a stream of one skeleton token and a stream of text tokens, each with weights of its
own, attend together; both are shifted, scaled and gated by the time and the pooled text.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flora_engine.models.flora.velocity import TimeEmbedding, attend


def _normalise(x: Tensor) -> Tensor:
    return F.layer_norm(x, (x.shape[-1],), eps=1e-6)


class Stream(nn.Module):
    """The weights of one stream in one block: hidden channels in, hidden channels out."""

    def __init__(self, hidden: int, ratio: int = 4) -> None:
        super().__init__()
        self.qkv = nn.Linear(hidden, 3 * hidden)
        self.projection = nn.Linear(hidden, hidden)
        self.up, self.down = nn.Linear(hidden, ratio * hidden), nn.Linear(ratio * hidden, hidden)
        self.modulation = nn.Linear(hidden, 6 * hidden)

    def begin(self, x: Tensor, condition: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Queries, keys and values (B, T, 3·hidden) of x (B, T, hidden), and the six parts of the modulation."""
        parts = self.modulation(condition)[:, None].chunk(6, dim=-1)
        qkv: Tensor = self.qkv(_normalise(x) * (1 + parts[1]) + parts[0])
        return qkv, parts

    def finish(self, x: Tensor, mixed: Tensor, parts: tuple[Tensor, ...]) -> Tensor:
        """x with what attention mixed added, and then the MLP."""
        x = x + parts[2] * self.projection(mixed)
        wide = F.gelu(self.up(_normalise(x) * (1 + parts[4]) + parts[3]), approximate="tanh")
        result: Tensor = x + parts[5] * self.down(wide)
        return result


class CrossBlock(nn.Module):
    """Skeleton (B, 1, hidden) and text (B or 1, T, hidden) → the same. A text of one row is for all skeletons.

    last: nothing comes after it, so the text stays as it is.
    """

    def __init__(self, hidden: int, heads: int, last: bool) -> None:
        super().__init__()
        self.heads, self.last = heads, last
        self.skeleton, self.text = Stream(hidden), Stream(hidden)

    def forward(self, skeleton: Tensor, text: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """condition: (B or 1, hidden), after SiLU."""
        own, own_parts = self.skeleton.begin(skeleton, condition)
        read, read_parts = self.text.begin(text, condition)
        both = torch.cat([own, read.expand(len(own), *read.shape[1:])], dim=1)
        batch, tokens, wide = both.shape
        q, k, v = both.view(batch, tokens, 3, self.heads, wide // 3 // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        if self.last:
            q = q[:, :, :1]
        mixed = attend(q, k, v).transpose(1, 2).reshape(batch, q.shape[2], wide // 3)
        skeleton = self.skeleton.finish(skeleton, mixed[:, :1], own_parts)
        return skeleton, text if self.last else self.text.finish(text, mixed[:, 1:], read_parts)


class Denoiser(nn.Module):
    """Noisy features (B, F), steps of time (B or 1,), pooled texts (B or 1, D), tokens (B or 1, T, D) → noise (B, F).

    Zero at the start: the modulations and the last layer begin with zeros.
    """

    def __init__(self, features: int, text: int, tokens: int, hidden: int, blocks: int, heads: int) -> None:
        super().__init__()
        self.feature, self.token = nn.Linear(features, hidden), nn.Linear(text, hidden)
        self.pooled = nn.Sequential(nn.Linear(text, hidden), nn.SiLU(), nn.Linear(hidden, hidden))
        self.place = nn.Parameter(0.02 * torch.randn(1, tokens, hidden))
        self.time = TimeEmbedding(hidden)
        blocks_of = [CrossBlock(hidden, heads, number == blocks - 1) for number in range(blocks)]
        self.blocks = nn.ModuleList(blocks_of)
        self.modulation, self.last = nn.Linear(hidden, 2 * hidden), nn.Linear(hidden, features)
        modulations = [stream.modulation for block in blocks_of for stream in (block.skeleton, block.text)]
        for layer in (*modulations, self.modulation, self.last):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, noisy: Tensor, time: Tensor, pooled: Tensor, tokens: Tensor) -> Tensor:
        condition = F.silu(self.time(time.float()) + self.pooled(pooled))
        skeleton, text = self.feature(noisy)[:, None], self.token(tokens) + self.place
        for block in self.blocks:
            skeleton, text = block(skeleton, text, condition)
        shift, scale = self.modulation(condition).chunk(2, dim=-1)
        found: Tensor = self.last(_normalise(skeleton[:, 0]) * (1 + scale) + shift)
        return found
