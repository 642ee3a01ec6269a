"""One encoder for all data sets together, with data sets left out whole: what does it add to the descriptor model?

    OMP_NUM_THREADS=1 python experiments/all_sets_encoder.py ../shared/data --keep FOLDER
        [--variants both descriptors classes words] [--seeds 0] [--without-own-names]
        [--network shift_gcn --width 16 --epochs 10 --batch 32]

The eight sets are left out in three groups; for each group a small network learns the other groups' recordings, with
matched joints and without fingers, one body at a time. Every recording is held against the classes of its own set
alone, so that nothing is gained by knowing the sensor. Variants add further targets, see `VARIANTS`. Features of
several variants or seeds lie side by side. FOLDER keeps them, so that a command continues where it was stopped.

Printed: how each kind of score ranks the sets left out, alone and added to the descriptor model (the same draws of
five as leave_one_out.py). The weight of the sum is the best one on the mean of the other seven sets. Without own names
every set's classes are read with a lexicon that has none of them; encoders that were kept have learned with all names.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from descriptor_head import Evidence
from leave_one_out_texts import KINDS
from motion_sets import NAMES, MotionSet, load_set
from open_set_scores import Floats, Outcome, draws, measure, recall
from torch import Tensor, nn
from torch.nn import functional

from flora_engine.config import EncoderSettings
from flora_engine.evaluation.open_sets import Labels
from flora_engine.models.descriptors import DescriptorModel, unit
from flora_engine.models.shift_gcn.backends import make_runner
from flora_engine.models.shift_gcn.network import ShiftGCN
from flora_engine.models.shift_gcn.streams import make_stream
from flora_engine.preprocessing import prepare
from flora_engine.skeleton import LAYOUTS
from flora_engine.training.augmentation import augment
from flora_engine.training.encoder.schedule import learning_rate, make_optimiser
from flora_engine.training.seeding import epoch_order

GROUPS = (("utd_mhad", "sbu", "mesh2motion"), ("nw_ucla", "kinder_gator"), ("ntu", "msr_daily", "precog"))
# Targets beside the class: the recording's own descriptors; its class's sentence embedding and expectations.
VARIANTS: dict[str, tuple[bool, bool]] = {
    "classes": (False, False),
    "descriptors": (True, False),
    "words": (False, True),
    "both": (True, True),
}
MEASURED = [i for i, name in enumerate(LAYOUTS["kinect_v2"].joints) if "thumb" not in name and "tip" not in name]
PAIRS = [(MEASURED.index(a), MEASURED.index(b)) for a, b in LAYOUTS["kinect_v2"].mirror if a in MEASURED]
PER_CLASS = 24  # recordings of a class in one epoch, at most
DROPOUT = 0.2
SHARPNESS = 10.0  # of the softmax over cosines
RIDGE = 0.1  # of features with a spread of 1
WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5)


@dataclass(frozen=True)
class Bodies:
    """joints: float32 (B, 3, T, V, 1). owner: int64 (B,), the recording (of all sets, one after the other)."""

    joints: Tensor
    owner: Tensor


@dataclass(frozen=True)
class Targets:
    """Of the N recordings that are learned: rows (N,) among all, label (N,) over the C classes of all sets learned.

    origin: (C,) the set of each class. z, known: (N, D) descriptors and whether they were measured. text, expected:
    (C, d) and (C, D) of class names, of unit length. wanted: (C, D), the mean of what names and descriptions expect.
    """

    rows: Tensor
    label: Tensor
    origin: Tensor
    z: Tensor
    known: Tensor
    text: Tensor
    expected: Tensor
    wanted: Tensor


class Temporal(nn.Module):
    """Convolutions over time alone, of all joints and their motion: (B, 3, T, V, 1) → (B, 2·width)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        channels = 6 * len(MEASURED)
        self.start = nn.Sequential(nn.BatchNorm1d(channels), nn.Conv1d(channels, width, 1))
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.BatchNorm1d(width), nn.ReLU(), nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation)
            )
            for dilation in (1, 2, 4, 1)
        )
        self.feature_size = 2 * width

    def features(self, x: Tensor) -> Tensor:
        both = torch.cat([x, make_stream(x, "joint_motion", ())], dim=1)
        h = self.start(both[..., 0].transpose(2, 3).flatten(1, 2))
        for block in self.blocks:
            h = h + block(h)
        return torch.cat([h.mean(2), h.amax(2)], dim=1)


