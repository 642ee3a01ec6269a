"""ReViSE: two autoencoders whose codes are made alike, and a hinge that ranks classes in a common space.

Tsai, Huang and Salakhutdinov, "Learning Robust Visual-Semantic Embeddings" (ICCV 2017), as Gupta et al. (SynSE, ICIP
2021) apply it to skeleton features: codes of 100 channels, linear maps with tanh to 50, margin 0.3, kernel
exp(−32·|u − v|²) of the maximum mean discrepancy, contraction 10⁻⁴. Loss: hinge + both reconstructions + the
discrepancy of the codes + contraction of the skeleton's encoder. Left out: adaptation to unlabelled test recordings,
which the zero-shot protocols here forbid. Features are standardised instead of log(1 + x), and decoders end linearly.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flora_engine.config import FloraSettings
from flora_engine.heads import Choice, Fit
from flora_engine.heads.learning.losses import discrepancy, ranking_hinge
from flora_engine.heads.learning.tensors import Tensors, learn, seeded, watched

FLOW = False
STEPS = 1500
CODE, COMMON = 100, 50
MARGIN = 0.3
CONTRACTION = 1e-4


def choices(settings: FloraSettings) -> list[Choice]:
    """Kernels of the discrepancy: the published one, and one as wide as codes of standardised features are apart."""
    return [{"kernel": 32.0}, {"kernel": 0.1}]


class Autoencoder(nn.Module):
    """(N, inputs) → a code (N, CODE), the input rebuilt from it, and the common space (N, COMMON)."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.encoder = nn.Linear(inputs, CODE)
        self.decoder = nn.Linear(CODE, inputs)
        self.mapping = nn.Linear(CODE, COMMON)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        code = F.relu(self.encoder(x))
        return code, self.decoder(code), self.common(code)

    def common(self, code: Tensor) -> Tensor:
        return torch.tanh(self.mapping(code))

    def contraction(self, code: Tensor) -> Tensor:
        """Mean over rows of the squared Frobenius norm of ∂code/∂x (Rifai et al., ICML 2011)."""
        norms = self.encoder.weight.square().sum(dim=1)
        return ((code > 0).float() @ norms).mean()


def fit(task: Fit) -> nn.ModuleList:
    """Learn both autoencoders on seen classes."""
    tensors = Tensors.of(task.problem)
    vectors = tensors.vectors(task.problem.vectors)
    vectors = vectors * vectors.shape[1] ** 0.5  # unit variance per channel, as the features have it
    skeleton = seeded(task.problem, lambda: Autoencoder(tensors.x.shape[1]))
    text = seeded(task.problem, lambda: Autoencoder(vectors.shape[1]))
    models = nn.ModuleList([skeleton, text])
    kernel = float(task.choice["kernel"])

    def loss(rows: Tensor) -> Tensor:
        x, own = tensors.x[rows], tensors.own[rows]
        code, rebuilt, mapped = skeleton(x)
        codes, read, candidates = text(vectors[tensors.seen])
        hinge = ranking_hinge(mapped @ candidates.T, own, MARGIN).sum(dim=1).mean()
        rebuilding = F.mse_loss(rebuilt, x) + F.mse_loss(read[own], vectors[tensors.seen][own])
        apart = discrepancy(code, codes[own], kernel)
        total: Tensor = hinge + rebuilding + apart + CONTRACTION * skeleton.contraction(code)
        return total

    score = tensors.scorer(lambda x, classes: skeleton(x)[2] @ text(vectors[classes])[2].T)
    return learn(task, tensors, "train ReViSE", models, loss, watched(task, score), STEPS)
