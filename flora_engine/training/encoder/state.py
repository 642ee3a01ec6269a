"""What a training of the encoder keeps on disk, and how it resumes: the run's `STREAM.best` and `STREAM.last`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from flora_engine.config.sections import EncoderSettings
from flora_engine.errors import FloraError
from flora_engine.models.shift_gcn.network import ShiftGCN
from flora_engine.runs import checkpoint
from flora_engine.training.encoder.data import TrainingData

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass
class Position:
    """How far a training is; together with the weights and the optimiser all that resuming needs."""

    epoch: int = 0
    step: int = 0
    loss: float = 0.0  # sums over the current epoch's clips so far
    correct: float = 0.0
    seen: int = 0
    best_epoch: int = -1
    best_accuracy: float | None = None
    best_loss: float | None = None
    history: list[dict[str, float]] = field(default_factory=list)


def plain_settings(settings: EncoderSettings) -> dict[str, Any]:
    """The settings as JSON-ready data."""
    return dict(settings.model_dump(mode="json"))


def about_network(
    settings: EncoderSettings,
    data: TrainingData,
    stream: str,
    class_ids: Sequence[int] | None,
    class_names: Sequence[str] | None,
) -> dict[str, Any]:
    """What a checkpoint says of its network: how to make it, what its input is and what its outputs mean."""
    channels, frames, joints, persons = data.shape
    return {
        "kind": "encoder",
        "network": {
            "classes": data.classes,
            "joints": joints,
            "persons": persons,
            "channels": channels,
            "base_channels": settings.base_channels,
            "dropout": settings.dropout,
            "shift_gradient": settings.shift_gradient,
        },
        "stream": stream,
        "frames": frames,
        "settings": plain_settings(settings),
        "class_ids": [int(i) for i in (range(data.classes) if class_ids is None else class_ids)],
        "class_names": None if class_names is None else list(class_names),
    }


def load_encoder(path: Path, device: str | torch.device = "cpu") -> tuple[ShiftGCN, dict[str, Any]]:
    """The network of a checkpoint, in evaluation mode, and what is known of it.

    The dict holds ``network`` (the constructor's arguments), ``stream``, ``class_ids``, ``class_names``, ``epoch``,
    ``accuracy``, ``frames``, ``settings``. Raises FloraError if the file is not an encoder's.
    """
    state = checkpoint.load(path, device)
    if state.get("about", {}).get("kind") != "encoder":
        raise FloraError("this checkpoint does not hold a skeleton encoder", path=path)
    model = ShiftGCN(**state["about"]["network"]).to(device)
    model.load_state_dict(state["model"])
    return model.eval(), state["about"]


def save_best(path: Path, about: Mapping[str, Any], position: Position, weights: Mapping[str, Tensor]) -> None:
    """Write the weights of the best epoch so far."""
    described = {**about, "epoch": position.best_epoch, "accuracy": position.best_accuracy}
    checkpoint.save(path, {"about": described, "model": dict(weights)})


def save_last(
    path: Path,
    about: Mapping[str, Any],
    identity: int,
    position: Position,
    model: ShiftGCN,
    optimiser: torch.optim.Optimizer,
) -> None:
    """Write all that resuming needs."""
    state = {
        "about": {**about, "epoch": position.epoch, "accuracy": None},
        "identity": identity,
        "position": asdict(position),
        "model": model.state_dict(),
        "optimizer": optimiser.state_dict(),
    }
    checkpoint.save(path, state)


def restore_last(
    path: Path,
    about: Mapping[str, Any],
    identity: int,
    model: ShiftGCN,
    optimiser: torch.optim.Optimizer,
    device: torch.device,
) -> Position:
    """Load what `save_last` wrote into model and optimiser; FloraError if it belongs to another experiment."""
    state = checkpoint.load(path, device)
    changed = changed_settings(state["about"].get("settings", {}), about["settings"])
    if changed or state["identity"] != identity:
        what = "settings: " + ", ".join(changed) if changed else "other training clips"
        raise FloraError(
            f"this checkpoint belongs to another experiment ({what})", path=path, remedy="Start a new run."
        )
    model.load_state_dict(state["model"])
    optimiser.load_state_dict(state["optimizer"])
    return Position(**state["position"])


def changed_settings(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Keys in which two `plain_settings` differ. A key that `then` lacks is newer than it and had today's default."""
    filled = {**plain_settings(EncoderSettings()), **then}
    return sorted(key for key in {*filled, *now} if filled.get(key) != now.get(key))
