"""Flora: one latent space of texts and skeletons, and a flow that decides (docs/method.md, sections 6 and 7)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from flora_engine.errors import FloraError
from flora_engine.models.flora.autoencoders import Decoder, GaussianEncoder, sample
from flora_engine.models.flora.velocity import VelocityNetwork


class Flora(nn.Module):
    """All weights. features: F of the skeleton encoder. text: channels of the class states (2d). hidden: H."""

    def __init__(self, features: int, text: int, hidden: int = 768, layers: int = 1, heads: int = 12) -> None:
        super().__init__()
        if hidden % heads:
            raise FloraError(
                f"hidden size {hidden} is not a multiple of {heads} heads", remedy="Change hidden or velocity_heads."
            )
        self.features, self.text, self.hidden = features, text, hidden
        self.text_encoder = GaussianEncoder(text, hidden)
        self.skeleton_encoder = GaussianEncoder(features, hidden)
        self.skeleton_decoder = Decoder(hidden, features)
        self.text_decoder = Decoder(hidden, text)
        self.velocity = VelocityNetwork(hidden, layers, heads)

    @property
    def sizes(self) -> list[int]:
        """The arguments with which it was made."""
        return [self.features, self.text, self.hidden, *self.velocity.sizes]

    def scorer(self, time: float, sigma_min: float) -> Scorer:
        """What decides."""
        return Scorer(self.velocity, time, sigma_min)


@dataclass(frozen=True)
class AlignLoss:
    """Scalars of phase 1: total = reconstruction + weight·(mean + log_variance)."""

    total: Tensor
    reconstruction: Tensor
    mean: Tensor
    log_variance: Tensor


def align_loss(
    model: Flora, x: Tensor, texts: Tensor, index: Tensor, text_noise: Tensor, skeleton_noise: Tensor, weight: float
) -> AlignLoss:
    """Phase-1 loss of a batch, with each encoder run once per distinct input.

    x: (B, F) skeleton features. texts: (S, T, 2d), attuned states of the distinct classes of the batch, all tokens or
    the same random subset of them for everybody. index: (B,) row of `texts` of each sample. Noises: (B, T, H).
    """
    mean_t, log_t = (part[index] for part in model.text_encoder(texts))  # (B, T, H)
    mean_s, log_s = (part[:, None, :] for part in model.skeleton_encoder(x))  # (B, 1, H): the same for every token
    # Both latents pass each decoder together: large weights are read, and their gradients added up, once.
    z = torch.stack([sample(mean_t, log_t, text_noise), sample(mean_s, log_s, skeleton_noise)])  # (2, B, T, H)
    reconstruction = 0.5 * (_mse(model.skeleton_decoder(z), x[:, None, :]) + _mse(model.text_decoder(z), texts[index]))
    mean, log_variance = _mse(mean_t, mean_s), _mse(log_t, log_s)
    return AlignLoss(reconstruction + weight * (mean + log_variance), reconstruction, mean, log_variance)


def _mse(a: Tensor, b: Tensor) -> Tensor:
    """Mean squared difference with broadcasting (torch's own warns where shapes differ)."""
    return (a - b).square().mean()


@dataclass(frozen=True)
class FlowLoss:
    """Scalars of phase 2: total = flow − weight·contrast."""

    total: Tensor
    flow: Tensor
    contrast: Tensor


def flow_loss(
    velocity: VelocityNetwork,
    pair: tuple[Tensor, Tensor],
    partner: tuple[Tensor, Tensor],
    time: Tensor,
    weight: float,
    sigma_min: float,
) -> FlowLoss:
    """Phase-2 loss. pair, partner: (text latents z0, skeleton latents z1), each (B, T, H). time: (B,) in (0, 1)."""
    keep = 1.0 - sigma_min
    t = time[:, None, None]
    predicted = velocity((1.0 - keep * t) * pair[0] + t * pair[1], time)
    flow = F.mse_loss(predicted, pair[1] - keep * pair[0])
    contrast = F.mse_loss(predicted, partner[1] - keep * partner[0])
    return FlowLoss(flow - weight * contrast, flow, contrast)


class Scorer(nn.Module):
    """Decision errors e_c of docs/method.md, section 7 at one fixed time; this is what a bundle exports as scorer.onnx.

    The input layer is linear, so texts pass it once per class and skeletons once per sample; so is what goes into the
    first attention but for one number per token; time and with it every modulation is one constant row: all exact.
    """

    def __init__(self, velocity: VelocityNetwork, time: float = 0.5, sigma_min: float = 1e-5) -> None:
        super().__init__()
        self.velocity, self.decision_time, self.sigma_min = velocity, time, sigma_min

    def forward(self, text: Tensor, skeleton: Tensor, share: Tensor | None = None) -> Tensor:
        """text: (K, T, H) latents. skeleton: (N, H), or (N, T, H) where tokens were sampled apart. Returns (N, K).

        share: (K, T), what part of a class's tokens each row of `text` stands for, see `merge_tokens`.
        """
        if skeleton.dim() == 2:
            skeleton = skeleton[:, None, :]
        t, keep = self.decision_time, 1.0 - self.sigma_min
        weight = self.velocity.embed.weight
        embedded_text = F.linear((1.0 - keep * t) * text, weight, self.velocity.embed.bias)
        embedded_skeleton = F.linear(t * skeleton, weight)
        time = torch.full((1,), t, dtype=text.dtype, device=text.device)
        # A token that stands for m equal ones gets m times the attention: log m more in the softmax.
        bias = None if share is None else share.log().repeat(skeleton.shape[0], 1)[:, None, None, :]
        predicted = self.velocity.after_sums(embedded_text, embedded_skeleton, time, bias)  # (N·K, T, H)
        target = (skeleton[:, None] - keep * text[None]).flatten(0, 1)
        squares = (predicted - target).pow(2)
        if share is None:
            return squares.mean(dim=(1, 2)).view(skeleton.shape[0], text.shape[0])
        return (squares.mean(dim=2).view(skeleton.shape[0], *text.shape[:2]) * share).sum(dim=2)


@dataclass(frozen=True)
class DistinctTokens:
    """Classes with equally many distinct tokens: their numbers (G,), the tokens to keep (G, T') and shares (G, T')."""

    classes: NDArray[np.int64]
    tokens: NDArray[np.int64]
    share: NDArray[np.float32]


def distinct_tokens(states: NDArray[np.float32]) -> list[DistinctTokens]:
    """What is left of each class when the copies of its padding are merged into one token, the same counts together.

    states: (K, L+1, C). Padding is what stands at the last place before the pooled token; only bitwise copies of it
    are merged. A text encoder whose padded places all differ keeps every token. Scoring what is left with
    the shares is exact in real arithmetic: equal tokens have equal outputs, and m of them weigh m times in the
    attention and in the mean.
    """
    same = (states == states[:, max(0, states.shape[1] - 2), None]).all(axis=2)
    copies = same & (same.cumsum(axis=1) > 1)
    first = same & ~copies
    kept = (~copies).sum(axis=1)
    order = np.argsort(copies, axis=1, kind="stable")  # kept tokens first, in their own order
    weight = np.where(first, same.sum(axis=1, keepdims=True), 1) / np.float32(states.shape[1])
    groups = []
    for count in np.unique(kept):
        classes = np.flatnonzero(kept == count)
        tokens = order[classes, :count]
        share = np.take_along_axis(weight[classes], tokens, axis=1).astype(np.float32)
        groups.append(DistinctTokens(classes, tokens, share))
    return groups


def merge_tokens(text: Tensor, count: int, rounds: int = 5) -> tuple[Tensor, Tensor]:
    """Replace the T tokens of each class by at most `count` means of like tokens and the share of tokens of each.

    text: (K, T, H). Returns (K, count, H) and (K, count), rows of shares adding up to 1; a share of 0 is an unused row.
    With `Scorer` this is exact if a class has no more than `count` different tokens, as with padding, and an
    approximation otherwise. k-means from mutually far starts; deterministic.
    """
    classes = torch.arange(len(text), device=text.device)
    chosen = text[:, -1:]  # the pooled token first
    distance = (text - chosen).square().sum(dim=2)
    for _ in range(1, count):
        added = text[classes, distance.argmax(dim=1)][:, None]
        chosen = torch.cat([chosen, added], dim=1)
        distance = torch.minimum(distance, (text - added).square().sum(dim=2))
    size = torch.zeros(chosen.shape[:2], dtype=text.dtype, device=text.device)
    for _ in range(rounds):
        nearest = torch.cdist(text, chosen, compute_mode="donot_use_mm_for_euclid_dist").argmin(dim=2)  # (K, T)
        belongs = F.one_hot(nearest, count).to(text.dtype)  # (K, T, count)
        size = belongs.sum(dim=1)
        means = (belongs.transpose(1, 2) @ text) / size.clamp(min=1)[:, :, None]
        chosen = torch.where(size[:, :, None] > 0, means, chosen)
    return chosen, size / text.shape[1]


def decide(errors: Tensor, unseen: Tensor) -> Tensor:
    """ZSL: the unseen class of smallest error. errors: (N, K) over all classes; unseen: int64 (U,). Returns (N,)."""
    return unseen[errors[:, unseen].argmin(dim=1)]


def decide_generalised(errors: Tensor, seen: Tensor, unseen: Tensor, calibration: float) -> Tensor:
    """GZSL: r = min_seen e / min_unseen e; where r > calibration the best unseen class, else the best seen one."""
    ratio = errors[:, seen].amin(dim=1) / errors[:, unseen].amin(dim=1)
    return torch.where(ratio > calibration, decide(errors, unseen), decide(errors, seen))


_PUBLISHED_NAMES = (
    ("semantic_encoder.", "text_encoder."),
    ("motion_encoder.", "skeleton_encoder."),
    ("motion_decoder.", "skeleton_decoder."),
    ("semantic_decoder.", "text_decoder."),
    ("velocity_predictor.", "velocity."),
    ("proj_mu.", "mean."),
    ("proj_log_var.", "log_variance."),
    ("x_embedder.", "embed."),
    ("t_embedder.", "time."),
    ("final_layer.linear.", "output."),
    ("final_layer.adaLN_modulation.1.", "final_modulation."),
    ("adaLN_modulation.1.", "modulation."),
    ("attn.qkv.", "qkv."),
    ("attn.proj.", "projection."),
    ("mlp.fc1.", "up."),
    ("mlp.fc2.", "down."),
)


def our_name(published: str) -> str:
    """Our name of a weight of the published code."""
    for theirs, ours in _PUBLISHED_NAMES:
        published = published.replace(theirs, ours)
    return published


def from_published(state: Mapping[str, Tensor], heads: int) -> Flora:
    """A model from weights under the published names; sizes are read from the weights, `heads` is not among them.

    Raises FloraError if a weight is missing, unknown or of another shape.
    """
    renamed = {our_name(name): value for name, value in state.items()}
    try:
        hidden, text = renamed["text_encoder.backbone.0.weight"].shape
        features = renamed["skeleton_encoder.backbone.0.weight"].shape[1]
        layers = 1 + max(int(name.split(".")[2]) for name in renamed if name.startswith("velocity.blocks."))
        model = Flora(features, text, hidden, layers, heads)
        model.load_state_dict(renamed)
    except (KeyError, ValueError, RuntimeError) as error:
        raise FloraError(f"these are not weights of Flora: {error}") from None
    return model
