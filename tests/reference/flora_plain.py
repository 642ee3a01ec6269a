"""Flora as the published code computes it: slow, plain, and what the fast engine is measured against.

Every feature is repeated over all tokens before it is encoded, every sample's text is encoded anew in every step,
contrast partners are found by listing all samples of other classes, and each candidate class passes the whole
network by itself, for each batch of test samples. Weights live in the engine's own modules; the computation is here.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from flora_engine.config import FloraSettings
from flora_engine.models.flora.network import Flora
from flora_engine.semantics.attunement import attune


def encode(encoder, x, noise):  # type: ignore[no-untyped-def]
    mean, log_variance = encoder(x)
    return mean, log_variance, mean + noise * torch.exp(0.5 * log_variance)


def repeated(x: torch.Tensor, tokens: int) -> torch.Tensor:
    """(B, F) → (B, tokens, F)."""
    return x.unsqueeze(1).repeat(1, tokens, 1)


def align_loss(model: Flora, x, text, text_noise, skeleton_noise, weight):  # type: ignore[no-untyped-def]
    """x (B, F), text (B, L+1, 2d), noises (B, L+1, H)."""
    skeleton = repeated(x, text.shape[1])
    mean_t, log_t, z_t = encode(model.text_encoder, text, text_noise)
    mean_s, log_s, z_s = encode(model.skeleton_encoder, skeleton, skeleton_noise)
    reconstruction = F.mse_loss(model.skeleton_decoder(z_s), skeleton) + F.mse_loss(model.text_decoder(z_t), text)
    crossed = F.mse_loss(model.text_decoder(z_s), text) + F.mse_loss(model.skeleton_decoder(z_t), skeleton)
    return (reconstruction + crossed) / 4 + weight * (F.mse_loss(mean_t, mean_s) + F.mse_loss(log_t, log_s))


def latents(model: Flora, x, text, text_noise, skeleton_noise):  # type: ignore[no-untyped-def]
    with torch.no_grad():
        z_t = encode(model.text_encoder, text, text_noise)[2]
        z_s = encode(model.skeleton_encoder, repeated(x, text.shape[1]), skeleton_noise)[2]
    return z_t, z_s


def flow_loss(model: Flora, pair, partner, time, weight, sigma_min):  # type: ignore[no-untyped-def]
    keep = 1 - sigma_min
    t = time.view(-1, 1, 1)
    predicted = model.velocity((1 - keep * t) * pair[0] + t * pair[1], time)
    return F.mse_loss(predicted, pair[1] - keep * pair[0]) - weight * F.mse_loss(
        predicted, partner[1] - keep * partner[0]
    )


def errors(model: Flora, x, texts, skeleton_noise, text_noise, time=0.5, sigma_min=1e-5):  # type: ignore[no-untyped-def]
    """x (N, F), texts (C, L+1, 2d) → (N, C), one candidate class after the other."""
    keep = 1 - sigma_min
    with torch.no_grad():
        z_s = encode(model.skeleton_encoder, repeated(x, texts.shape[1]), skeleton_noise)[2]
        latents_t = encode(model.text_encoder, texts, text_noise)[2]
        columns = []
        for c in range(len(texts)):
            z_t = latents_t[c : c + 1].repeat(len(x), 1, 1)
            times = torch.full((len(x),), time, device=x.device)
            predicted = model.velocity((1 - keep * time) * z_t + time * z_s, times)
            columns.append(((predicted - (z_s - keep * z_t)) ** 2).mean(dim=(1, 2)))
    return torch.stack(columns, dim=1)


def train(  # type: ignore[no-untyped-def]
    settings: FloraSettings, data, labels, states, attunement, seed=0, device="cpu", watch=None, steps=None
) -> tuple[Flora, np.ndarray]:
    """Both phases, published recipe; returns the model and the attuned states. steps: (align, flow) instead."""
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    attuned = attune(states, *attunement)
    heads = (settings.hidden, settings.velocity_layers, settings.velocity_heads)
    model = Flora(data.shape[1], attuned.shape[2], *heads).to(device)
    align_steps, flow_steps = steps or (
        settings.align_iterations,
        settings.total_iterations - settings.align_iterations,
    )
    features, texts = torch.from_numpy(data).to(device), torch.from_numpy(attuned).to(device)
    shape = (attuned.shape[1], settings.hidden)

    def noise(n: int) -> torch.Tensor:
        return torch.randn(n, *shape, device=device)

    def batches(count: int):  # type: ignore[no-untyped-def]
        size, order = min(settings.batch_size, len(data)), np.empty(0, int)
        for _ in range(count):
            if len(order) < size:
                order = np.concatenate([order, random.permutation(len(data))])
            yield order[:size]
            order = order[size:]

    velocity = list(model.velocity.parameters())
    inside = {id(p) for p in velocity}
    rest = [p for p in model.parameters() if id(p) not in inside]
    optimiser = torch.optim.AdamW(rest, settings.learning_rate, weight_decay=settings.weight_decay)
    for rows in batches(align_steps):
        x, text = features[rows], texts[labels[rows]]
        optimiser.zero_grad()
        align_loss(model, x, text, noise(len(rows)), noise(len(rows)), settings.align_weight).backward()
        optimiser.step()
    optimiser = torch.optim.AdamW(velocity, settings.learning_rate, weight_decay=settings.weight_decay)
    every = max(1, flow_steps // settings.evaluations)
    for step, rows in enumerate(batches(flow_steps), start=1):
        others = np.array([random.choice([j for j in range(len(labels)) if labels[j] != labels[i]]) for i in rows])
        n = len(rows)
        pair = latents(model, features[rows], texts[labels[rows]], noise(n), noise(n))
        partner = latents(model, features[others], texts[labels[others]], noise(n), noise(n))
        optimiser.zero_grad()
        time = torch.sigmoid(torch.randn(n, device=device))
        flow_loss(model, pair, partner, time, settings.contrast_weight, settings.sigma_min).backward()
        optimiser.step()
        if watch is not None and step % every == 0:
            watch(step // every, model)
    return model, attuned
