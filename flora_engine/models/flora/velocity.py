"""The velocity network: a small transformer over tokens, conditioned on time alone (docs/method.md, section 7).

Architecture: Peebles and Xie, "Scalable Diffusion Models with Transformers" (ICCV 2023), adaLN-zero variant, without
position embedding and without class condition. Tokens are exchangeable: permuting them permutes the output.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

TIME_FREQUENCIES = 128


def _normalise(x: Tensor) -> Tensor:
    return F.layer_norm(x, (int(x.shape[-1]),), eps=1e-6)  # an int: the ONNX tracer needs a constant


def _modulate(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    return _normalise(x) * (1 + scale) + shift


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """softmax(qkᵀ/√d)·v. On a CPU torch's fused kernel is slow at few tokens in bfloat16: 2 to 7 times the products."""
    if q.is_cuda or q.dtype != torch.bfloat16 or q.shape[2] > 16:
        return F.scaled_dot_product_attention(q, k, v)
    weights = ((q * q.shape[3] ** -0.5) @ k.transpose(2, 3)).softmax(dim=3)
    return torch.matmul(weights.to(v.dtype), v)


class TimeEmbedding(nn.Module):
    """Time in [0, 1], (B,) → (B, hidden): 128 cosines and 128 sines, then Linear-SiLU-Linear."""

    frequencies: Tensor

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(2 * TIME_FREQUENCIES, hidden), nn.SiLU(), nn.Linear(hidden, hidden))
        steps = torch.arange(TIME_FREQUENCIES, dtype=torch.float32) / TIME_FREQUENCIES
        self.register_buffer("frequencies", torch.exp(-math.log(10000.0) * steps), persistent=False)

    def forward(self, t: Tensor) -> Tensor:
        angles = t[:, None] * self.frequencies
        return self.mlp(torch.cat([angles.cos(), angles.sin()], dim=-1))  # type: ignore[no-any-return]


class Block(nn.Module):
    """Attention and MLP, each shifted, scaled and gated by the time embedding. (B, T, hidden) → the same."""

    def __init__(self, hidden: int, heads: int, ratio: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(hidden, 3 * hidden)
        self.projection = nn.Linear(hidden, hidden)
        self.up = nn.Linear(hidden, ratio * hidden)
        self.down = nn.Linear(ratio * hidden, hidden)
        self.modulation = nn.Linear(hidden, 6 * hidden)

    def mix(self, qkv: Tensor, bias: Tensor | None) -> Tensor:
        """Attention between the tokens of each row. qkv: (B, T, 3·hidden)."""
        batch, tokens, wide = qkv.shape
        q, k, v = qkv.view(batch, tokens, 3, self.heads, wide // 3 // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        mixed = attend(q, k, v) if bias is None else F.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        return self.projection(mixed.transpose(1, 2).reshape(batch, tokens, wide // 3))  # type: ignore[no-any-return]

    def forward(self, x: Tensor, condition: Tensor, bias: Tensor | None = None, qkv: Tensor | None = None) -> Tensor:
        """condition: SiLU of the time embedding, (B or 1, hidden). bias: added to the attention, (B or 1, 1, 1, T).

        qkv: where the caller has it already, see `qkv_of_sums`.
        """
        shift1, scale1, gate1, shift2, scale2, gate2 = self.modulation(condition)[:, None, :].chunk(6, dim=-1)
        if qkv is None:
            qkv = self.qkv(_modulate(x, shift1, scale1))
        x = x + gate1 * self.mix(qkv, bias)
        wide: Tensor = F.gelu(self.up(_modulate(x, shift2, scale2)), approximate="tanh")
        return x + gate2 * self.down(wide)  # type: ignore[no-any-return]

    def qkv_of_sums(self, left: Tensor, right: Tensor, sums: Tensor, condition: Tensor) -> Tensor:
        """What `forward` computes as qkv for x = left[None] + right[:, None], with each part multiplied once only.

        left: (K, T, hidden). right: (N, 1 or T, hidden). sums: (N, K, T, hidden). Returns (N, K, T, 3·hidden).

        A layer norm without weights takes away the mean, which is linear, and divides by one number per token, which
        commutes with the matrix; so the matrix can go before the sum. Exact in real arithmetic.
        """
        shift, scale = self.modulation(condition)[0].chunk(6)[:2]
        weight = self.qkv.weight * (1 + scale)
        constant = F.linear(shift, self.qkv.weight, self.qkv.bias)
        parts = [F.linear(part - part.mean(dim=-1, keepdim=True), weight) for part in (left, right)]
        spread = (sums.var(dim=-1, keepdim=True, unbiased=False) + 1e-6).rsqrt()
        return (parts[0][None] + parts[1][:, None]) * spread + constant


class VelocityNetwork(nn.Module):
    """v(ψ, t): tokens (B, T, hidden) and times (B,) or (1,) → velocities (B, T, hidden)."""

    def __init__(self, hidden: int, layers: int = 1, heads: int = 12) -> None:
        super().__init__()
        self.sizes = (layers, heads)
        self.embed = nn.Linear(hidden, hidden)
        self.time = TimeEmbedding(hidden)
        self.blocks = nn.ModuleList(Block(hidden, heads) for _ in range(layers))
        self.final_modulation = nn.Linear(hidden, 2 * hidden)
        self.output = nn.Linear(hidden, hidden)
        self._initialise()

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        for name, parameter in self.named_parameters():
            if name.startswith("time.mlp") and name.endswith("weight"):
                nn.init.normal_(parameter, std=0.02)
            elif "modulation" in name or name.startswith("output"):
                nn.init.zeros_(parameter)

    def after_embedding(self, x: Tensor, t: Tensor) -> Tensor:
        """Everything behind the linear input layer."""
        return self._after_embedding(x, self.condition(t))

    def after_sums(self, left: Tensor, right: Tensor, t: Tensor, bias: Tensor | None = None) -> Tensor:
        """`after_embedding` of left[None] + right[:, None] at one time, sharing what a pair does not need for itself.

        left: (K, T, hidden). right: (N, 1 or T, hidden). t: (1,). bias: added to the attention, (N·K, 1, 1, T).
        Returns (N·K, T, hidden).
        """
        condition, sums = self.condition(t), left[None] + right[:, None]
        qkv = self.blocks[0].qkv_of_sums(left, right, sums, condition)  # type: ignore[operator]
        return self._after_embedding(sums.flatten(0, 1), condition, bias, qkv.flatten(0, 1))

    def condition(self, t: Tensor) -> Tensor:
        return F.silu(self.time(t))

    def _after_embedding(
        self, x: Tensor, condition: Tensor, bias: Tensor | None = None, qkv: Tensor | None = None
    ) -> Tensor:
        for number, block in enumerate(self.blocks):
            x = block(x, condition, bias, qkv if number == 0 else None)
        shift, scale = self.final_modulation(condition)[:, None, :].chunk(2, dim=-1)
        return self.output(_modulate(x, shift, scale))  # type: ignore[no-any-return]

    def forward(self, z: Tensor, t: Tensor) -> Tensor:
        return self.after_embedding(self.embed(z), t)