class Encoder(nn.Module):
    """A network, and a linear map from its features to each kind of target."""

    def __init__(self, kind: str, width: int, targets: Targets) -> None:
        super().__init__()
        self.network = ShiftGCN(1, len(MEASURED), 1, base_channels=width) if kind == "shift_gcn" else Temporal(width)
        runner = make_runner("cpu_kernels", self.network) if isinstance(self.network, ShiftGCN) else self.network
        self.features: Callable[[Tensor], Tensor] = runner.features
        size = self.network.feature_size
        self.heads = nn.ModuleDict(
            {
                "classes": nn.Linear(size, len(targets.origin)),
                "descriptors": nn.Linear(size, targets.z.shape[1]),
                "text": nn.Linear(size, targets.text.shape[1]),
                "expected": nn.Linear(size, targets.expected.shape[1]),
            }
        )

    def optimiser(self, settings: EncoderSettings) -> torch.optim.Optimizer:
        """The published one for Shift-GCN, AdamW for the other."""
        if isinstance(self.network, ShiftGCN):
            found = make_optimiser(self.network, settings)
            found.add_param_group({"params": list(self.heads.parameters()), "weight_decay": settings.weight_decay})
            return found
        return torch.optim.AdamW(self.parameters(), weight_decay=0.05)


def bodies_of(sets: list[MotionSet], frames: int) -> Bodies:
    """The persons of all recordings, each one who is there at all."""
    clips = np.stack([prepare(one, "matched_clip", frames) for part in sets for one in part.sequences])
    clips = clips[:, :, :, MEASURED]
    there = np.any(clips != 0, axis=(1, 2, 3))
    there[:, 0] = True
    owner, person = np.nonzero(there)
    return Bodies(torch.from_numpy(clips[owner, ..., person][..., None].copy()), torch.from_numpy(owner))


def targets_of(evidence: Evidence, names: list[str], model: DescriptorModel) -> Targets:
    """What is learned of the sets `names`; `model` was trained on the same ones, so that its pool knows no other."""
    rows, labels, origin, first, count = [], [], [], 0, 0
    for name, one in evidence.sets.items():
        if name in names:
            rows.append(first + np.arange(len(one.labels)))
            labels.append(count + one.labels)
            origin.append(np.full(len(one.texts), names.index(name)))
            count += len(one.texts)
        first += len(one.labels)
    values = np.concatenate([evidence.values[name] for name in evidence.sets if name in names])
    learned = [name for name in evidence.sets if name in names]
    text = unit(np.concatenate([evidence.vectors[name, "names"] for name in learned]) - model.text_mean)
    expected, described = (unit(np.concatenate([evidence.expected[name, kind] for name in learned])) for kind in KINDS)
    return Targets(
        torch.from_numpy(np.concatenate(rows)),
        torch.from_numpy(np.concatenate(labels)),
        torch.from_numpy(np.concatenate(origin)),
        torch.from_numpy(model.standardise(values)).float(),
        torch.from_numpy(np.isfinite(values)),
        torch.from_numpy(text).float(),
        torch.from_numpy(expected).float(),
        torch.from_numpy((expected + described) / 2).float(),
    )


