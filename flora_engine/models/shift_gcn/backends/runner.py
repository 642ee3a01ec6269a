"""A Shift-GCN whose blocks are computed by a back end; this one leaves all of them to PyTorch."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from flora_engine.models.shift_gcn.network import Block, ShiftGCN
from flora_engine.models.shift_gcn.unchanged import block_changed, model_changed


class Runner(nn.Module):
    """Computes what `model` computes. Which layers are as `network` has them is looked up once, here at the start.

    Weights and statistics are the model's own: train it, save it, and use this in place of calling it. `watch` sees
    the output of each block that runs outside its module, where hooks of the module are not called; what it raises
    ends the step.
    """

    name = "torch"

    def __init__(self, model: ShiftGCN) -> None:
        super().__init__()
        self.model = model
        self.watch: Callable[[Tensor], None] | None = None
        self.known = [False] * len(model.blocks)
        self.whole = not model_changed(model)  # if not, the model is called as it is
        if self.whole and self.name != "torch":
            self.known = [not block_changed(block) for block in model.blocks]

    def forward(self, x: Tensor) -> Tensor:
        """x (N, C, T, V, M) → logits (N, classes)."""
        if not any(self.known):
            logits: Tensor = self.model(x)
            return logits
        return self.model.logits(self.features(x))

    def features(self, x: Tensor) -> Tensor:
        """x (N, C, T, V, M) → (N, 4·base_channels)."""
        if not any(self.known):
            return self.model.features(x)
        return self.model.pooled(self.run_blocks(self.model.bodies(x)))

    def run_blocks(self, x: Tensor) -> Tensor:
        """The data norm's output (B, C, V, T) → the last block's."""
        for block, known in zip(self.model.blocks, self.known, strict=True):
            if known and isinstance(block, Block) and self.takes(block, x):
                x = self.run_block(block, x)
                if self.watch is not None:
                    self.watch(x)
            else:
                x = block(x)
        return x

    def takes(self, block: Block, x: Tensor) -> bool:
        """Whether the back end can run this known block now: device, dtype, mode, offsets."""
        return False

    def run_block(self, block: Block, x: Tensor) -> Tensor:
        """One block that it takes: (B, C, V, T) → (B, C', V, ⌊T/stride⌋)."""
        raise NotImplementedError

    def describe(self) -> str:
        """What computes the model, in a few words."""
        if self.name == "torch":
            return "torch"
        rest = len(self.known) - sum(self.known)
        text = f"{self.name} for {sum(self.known)} of {len(self.known)} blocks"
        return f"{text}, torch for the others, which are not as in network.py" if rest else text


def track(norm: nn.BatchNorm1d | nn.BatchNorm2d, mean: Tensor, variance: Tensor) -> None:
    """Move a batch norm's running statistics towards a batch's mean and unbiased variance, as the module does."""
    if norm.running_mean is None or norm.running_var is None or norm.num_batches_tracked is None:
        return
    norm.num_batches_tracked.add_(1)
    share = norm.momentum if norm.momentum is not None else 1 / float(norm.num_batches_tracked)
    norm.running_mean.lerp_(mean.to(norm.running_mean.dtype), share)
    norm.running_var.lerp_(variance.to(norm.running_var.dtype), share)
