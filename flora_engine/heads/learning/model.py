"""A trained Flora: what it scores, and how it is kept on disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from flora_engine.errors import FloraError
from flora_engine.models.flora.added import AddedFlora
from flora_engine.models.flora.autoencoders import sample
from flora_engine.models.flora.direct import DirectMap
from flora_engine.models.flora.network import Flora, distinct_tokens, merge_tokens
from flora_engine.runs.checkpoint import load, save

# Latent values of one scoring chunk: on a CPU the fastest of what was tried in bfloat16; enough to fill a GPU.
SCORING_ELEMENTS = {"cpu": 1 << 21, "cuda": 1 << 26}


@dataclass
class FloraModel:
    """A trained Flora with the class states it decides among.

    states: float32 (K, L+1, 2d), attuned, one per class (seen and unseen). direct: what decides beside Flora, if
    anything does (head ensemble), with the class vectors that it is multiplied with, float32 (K, 2d).
    """

    network: Flora | AddedFlora
    states: NDArray[np.float32]
    neighbours: int
    weight: float
    decision_time: float
    sigma_min: float
    direct: DirectMap | None = None
    vectors: NDArray[np.float32] | None = None

    @torch.no_grad()
    def errors(
        self,
        x: NDArray[np.float32],
        classes: NDArray[np.int64] | None = None,
        sampling: torch.Generator | None = None,
        merged: int = 0,
        bfloat16: bool = False,
    ) -> NDArray[np.float32]:
        """Decision errors e_c, smaller is better.

        x: float32 (N, F). classes: rows of `states` to score, None for all. Latents are the means, and copies of
        padding are scored once (exact, see `distinct_tokens`); with a `sampling` generator latents are drawn per
        token, as the published evaluation does. merged: 0 is exact; else the tokens of each class are merged into so
        many (`merge_tokens`; not together with sampling). bfloat16: multiply matrices with 8 bits of mantissa.
        Returns float32 (N, K or len(classes)).
        """
        states = self.states if classes is None else self.states[classes]
        result = np.empty((len(x), len(states)), np.float32)
        if sampling is not None:
            mean, log_variance = self.network.text_encoder(self._tensor(states))
            self._score(x, sample(mean, log_variance, _noise(mean, sampling)), None, result, bfloat16, sampling)
        elif merged and merged < states.shape[1]:
            text, share = merge_tokens(self.network.text_encoder.means(self._tensor(states)), merged)
            self._score(x, text, share, result, bfloat16)
        else:
            for group in distinct_tokens(states):
                text = self.network.text_encoder.means(self._tensor(states[group.classes[:, None], group.tokens]))
                some = None if group.tokens.shape[1] == states.shape[1] else self._tensor(group.share)
                part = np.empty((len(x), len(group.classes)), np.float32)
                self._score(x, text, some, part, bfloat16)
                result[:, group.classes] = part
        return result

    @torch.no_grad()
    def direct_scores(self, x: NDArray[np.float32], classes: NDArray[np.int64]) -> NDArray[np.float32]:
        """What `direct` adds to −log e_c, (N, len(classes)); zeros without it."""
        if self.direct is None or self.vectors is None:
            return np.zeros((len(x), len(classes)), np.float32)
        scores: NDArray[np.float32] = (
            (self.direct(self._tensor(x)) @ self._tensor(self.vectors[classes]).T).cpu().numpy()
        )
        return scores

    def _score(
        self,
        x: NDArray[np.float32],
        text: Tensor,
        share: Tensor | None,
        out: NDArray[np.float32],
        bfloat16: bool,
        sampling: torch.Generator | None = None,
    ) -> None:
        """Fill `out` (N, K) with the errors of text latents (K, T, H), in chunks that suit the device."""
        scorer = self.network.scorer(self.decision_time, self.sigma_min)
        rows = max(1, SCORING_ELEMENTS.get(text.device.type, 1 << 21) // text.numel())
        for start in range(0, len(x), rows):
            skeleton, log_variance = self.network.skeleton_encoder(self._tensor(x[start : start + rows]))
            if sampling is not None:
                noise = torch.randn((len(skeleton), *text.shape[1:]), generator=sampling, device=text.device)
                skeleton = sample(skeleton[:, None], log_variance[:, None], noise)
            with torch.autocast(text.device.type, torch.bfloat16, enabled=bfloat16):
                out[start : start + rows] = scorer(text, skeleton, share).float().cpu().numpy()

    def _tensor(self, array: NDArray[np.float32]) -> Tensor:
        return torch.from_numpy(array).to(next(self.network.parameters()).device)

    @torch.no_grad()
    def latents(self, x: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Means in the aligned space: skeletons (N, H), and classes (K, H) averaged over their tokens."""
        device = next(self.network.parameters()).device
        skeleton = self.network.skeleton_encoder.means(torch.from_numpy(x).to(device))
        text = self.network.text_encoder.means(torch.from_numpy(self.states).to(device)).mean(dim=1)
        return skeleton.cpu().numpy(), text.cpu().numpy()


def save_model(path: Path, model: FloraModel) -> None:
    """Write weights, attuned class states and decision settings."""
    network = model.network
    state = {
        "sizes": network.sizes,
        "network": network.state_dict(),
        "states": torch.from_numpy(model.states),
        "attunement": [model.neighbours, model.weight],
        "decision": [model.decision_time, model.sigma_min],
    }
    if isinstance(network, AddedFlora):
        state["added"] = network.weights
    if model.direct is not None and model.vectors is not None:
        state |= {"direct": model.direct.state_dict(), "vectors": torch.from_numpy(model.vectors)}
    save(path, state)


def load_model(path: Path, device: str = "cpu") -> FloraModel:
    """Read what `save_model` wrote; raises FloraError."""
    state = load(path, device)
    try:
        added = state.get("added")
        network = Flora(*state["sizes"]) if added is None else AddedFlora.blank(state["sizes"], added)
        network.load_state_dict(state["network"])
        decided, attuned = state["decision"], state["attunement"]
        direct, vectors = None, None
        if "direct" in state:
            direct, vectors = DirectMap.blank(network.features, network.text), state["vectors"].cpu().numpy()
            direct.load_state_dict(state["direct"])
            direct.to(device)
    except (KeyError, TypeError, RuntimeError) as error:
        raise FloraError(f"this checkpoint holds no Flora model: {error}", path=path) from None
    states = state["states"].cpu().numpy()
    neighbours, weight = attuned
    at, sigma_min = decided
    network.to(device).eval()
    return FloraModel(network, states, neighbours, weight, at, sigma_min, direct, vectors)


def _noise(like: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(like.shape, generator=generator, device=like.device)