def loss_of(encoder: Encoder, features: Tensor, targets: Targets, own: Tensor, variant: str) -> tuple[Tensor, Tensor]:
    """Mean loss of bodies with features (B, F), and how many fit their class best; own (B,): their recordings."""
    label = targets.label[own]
    others = targets.origin[label][:, None] != targets.origin
    logits = encoder.heads["classes"](functional.dropout(features, DROPOUT)).masked_fill(others, -1e9)
    loss = functional.cross_entropy(logits, label)
    with_descriptors, with_words = VARIANTS[variant]
    if with_descriptors:
        errors = (encoder.heads["descriptors"](features) - targets.z[own]) ** 2
        loss = loss + (errors * targets.known[own]).sum() / targets.known[own].sum()
    if with_words:
        for head, wanted in (("text", targets.text), ("expected", targets.expected)):
            cosines = functional.normalize(encoder.heads[head](features), dim=1) @ wanted.T
            loss = loss + 0.5 * functional.cross_entropy((SHARPNESS * cosines).masked_fill(others, -1e9), label)
    return loss, (logits.argmax(1) == label).sum()


def epoch_bodies(bodies: Bodies, targets: Targets, seed: int, epoch: int) -> tuple[Tensor, Tensor]:
    """Bodies of one epoch in random order, at most PER_CLASS recordings of a class, and their places in `targets`."""
    place = torch.full((int(bodies.owner.max()) + 1,), -1)
    place[targets.rows] = torch.arange(len(targets.rows))
    order = torch.from_numpy(epoch_order(seed, epoch, len(targets.rows)))
    seen = torch.zeros(len(targets.origin), dtype=torch.int64)
    chosen = torch.zeros(len(targets.rows), dtype=torch.bool)
    for row in order.tolist():
        label = targets.label[row]
        chosen[row] = seen[label] < PER_CLASS
        seen[label] += 1
    own = place[bodies.owner]
    used = torch.nonzero((own >= 0) & chosen[own.clamp(min=0)])[:, 0]
    used = used[torch.from_numpy(epoch_order(seed, 1000 + epoch, len(used)))]
    return used, own[used]


def train(bodies: Bodies, targets: Targets, variant: str, kind: str, settings: EncoderSettings) -> Encoder:
    """An encoder of one group of sets."""
    torch.manual_seed(settings.seed)
    encoder = Encoder(kind, settings.base_channels, targets).train()
    optimiser = encoder.optimiser(settings)
    for epoch in range(settings.epochs):
        started = time.monotonic()
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(settings, epoch)
        used, own = epoch_bodies(bodies, targets, settings.seed, epoch)
        total = right = 0.0
        for batch, places in zip(used.split(settings.batch_size), own.split(settings.batch_size), strict=True):
            x = augment(bodies.joints[batch], settings.augmentations, settings.seed, epoch, batch, pairs=PAIRS)
            loss, fitting = loss_of(encoder, encoder.features(x), targets, places, variant)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            total, right = total + float(loss.detach()) * len(batch), right + float(fitting)
        seconds = time.monotonic() - started
        text = f"loss {total / len(used):.3f}, {100 * right / len(used):.0f} % right, {seconds:.0f} s"
        print(f"# {variant}, epoch {epoch + 1} of {settings.epochs}: {text}", flush=True)
    return encoder.eval()


@torch.no_grad()
def read(encoder: Encoder, bodies: Bodies) -> dict[str, np.ndarray]:
    """Of all recordings N: features (N, F), and what each head makes of them; persons count alike."""
    found = torch.cat([encoder.features(part) for part in bodies.joints.split(64)])
    count = int(bodies.owner.max()) + 1
    sums = torch.zeros(count, found.shape[1]).index_add_(0, bodies.owner, found)
    mean = sums / torch.bincount(bodies.owner, minlength=count)[:, None]
    return {"features": mean.numpy()} | {name: head(mean).numpy() for name, head in encoder.heads.items()}


def balance(targets: Targets) -> Floats:
    """(N,), sum 1: a class counts by the fourth root of its recordings, as for the descriptor model, a set by the root
    of its classes."""
    label, origin = targets.label.numpy(), targets.origin.numpy()
    weights = np.bincount(label)[label] ** -0.75
    for one in np.unique(origin):
        inside = origin[label] == one
        weights[inside] *= np.sqrt((origin == one).sum()) / weights[inside].sum()
    return weights / weights.sum()


