"""STAR: attributes of six body parts from the recording, held against what the texts say of each part.

Chen et al., "Fine-Grained Side Information Guided Dual-Prompts for Zero-Shot Skeleton Action Recognition" (ACM MM
2024): for each of head, hand, arm, hip, leg and foot 100 learned prompts ask the part's joints for attributes; the text
of the part, with a learned prompt per class added, is mapped to the same 100 attributes (256 hidden). Loss: the mean
over parts of the cross entropy of cosines + 0.1 × that of the sum over parts against the mapped class text + 0.1 × the
cross entropy of mapped part texts against mapped class texts. The sum over parts decides, by cosine. If there are local
features, the prompts of a part attend to its joints (one head instead of four; joints are averaged over time, and each
is augmented before the attention weighs it). Without them every prompt gets the same value, and attributes differ by
the prompts alone. Left out: attention over frames. Texts of parts are those of `class_parts`, not of GPT-3.5; 128
channels instead of 768.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flora_engine.config import FloraSettings
from flora_engine.heads import Choice, Fit
from flora_engine.heads.learning.tensors import Tensors, learn, seeded, split_local, watched
from flora_engine.semantics.class_parts import BODY

FLOW, PARTS, LOCAL = False, True, True
STEPS = 1000
WIDTH, TEXT_HIDDEN, ATTRIBUTES = 128, 256, 100
GLOBAL, TEXTS = 0.1, 0.1  # weights of the second and the third loss
LOCAL_BATCH = 64  # recordings per step if prompts attend to joints, which takes longer
# Joints of Kinect v2 by part, as published. Other skeletons: every part attends to all joints.
JOINTS = {
    "head": (2, 3, 20),
    "hand": (7, 11, 21, 22, 23, 24),
    "arm": (4, 5, 6, 8, 9, 10),
    "hip": (0, 1),
    "leg": (12, 13, 16, 17),
    "foot": (14, 15, 18, 19),
}


def choices(settings: FloraSettings) -> list[Choice]:
    """By what cosines are divided before the softmax: 1 as published, and less for sharper decisions."""
    return [{"temperature": 1.0}, {"temperature": 0.1}]


class PartAttributes(nn.Module):
    """Features (N, F) → attributes (N, ATTRIBUTES) of one part: one value for all prompts, weighed by each.

    Local features (N, J, F) of its joints: each prompt weighs the attributes of the joints by its attention to them.
    """

    def __init__(self, features: int, attends: bool = False) -> None:
        super().__init__()
        self.value = nn.Linear(features, WIDTH)
        self.key = nn.Linear(features, WIDTH) if attends else None
        self.augment = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH))
        self.prompts = nn.Parameter(torch.randn(ATTRIBUTES, WIDTH) / WIDTH**0.5)
        self.weight = nn.Parameter(torch.randn(WIDTH, WIDTH) / WIDTH**0.5)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.augment(self.value(x)) @ (self.prompts @ self.weight).T
        if self.key is None:
            return found
        attention: Tensor = (self.key(x) @ self.prompts.T).softmax(dim=1)  # (N, J, ATTRIBUTES)
        return (attention * found).sum(dim=1)


class Star(nn.Module):
    """features: F. text: channels of the parts' vectors. whole: of the class vectors. classes: K, seen and unseen.

    local: see `Problem.local`.
    """

    def __init__(
        self, features: int, text: int, whole: int, classes: int, local: tuple[int, int] | None = None
    ) -> None:
        super().__init__()
        self.local = local
        self.skeletons = nn.ModuleList(PartAttributes(features, attends=local is not None) for _ in BODY)
        self.texts = nn.ModuleList(_mapping(text) for _ in BODY)
        self.prompts = nn.Parameter(0.02 * torch.randn(len(BODY), classes, text))
        self.whole = _mapping(whole)

    def attributes(self, x: Tensor) -> Tensor:
        """Of rows (N, F), or (N, F + S·V·F) with local features: (parts, N, ATTRIBUTES)."""
        if self.local is None:
            return torch.stack([part(x) for part in self.skeletons])
        joints = split_local(x, self.local)[1].mean(dim=1)  # (N, V, F)
        return torch.stack([part(joints[:, rows]) for part, rows in zip(self.skeletons, self._rows(), strict=True)])

    def _rows(self) -> list[list[int]]:
        """The joints of each part."""
        assert self.local is not None
        every = list(range(self.local[1]))
        return [list(JOINTS[name]) if len(every) == 25 else every for name in BODY]

    def read(self, parts: Tensor) -> Tensor:
        """Vectors of parts (parts, K, d), with their prompts, as attributes (parts, K, ATTRIBUTES)."""
        return torch.stack([mapping(text) for mapping, text in zip(self.texts, parts + self.prompts, strict=True)])


def _mapping(inputs: int) -> nn.Module:
    return nn.Sequential(nn.Linear(inputs, TEXT_HIDDEN), nn.ReLU(), nn.Linear(TEXT_HIDDEN, ATTRIBUTES))


def cosines(a: Tensor, b: Tensor) -> Tensor:
    """Of (…, N, D) and (…, C, D): (…, N, C)."""
    return F.normalize(a, dim=-1) @ F.normalize(b, dim=-1).transpose(-1, -2)


def loss_of(found: Tensor, read: Tensor, whole: Tensor, seen: Tensor, own: Tensor, temperature: float) -> Tensor:
    """found: (parts, B, A) of recordings. read: (parts, K, A), whole: (K, A) of texts. own: (B,), places in seen."""
    parts = cosines(found, read[:, seen]) / temperature
    by_part = torch.stack([F.cross_entropy(part, own) for part in parts]).mean()
    together = F.cross_entropy(cosines(found.sum(dim=0), whole[seen]) / temperature, own)
    every = torch.arange(len(whole), device=whole.device)
    texts = torch.stack([F.cross_entropy(part @ whole.T, every) for part in read]).mean()
    return by_part + GLOBAL * together + TEXTS * texts


def fit(task: Fit) -> Star:
    """Learn attributes of parts on seen classes, and the mapping of all texts."""
    problem, tensors = task.problem, Tensors.of(task.problem)
    parts = torch.stack([tensors.vectors(problem.part(name)) for name in BODY])
    whole = tensors.vectors(problem.vectors)
    width = tensors.x.shape[1] if problem.local is None else split_local(tensors.x[:1], problem.local)[0].shape[1]
    model = seeded(problem, lambda: Star(width, parts.shape[2], whole.shape[1], len(whole), problem.local))
    temperature = float(task.choice["temperature"])

    def loss(rows: Tensor) -> Tensor:
        found = model.attributes(tensors.x[rows])
        return loss_of(found, model.read(parts), model.whole(whole), tensors.seen, tensors.own[rows], temperature)

    def score(x: Tensor, classes: Tensor) -> Tensor:
        return cosines(model.attributes(x).sum(dim=0), model.whole(whole[classes]))

    options = {} if problem.local is None else {"batch": LOCAL_BATCH}
    return learn(task, tensors, "train STAR", model, loss, watched(task, tensors.scorer(score)), STEPS, **options)
