"""Several Floras, one per stream of the features, whose scores are added: in place of one on all streams side by side.

Scores are −log e, so their weighted sum is minus the logarithm of a product of powers. That makes the whole again look
like one Flora: encoders side by side, and a scorer that gives one error for each class.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from flora_engine.models.flora.network import Flora, Scorer

SMALLEST = 1e-30  # of an error, before its logarithm


class SideBySide(nn.Module):
    """Gaussian encoders as one: their means side by side, and so their log variances.

    widths: what each reads of the input's last axis; None if each reads all of it.
    """

    def __init__(self, encoders: Sequence[nn.Module], widths: Sequence[int] | None = None) -> None:
        super().__init__()
        self.encoders, self.widths = nn.ModuleList(encoders), None if widths is None else list(widths)

    def _each(self, x: Tensor) -> list[tuple[nn.Module, Tensor]]:
        inputs = [x] * len(self.encoders) if self.widths is None else torch.split(x, self.widths, dim=-1)
        return list(zip(self.encoders, inputs, strict=True))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        found = [encoder(part) for encoder, part in self._each(x)]
        return torch.cat([mean for mean, _ in found], -1), torch.cat([log for _, log in found], -1)

    def means(self, x: Tensor) -> Tensor:
        """The means alone, (…, all of their widths)."""
        return torch.cat([encoder.means(part) for encoder, part in self._each(x)], -1)  # type: ignore[operator]


class AddedScorer(nn.Module):
    """e_c = Π e_c of each part to the power of its weight: −log of it is the weighted sum of the parts' scores."""

    def __init__(self, scorers: Sequence[Scorer], widths: Sequence[int], weights: Sequence[float]) -> None:
        super().__init__()
        self.scorers, self.widths, self.weights = nn.ModuleList(scorers), list(widths), list(weights)

    def forward(self, text: Tensor, skeleton: Tensor, share: Tensor | None = None) -> Tensor:
        """As `Scorer`, with the latents of all parts side by side."""
        latents = (torch.split(x, self.widths, dim=-1) for x in (text, skeleton))
        parts = zip(self.scorers, *latents, strict=True)
        logs = [scorer(t, s, share).clamp_min(SMALLEST).log() for scorer, t, s in parts]
        return torch.stack([weight * log for weight, log in zip(self.weights, logs, strict=True)]).sum(0).exp()


class AddedFlora(nn.Module):
    """Floras of equally wide streams, in the order of the features. weights: of their scores, made to sum to 1.

    It offers what deciding, keeping and exporting need of a `Flora`.
    """

    def __init__(self, parts: Sequence[Flora], weights: Sequence[float]) -> None:
        super().__init__()
        self.parts, self.weights = nn.ModuleList(parts), [weight / sum(weights) for weight in weights]
        self.features, self.text = sum(part.features for part in parts), parts[0].text
        self.hidden = sum(part.hidden for part in parts)
        self.text_encoder = SideBySide([part.text_encoder for part in parts])
        self.skeleton_encoder = SideBySide([part.skeleton_encoder for part in parts], [p.features for p in parts])

    @property
    def sizes(self) -> list[int]:
        """The arguments of each part."""
        return self._floras()[0].sizes

    def _floras(self) -> list[Flora]:
        return [part for part in self.parts if isinstance(part, Flora)]

    def scorer(self, time: float, sigma_min: float) -> AddedScorer:
        """What decides, on latents side by side."""
        floras = self._floras()
        scorers = [part.scorer(time, sigma_min) for part in floras]
        return AddedScorer(scorers, [part.hidden for part in floras], self.weights)

    @classmethod
    def blank(cls, sizes: Sequence[int], weights: Sequence[float]) -> AddedFlora:
        """To load a state into. sizes: of each part."""
        return cls([Flora(*sizes) for _ in weights], weights)