def ridge_map(features: Floats, targets: Targets, wanted: Floats) -> tuple[Floats, Floats]:
    """(F, D) and (D,): from features (N, F) of all recordings to what is wanted (n, D) of the n that are learned."""
    rows, weights = targets.rows.numpy(), balance(targets)
    mean = weights @ features[rows]
    spread = np.sqrt(weights @ (features[rows] - mean) ** 2) + 1e-6
    x = (features[rows] - mean) / spread
    weighted = x * weights[:, None]
    middle = weights @ wanted
    solved = np.linalg.solve(weighted.T @ x + RIDGE * np.eye(x.shape[1]), weighted.T @ (wanted - middle))
    found = solved / spread[:, None]
    return found, middle - mean @ found


def ridge(features: Floats, targets: Targets, wanted: Floats) -> Floats:
    """All features (N, F), mapped so."""
    found, offset = ridge_map(features, targets, wanted)
    return np.asarray(features @ found + offset)


def seen_shares(logits: Floats, origin: Labels) -> Floats:
    """(N, C): the softmax over the classes of each set, divided by the number of sets."""
    shares = np.zeros(logits.shape)
    sets = np.unique(origin)
    for one in sets:
        inside = origin == one
        powers = np.exp(logits[:, inside] - logits[:, inside].max(axis=1, keepdims=True))
        shares[:, inside] = powers / powers.sum(axis=1, keepdims=True) / len(sets)
    return shares


class Scores:
    """What encoders of some seeds say of the sets that they never saw, in several ways.

    found: what `read` gave for each. z: (N, D) descriptors of all recordings.
    """

    def __init__(self, found: list[dict[str, np.ndarray]], targets: Targets, model: DescriptorModel, z: Floats) -> None:
        label = targets.label.numpy()
        features = np.concatenate([one["features"] for one in found], axis=1).astype(np.float64)
        self.targets, self.model, self.found = targets, model, found
        self.expected, self.text = targets.expected.double().numpy(), targets.text.double().numpy()
        wanted = targets.wanted.double().numpy()[label]
        self.to_expected = ridge(features, targets, wanted)
        self.to_text = ridge(features, targets, self.text[label])
        self.z = ridge(features, targets, targets.z.double().numpy())
        self.plain = ridge(z, targets, wanted)
        self.joint = ridge(np.concatenate([z, features], axis=1), targets, wanted)
        logits = np.mean([one["classes"] for one in found], axis=0)
        self.seen = seen_shares(logits.astype(np.float64), targets.origin.numpy())

    def parts(self, expectations: Floats, vectors: Floats, words: bool) -> dict[str, Floats]:
        """name → scores (N, K) of all recordings, each action's with mean 0 and spread 1 over the learned ones."""
        e, v = unit(expectations), unit(vectors - self.model.text_mean)
        parts = {
            "features to expectations": self.to_expected @ e.T,
            "features to sentences": self.to_text @ v.T,
            "features to descriptors": self.model.scores(self.z, expectations, vectors),
            "seen classes": self.seen @ (self.expected @ e.T + self.text @ v.T),
            "no encoder: descriptors to expectations": self.plain @ e.T,
            "features and descriptors to expectations": self.joint @ e.T,
        }
        if words:
            heads = ((np.mean([unit(one[name]) for one in self.found], axis=0)) for name in ("text", "expected"))
            parts["word heads"] = sum(head @ wanted.T for head, wanted in zip(heads, (v, e), strict=True))
        return {name: levelled(part, self.targets) for name, part in parts.items()}


def levelled(scores: Floats, targets: Targets) -> Floats:
    """Scores (N, K) less their mean over the recordings that are learned, divided by their spread, per action."""
    rows, weights = targets.rows.numpy(), balance(targets)
    mean = weights @ scores[rows]
    return np.asarray((scores - mean) / np.sqrt(weights @ (scores[rows] - mean) ** 2 + 1e-12))


