"""TDSM: noise, triplets and the denoiser against plain computations, and a decision that can be worked out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from flora_engine.heads import tdsm
from flora_engine.models.denoiser import Denoiser


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def denoiser(blocks: int = 1) -> Denoiser:
    """One whose zero-initialised layers do something."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Denoiser(features=5, text=6, tokens=3, hidden=8, blocks=blocks, heads=2)
        for parameter in model.parameters():
            parameter.data = 0.5 * torch.randn(parameter.shape)
    return model


def test_the_shares_that_noise_leaves() -> None:
    kept = tdsm.kept_shares()
    beta = [(0.00085**0.5 + (0.012**0.5 - 0.00085**0.5) * i / 49) ** 2 for i in range(50)]
    assert kept[0].item() == pytest.approx(1 - beta[0], rel=1e-6)
    assert kept[25].item() == pytest.approx(np.prod([1 - one for one in beta[:26]]), rel=1e-5)
    x, noise = normal(3, 4), normal(3, 4, seed=1)
    noisy = tdsm.noised(x, noise, kept[[0, 25, 49]])
    torch.testing.assert_close(noisy[1], kept[25] ** 0.5 * x[1] + (1 - kept[25]) ** 0.5 * noise[1])
    torch.testing.assert_close(tdsm.noised(x, noise, torch.tensor(1.0)), x)


def test_a_triplet_counts_only_between_different_texts() -> None:
    own, other = torch.tensor([0.5, 0.2, 0.3]), torch.tensor([0.9, 2.0, 0.3])
    assert tdsm.triplet(own, other, torch.ones(3), 1.0).item() == pytest.approx((0.5 + 0.6 + 0.2 + 0.3 + 1.0) / 3)
    assert tdsm.triplet(own, other, torch.tensor([1.0, 1.0, 0.0]), 1.0).item() == pytest.approx(
        (0.5 + 0.6 + 0.2 + 0.3) / 3
    )


def test_a_text_of_one_row_is_for_all_skeletons() -> None:
    for blocks in (1, 2):
        model, noisy = denoiser(blocks), normal(4, 5)
        pooled, tokens, time = normal(1, 6), normal(1, 3, 6), torch.tensor([25])
        shared = model(noisy, time, pooled, tokens)
        own = model(noisy, time.expand(4), pooled.expand(4, 6), tokens.expand(4, 3, 6))
        torch.testing.assert_close(shared, own, rtol=1e-4, atol=1e-5)
        assert (model(noisy, time, pooled, normal(1, 3, 6, seed=1)) - shared).abs().max() > 1e-3
        assert (model(noisy, torch.tensor([3]), pooled, tokens) - shared).abs().max() > 1e-3


def test_attention_of_a_block_against_loops() -> None:
    """One skeleton token among three text tokens, two heads of four channels."""
    block = denoiser().blocks[0]
    skeleton, text, condition = normal(2, 1, 8), normal(2, 3, 8, seed=1), normal(2, 8, seed=2)
    found, same = block(skeleton, text, condition)
    assert same is text, "nothing reads the text after the last block"
    with torch.no_grad():
        own, own_parts = block.skeleton.begin(skeleton, condition)
        read, _ = block.text.begin(text, condition)
        mixed = torch.zeros(2, 1, 8)
        for row in range(2):
            for head in range(2):
                channels = slice(4 * head, 4 * head + 4)
                both = torch.cat([own[row], read[row]])
                q, k, v = (both[:, 8 * part : 8 * part + 8][:, channels] for part in range(3))
                weights = torch.tensor([float(q[0] @ one) / 2 for one in k]).softmax(dim=0)
                mixed[row, 0, channels] = sum((w * one for w, one in zip(weights, v, strict=True)), torch.zeros(4))
        expected = block.skeleton.finish(skeleton, mixed, own_parts)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_the_denoiser_begins_with_zero() -> None:
    model = Denoiser(features=5, text=6, tokens=3, hidden=8, blocks=2, heads=2)
    assert model(normal(4, 5), torch.tensor([1]), normal(1, 6), normal(1, 3, 6)).abs().max() == 0


def test_tokens_are_merged_with_their_neighbours() -> None:
    states = normal(2, 10, 3)
    texts = tdsm.Texts.of(states)
    assert texts.pooled.shape == (2, 3) and texts.tokens.shape == (2, tdsm.TOKENS, 3)
    spread = states.square().mean().sqrt()
    torch.testing.assert_close(texts.tokens[:, 0], states[:, :3].mean(dim=1) / spread)
    assert tdsm.Texts.of(states[:, :3]).tokens.shape == (2, 2, 3), "never more than there are"
