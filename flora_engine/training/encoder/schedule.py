"""How the encoder's weights move: optimiser, learning rate, and the published step of the temporal offsets."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from flora_engine.models.shift_gcn.network import Offsets, ShiftGCN, parameter_groups
from flora_engine.models.shift_gcn.temporal_shift import normalise

if TYPE_CHECKING:
    from flora_engine.config import EncoderSettings


def make_optimiser(model: ShiftGCN, settings: EncoderSettings) -> torch.optim.SGD:
    """SGD with Nesterov momentum and the published weight decays."""
    return torch.optim.SGD(
        parameter_groups(model, settings.weight_decay, settings.linear_weight_decay),
        lr=settings.learning_rate,
        momentum=settings.momentum,
        nesterov=settings.momentum > 0,
    )


def learning_rate(settings: EncoderSettings, epoch: int) -> float:
    """The rate of epoch `epoch` (from 0): linear warm-up, then steps of ×0.1 at the milestones, or a half cosine."""
    if epoch < settings.warmup_epochs:
        return settings.learning_rate * (epoch + 1) / (settings.warmup_epochs + 1)
    if settings.schedule == "cosine":
        done = (epoch - settings.warmup_epochs) / max(1, settings.epochs - settings.warmup_epochs)
        return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * done))
    return settings.learning_rate * 0.1 ** sum(epoch >= milestone for milestone in settings.milestones)


def offsets_stepped_here(model: ShiftGCN, settings: EncoderSettings, processes: int) -> list[Offsets]:
    """The temporal offsets whose gradients `normalise_offsets` must normalise before each step; none: the layers do.

    The published offsets follow the sign of the gradient of the whole batch. If the batch comes in parts, the sign
    must wait for their sum, so the layers are made to give the true gradient. (xpos gets none, and stays.)
    """
    if (processes == 1 and settings.accumulate == 1) or settings.shift_gradient == "true":
        return []
    temporal = [block.temporal for block in model.each_block()]
    for module in temporal:
        module.gradient = "true"
    offsets = [one for module in temporal for one in (module.shift_in, module.shift_out)]
    for one in offsets:
        one.xpos.requires_grad_(False)
    return offsets


def normalise_offsets(offsets: list[Offsets]) -> None:
    """Replace the true gradients of these offsets by the published step."""
    for one in offsets:
        one.xpos.grad = torch.zeros_like(one.xpos)  # not None, for it has a weight decay
        if one.ypos.grad is not None:
            one.ypos.grad.copy_(normalise(one.ypos.grad))