Table = dict[tuple[str, str], dict[str, Floats]]  # (set, kind of text) → name of the score → (N, K)


def settings_of(given: argparse.Namespace, seed: int) -> EncoderSettings:
    """How an encoder is trained."""
    return EncoderSettings(
        base_channels=given.width,
        epochs=given.epochs,
        batch_size=given.batch,
        schedule="cosine",
        warmup_epochs=1,
        learning_rate=0.1 if given.network == "shift_gcn" else 0.003,
        augmentations=("crop", "rotate", "scale", "jitter", "drop_joints"),
        seed=seed,
    )


def kept_path(given: argparse.Namespace, variant: str, seed: int, number: int) -> Path:
    """Where what an encoder reads is kept; its weights lie beside it."""
    return Path(given.keep) / f"{given.network}-{variant}-{seed}-{number}.npz"


def kept(
    given: argparse.Namespace, variant: str, seed: int, number: int, bodies: Bodies, targets: Targets
) -> dict[str, np.ndarray]:
    """What one encoder reads of all recordings, from the folder, or trained and stored there with its weights."""
    path = kept_path(given, variant, seed, number)
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_file():
        encoder = train(bodies, targets, variant, given.network, settings_of(given, seed))
        torch.save(encoder.state_dict(), path.with_suffix(".pt"))
        np.savez(path, **read(encoder, bodies))
    return dict(np.load(path))


def all_descriptors(evidence: Evidence, model: DescriptorModel) -> Floats:
    """z (N, D) of all recordings by the pool of `model`."""
    return model.standardise(np.concatenate(list(evidence.values.values())))


def members(given: argparse.Namespace) -> list[tuple[str, int]]:
    """Variant and seed of each encoder."""
    return list(itertools.product(given.variants, given.seeds))


def ensembles(given: argparse.Namespace) -> dict[str, list[tuple[str, int]]]:
    """Name → members: each variant with its seeds, and all side by side."""
    found = {variant: [(variant, seed) for seed in given.seeds] for variant in given.variants}
    return found | ({} if len(found) == 1 else {"all variants": members(given)})


def encoder_scores(evidence: Evidence, bodies: Bodies, given: argparse.Namespace) -> Table:
    """The scores of every variant for every set by the encoders that never saw its group."""
    ends = np.cumsum([len(one.labels) for one in evidence.sets.values()])
    rows = {name: slice(end - len(evidence.sets[name].labels), end) for name, end in zip(NAMES, ends, strict=True)}
    table: Table = {}
    for number, group in enumerate(GROUPS):
        names = [name for name in NAMES if name not in group]
        model = evidence.model(names)
        targets, z = targets_of(evidence, names, model), all_descriptors(evidence, model)
        found = {member: kept(given, *member, number, bodies, targets) for member in members(given)}
        for title, some in ensembles(given).items():
            scores = Scores([found[member] for member in some], targets, model, z)
            words = all(VARIANTS[variant][1] for variant, _ in some)
            words &= found[some[0]]["expected"].shape[1] == z.shape[1]  # else learned with other descriptors
            for name, kind in itertools.product(group, KINDS):
                expected, vectors = evidence.expected[name, kind], evidence.vectors[name, kind]
                for part, made in scores.parts(expected, vectors, words).items():
                    heading = part if part.startswith("no encoder") else f"{title}: {part}"
                    table.setdefault((name, kind), {})[heading] = made[rows[name]]
    return table


def five(scores: Floats, labels: Labels) -> float:
    """Mean over the draws of five of the mean of class recalls, in per cent."""
    found = []
    for drawn in draws(scores.shape[1]):
        rows = np.isin(labels, drawn)
        found.append(recall(drawn[scores[np.ix_(rows, drawn)].argmax(axis=1)], labels[rows]))
    return 100 * float(np.mean(found))


def line(name: str, head: str, kind: str, outcome: Outcome) -> str:
    """One row of the table."""
    every, drawn = ("{:.1f} ({:.1f}–{:.1f})".format(*values) for values in (outcome.every, outcome.five))
    return f"| {name} | {head} | {kind} | {every} | {drawn} |"


