"""A bundle with random weights: everything of a real one but the skill."""

from __future__ import annotations

from pathlib import Path

import torch

from flora_engine.labelling.bundle import (
    Attunement,
    Decision,
    Manifest,
    PreparationReference,
    SeenClass,
    TextEncoderReference,
)
from flora_engine.labelling.export_bundle import export_bundle
from flora_engine.models.flora.network import Flora
from flora_engine.models.shift_gcn.network import ShiftGCN
from flora_engine.semantics.text_encoder import MINILM_SHA256

TOKENS, FRAMES = 12, 16
TEXT_CHANNELS = 2 * 384


def models() -> tuple[ShiftGCN, Flora]:
    """A small encoder and a small Flora whose velocity is not zero, as it is at initialisation."""
    torch.manual_seed(3)
    encoder, flora = ShiftGCN(4, base_channels=8), Flora(32, TEXT_CHANNELS, hidden=24, heads=2)
    with torch.no_grad():
        for parameter in flora.velocity.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return encoder.eval(), flora.eval()


def manifest() -> Manifest:
    return Manifest(
        name="tiny",
        text_encoder=TextEncoderReference(name="minilm", sha256=MINILM_SHA256, tokens=TOKENS),
        preparation=PreparationReference(name="clip", frames=FRAMES),
        attunement=Attunement(neighbours=2, weight=0.5),
        decision=Decision(time=0.5, sigma_min=1e-5, calibration=0.75, temperature=0.01),
        seen_classes=(
            SeenClass(name="squat", motion="bend both knees deeply", definition="Lowering the hips."),
            SeenClass(name="jog", motion="run on the spot with bent arms", definition="Running slowly."),
        ),
        files={},
    )


def write(folder: Path) -> tuple[ShiftGCN, Flora]:
    """Write the bundle and return what it was made of."""
    encoder, flora = models()
    export_bundle(folder, encoder, flora, manifest())
    return encoder, flora