def by_weight(table: Table, base: Table, labels: dict[str, Labels]) -> tuple[list[str], Floats]:
    """Names of the scores, and “five” of each sum with the descriptor model: (scores, WEIGHTS, sets, kinds)."""
    heads = list(next(iter(table.values())))
    found = np.zeros((len(heads), len(WEIGHTS), len(NAMES), len(KINDS)))
    for (h, head), (w, weight) in itertools.product(enumerate(heads), enumerate(WEIGHTS)):
        for (n, name), (k, kind) in itertools.product(enumerate(NAMES), enumerate(KINDS)):
            found[h, w, n, k] = five(base[name, kind]["descriptors"] + weight * table[name, kind][head], labels[name])
    return heads, found


def compare(evidence: Evidence, table: Table, base: Table) -> list[dict[str, object]]:
    """Print and return one row per set, score and kind of text: alone, and added with the weight that others choose."""
    labels = {name: one.labels for name, one in evidence.sets.items()}
    heads, fives = by_weight(table, base, labels)
    rows: list[dict[str, object]] = []

    def add(name: str, head: str, kind: str, scores: Floats) -> None:
        outcome = measure(scores, labels[name])
        rows.append({"set": name, "head": head, "text": kind, **asdict(outcome)})
        print(line(name, head, kind, outcome), flush=True)

    print("| set | score | text | all classes, % | five, % |\n|---|---|---|---|---|")
    for n, name in enumerate(NAMES):
        best = np.delete(fives.mean(axis=3), n, axis=2).mean(axis=2).argmax(axis=1)  # of the other sets
        for kind in KINDS:
            own = base[name, kind]["descriptors"]
            add(name, "descriptor model", kind, own)
            for h, head in enumerate(heads):
                add(name, head, kind, table[name, kind][head])
                add(name, f"descriptor model + {head}", kind, own + WEIGHTS[best[h]] * table[name, kind][head])
    print("\n| added | weight | five of names, % | five of descriptions, % |\n|---|---|---|---|")
    for h, head in enumerate(heads):
        for weight, (a, b) in zip(WEIGHTS, fives[h].mean(axis=1), strict=True):
            print(f"| {head} | {weight:g} | {a:.1f} | {b:.1f} |")
    return rows


def means(rows: list[dict[str, object]]) -> None:
    """Print the means over the sets."""
    print("\n| score | text | all classes, % | five, % |\n|---|---|---|---|")
    for head in dict.fromkeys(str(row["head"]) for row in rows):
        for kind in KINDS:
            some = [row for row in rows if (row["head"], row["text"]) == (head, kind)]
            every, drawn = (np.mean([row[key][0] for row in some]) for key in ("every", "five"))  # type: ignore[index]
            print(f"| {head} | {kind} | {every:.1f} | {drawn:.1f} |")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Where the data and the features are, and how encoders are trained."""
    parser.add_argument("data", type=Path)
    parser.add_argument("--keep", type=Path, required=True, help="folder for features and weights")
    parser.add_argument("--network", choices=("temporal", "shift_gcn"), default="temporal")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--width", type=int, default=128, help="of all of `temporal`, or of the first blocks")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=["both", "descriptors"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser)
    parser.add_argument("--out", type=Path, help="rows as JSON")
    parser.add_argument("--without-own-names", action="store_true")
    given = parser.parse_args()
    evidence = Evidence([load_set(given.data, name) for name in NAMES], own=not given.without_own_names)
    base: Table = {}
    for name in NAMES:
        model = evidence.model([other for other in NAMES if other != name])
        for kind in KINDS:
            base[name, kind] = {"descriptors": evidence.scores(model, name, kind)}
    bodies = bodies_of(list(evidence.sets.values()), given.frames)
    rows = compare(evidence, encoder_scores(evidence, bodies, given), base)
    means(rows)
    if given.out is not None:
        given.out.write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
