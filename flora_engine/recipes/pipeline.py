"""From raw recordings to a bundle: encoder, features, heads, evaluation, and the model that labels.

For each split: train the encoder on the seen classes of the train part, extract features, train and evaluate every
head under every protocol, and write the first seed of one as a bundle (`bundled`). Nothing of an unseen class or of
the test part reaches training or selection. A run can be stopped at any moment and goes on where it was.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flora_engine.config import HeadName, PipelineConfig
from flora_engine.datasets.clips import Clips
from flora_engine.datasets.features import Features
from flora_engine.datasets.loading import load_clips
from flora_engine.datasets.published_files import read_features
from flora_engine.datasets.settings import DataSettings
from flora_engine.errors import FloraError
from flora_engine.evaluation.calibration import best_temperature
from flora_engine.evaluation.protocols import Experiment, run_protocol
from flora_engine.evaluation.selection import make_folds
from flora_engine.files import replacing
from flora_engine.heads import Fit, head
from flora_engine.heads.learning.model import FloraModel, load_model, save_model
from flora_engine.jobs import Job
from flora_engine.labelling.bundle import (
    Attunement,
    Decision,
    Manifest,
    PreparationReference,
    SeenClass,
    TextEncoderReference,
)
from flora_engine.project.splits import Parts, Split, divide
from flora_engine.recipes.leaks import check_no_leak
from flora_engine.runs.folder import RunFolder
from flora_engine.runs.progress import Memory
from flora_engine.semantics.class_texts import ClassText, class_states, load_class_texts
from flora_engine.semantics.text_encoder import load_text_encoder
from flora_engine.training.encoder.trainer import load_encoder, train_encoder
from flora_engine.training.extraction import extract_streams, split_features

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Material:
    """What all splits share: clips of all data sets with one numbering of classes, their texts and text states."""

    clips: Clips
    texts: list[ClassText]
    states: Array
    text_encoder: TextEncoderReference


def run_pipeline(job: Job, config: PipelineConfig, run: RunFolder, device: str | None = None) -> dict[str, Any]:
    """Do everything `config` asks for inside `run`, going on with what is there; returns what result.json holds.

    Raises FloraError for unusable data or settings, Cancelled when stopped.
    """
    with run.recording(job):
        started = time.monotonic()
        material = load_material(job, config)
        results = {split.name: _run_split(job, config, split, material, run, device) for split in config.splits}
        result: dict[str, Any] = {"kind": "pipeline", "splits": results}
        bundle = run.path / config.splits[0].name / "bundle"
        if config.final:
            result["final"] = _run_final(job, config, material, run, results, device)
            bundle = run.path / "final" / "bundle"
        result["bundle"] = str(bundle.relative_to(run.path))
        result["minutes"] = (time.monotonic() - started) / 60
        run.write_result(result)
    return result


def load_material(job: Job, config: PipelineConfig) -> Material:
    """Read and prepare all recordings; classes of later data sets are numbered on from the earlier ones."""
    sets = [load_clips(job, settings) for settings in config.data]
    texts = [text for settings in config.data for text in load_class_texts(settings.dataset, config.texts.texts)]
    encoder = load_text_encoder(config.texts.encoder, job)
    states = class_states(encoder, texts, config.texts.tokens)
    reference = TextEncoderReference(name=config.texts.encoder, sha256=encoder.sha256, tokens=config.texts.tokens)
    return Material(_joined(sets, config.data), texts, states, reference)


def _joined(sets: Sequence[Clips], settings: Sequence[DataSettings]) -> Clips:
    if len(sets) == 1:
        return sets[0]
    if len({(one.preparation, one.frames, one.persons) for one in settings}) > 1:
        raise FloraError("all data sets of a run need the same preparation, frames and persons")
    counts = [len(load_class_texts(one.dataset)) for one in settings]
    offsets = np.cumsum([0, *counts[:-1]])

    def joined(name: str) -> NDArray[np.int64]:
        return np.concatenate([getattr(one, name) for one in sets])

    return Clips(
        joints=np.concatenate([one.joints for one in sets]),
        labels=np.concatenate([one.labels + offset for one, offset in zip(sets, offsets, strict=True)]),
        names=tuple(name for one in sets for name in one.names),
        class_names=tuple(name for one in sets for name in one.class_names),
        subjects=joined("subjects"),
        cameras=joined("cameras"),
        setups=joined("setups"),
    )


# One split


def _run_split(
    job: Job, config: PipelineConfig, split: Split, material: Material, run: RunFolder, device: str | None
) -> dict[str, Any]:
    folder = RunFolder.at(run.path / split.name, {"split": split.model_dump(mode="json")})
    done = folder.result()
    if done is not None:
        return done
    clips, started = material.clips, time.monotonic()
    parts = divide(split, clips.labels, clips.subjects, clips.cameras, clips.setups)
    check_no_leak(split, clips, parts, [text.name for text in material.texts])
    job.log(
        f"{split.name}: {len(parts.train)} training clips, {len(parts.zsl)} of unseen classes, {len(parts.gzsl)} test"
    )
    checkpoints, trained = _train_encoder(job, config, clips, parts.train, folder, device)
    encoded = time.monotonic()
    features = _features(job, checkpoints, clips, parts, folder.path / "features.npz", device)
    experiment = Experiment(features, material.states, np.array(split.unseen), device or "cpu")
    heads = {name: _evaluate_head(job, name, config, experiment, folder) for name in config.heads}
    result = {
        "unseen": list(split.unseen),
        "chance": 1 / len(split.unseen),
        "counts": {"train": len(parts.train), "zsl": len(parts.zsl), "gzsl": len(parts.gzsl)},
        "encoder": {stream: {k: v for k, v in one.items() if k != "history"} for stream, one in trained.items()},
        "heads": heads,
        "minutes": {"encoder": (encoded - started) / 60, "all": (time.monotonic() - started) / 60},
    }
    kept = _kept_model(config, folder, "zsl")
    if kept.exists():
        chosen, model = heads[bundled(config)]["held-out"]["chosen"], load_model(kept, device or "cpu")
        _write_bundle(
            job, config, material, experiment, model, chosen, checkpoints, folder.bundle, summary(config, result)
        )
    folder.write_result(result)
    return result


def _train_encoder(
    job: Job, config: PipelineConfig, clips: Clips, rows: NDArray[np.int64], folder: RunFolder, device: str | None
) -> tuple[dict[str, Path], dict[str, Any]]:
    seen = np.unique(clips.labels[rows])
    trained = train_encoder(
        job,
        config.encoder,
        np.ascontiguousarray(clips.joints[rows]),
        np.searchsorted(seen, clips.labels[rows]),
        folder,
        class_ids=[int(c) for c in seen],
        class_names=[clips.class_names[c] for c in seen],
        device=device,
    )["streams"]
    return {stream: folder.path / one["checkpoint"] for stream, one in trained.items()}, trained


def _features(
    job: Job, checkpoints: dict[str, Path], clips: Clips, parts: Parts, path: Path, device: str | None
) -> Features:
    """Features of the recordings that the split uses, kept beside the run in the unified layout.

    They are written once the encoder is finished, so a run that goes on reads them.
    """
    if path.is_file():
        return read_features(path)
    used = np.union1d(parts.train, parts.gzsl)
    found = extract_streams(job, checkpoints, clips.joints[used], device=device)

    def rows(part: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.searchsorted(used, part)

    inside = Parts(rows(parts.train), rows(parts.zsl), rows(parts.gzsl))
    features = split_features(found, clips.labels[used], inside)
    with replacing(path) as temporary:
        np.savez(temporary, **vars(features))
    return features


def bundled(config: PipelineConfig) -> HeadName:
    """The head that the bundle holds: the ensemble, or Flora where the configuration does not name it."""
    return "ensemble" if "ensemble" in config.heads else "flora"


def _kept_model(config: PipelineConfig, folder: RunFolder, setting: str) -> Path:
    """Where the first seed's model of the held-out protocol is kept for the bundle."""
    return folder.checkpoint(f"{bundled(config)}-{setting}-seed{config.flora.seeds[0]}")


def _evaluate_head(
    job: Job, name: str, config: PipelineConfig, experiment: Experiment, folder: RunFolder
) -> dict[str, Any]:
    """protocol → outcome. Finished folds and seeds are kept in the run's checkpoints, and so is the model to bundle."""

    def keep(seed: int, setting: str, model: FloraModel) -> None:
        if name == bundled(config) and seed == config.flora.seeds[0]:
            save_model(_kept_model(config, folder, setting), model)

    job.log(f"training and evaluating {name}")
    memory = Memory(folder.path / "checkpoints")
    return {
        protocol: run_protocol(job, name, experiment, config.flora, protocol, keep=keep, memory=memory)
        for protocol in config.flora.protocols
    }


def summary(config: PipelineConfig, result: dict[str, Any]) -> dict[str, float]:
    """The numbers of the bundled head on one split, flat, for the bundle's manifest and the printed table."""
    outcome = result["heads"][bundled(config)]["held-out"]
    numbers = {"zsl": outcome["zsl"]["accuracy"], "chance": outcome["chance"]}
    numbers |= {f"gzsl_{key}": outcome["gzsl"][key] for key in ("seen", "unseen", "harmonic")}
    if "nearest_aligned" in outcome:
        numbers["zsl_nearest_mean_in_aligned_space"] = outcome["nearest_aligned"]["accuracy"]
    return {key: float(value["mean"] if isinstance(value, dict) else value) for key, value in numbers.items()}


# The model that labels


def _temperature(job: Job, config: PipelineConfig, experiment: Experiment, pick: dict[str, Any]) -> float:
    """The softness of scores that fits pseudo-unseen classes best: one more fold, trained as picked."""
    fold = make_folds(experiment.problem(config.flora.seeds[0]), config.flora)[0]
    rows = np.isin(fold.labels, fold.unseen)
    scores: list[Array] = []

    def watch(evaluation: int, score: Callable[[Array, NDArray[np.int64]], Array], _baseline: object) -> None:
        if evaluation == pick["evaluations"]:
            scores.append(score(fold.data[rows], fold.unseen))

    head(bundled(config)).fit(Fit(job, fold.problem, pick["choice"], config.flora, watch, pick["evaluations"]))
    return best_temperature(scores[0], np.searchsorted(fold.unseen, fold.labels[rows]))


def _write_bundle(
    job: Job,
    config: PipelineConfig,
    material: Material,
    experiment: Experiment,
    model: FloraModel,
    chosen: dict[str, Any],
    checkpoints: dict[str, Path],
    folder: Path,
    accuracy: dict[str, float],
) -> None:
    if set(checkpoints) != {"joint"}:
        job.warn("a bundle holds the joint stream alone; this run trained others too, so it gets no bundle")
        return
    from flora_engine.labelling.export_bundle import export_bundle

    seen = np.unique(experiment.features.train_label)
    gzsl = chosen.get("gzsl", {})
    manifest = Manifest(
        name=folder.parent.name if folder.parent.name != "final" else folder.parent.parent.name,
        text_encoder=material.text_encoder,
        preparation=PreparationReference.of(config.data[0].preparation, config.data[0].frames, config.data[0].persons),
        attunement=Attunement(neighbours=model.neighbours, weight=model.weight),
        decision=Decision(
            time=model.decision_time,
            sigma_min=model.sigma_min,
            calibration=float(gzsl.get("calibration_factor", config.flora.calibration)),
            temperature=_temperature(job, config, experiment, chosen["zsl"]),
        ),
        seen_classes=tuple(
            SeenClass(name=t.name, motion=t.motion, definition=t.definition) for t in (material.texts[c] for c in seen)
        ),
        files={},
        accuracy=accuracy,
    )
    encoder = load_encoder(checkpoints["joint"])[0]
    direct = None if model.direct is None else model.direct.cpu()
    export_bundle(folder, encoder, model.network.cpu().eval(), manifest, direct=direct)


# The model of all classes


def _run_final(
    job: Job,
    config: PipelineConfig,
    material: Material,
    run: RunFolder,
    results: dict[str, dict[str, Any]],
    device: str | None,
) -> dict[str, Any]:
    """Train once more on every class and every recording, with what the first split chose, and bundle that.

    There is no test part left, so its accuracy is the mean of the splits', which trained by the same recipe.
    """
    folder = RunFolder.at(run.path / "final", {"recipe": config.splits[0].name})
    done = folder.result()
    if done is not None:
        return done
    clips, everything = material.clips, np.arange(len(material.clips.labels))
    if config.final_epochs is not None:
        encoder = config.encoder.model_copy(update={"epochs": config.final_epochs})
        config = config.model_copy(update={"encoder": encoder})
    checkpoints, trained = _train_encoder(job, config, clips, everything, folder, device)
    data = extract_streams(job, checkpoints, clips.joints, device=device)
    nothing = np.empty((0, data.shape[1]), np.float32), np.empty(0, np.int64)
    features = Features(data, clips.labels, *nothing, *nothing)
    experiment = Experiment(features, material.states, np.empty(0, np.int64), device or "cpu")
    name = bundled(config)
    chosen = results[config.splits[0].name]["heads"][name]["held-out"]["chosen"]
    problem = experiment.problem(config.flora.seeds[0])
    pick = chosen["zsl"]
    kept = folder.checkpoint(name)
    if not kept.exists():
        task = Fit(job, problem, pick["choice"], config.flora, evaluations=pick["evaluations"])
        save_model(kept, head(name).fit(task))
    model = load_model(kept, device or "cpu")
    summaries = [summary(config, result) for result in results.values()]
    accuracy = {key: math.fsum(one[key] for one in summaries) / len(summaries) for key in summaries[0]}
    _write_bundle(job, config, material, experiment, model, chosen, checkpoints, folder.bundle, accuracy)
    result = {"clips": len(everything), "classes": len(np.unique(clips.labels)), "accuracy_of_splits": accuracy}
    result["encoder"] = {stream: {k: v for k, v in one.items() if k != "history"} for stream, one in trained.items()}
    folder.write_result(result)
    return result


# What the command line and the window call


def located(config: PipelineConfig, data_root: Path | None) -> PipelineConfig:
    """The configuration with relative data folders starting at `data_root`; FloraError where a folder is missing."""
    sets = []
    for settings in config.data:
        source = settings.raw or settings.project
        if source is None:
            raise FloraError(
                f"no folder is given for {settings.dataset}", remedy="Set `raw` or `project` under `data`."
            )
        path = source if data_root is None or source.is_absolute() else data_root / source
        if not path.is_dir():
            raise FloraError(
                f"the recordings of {settings.dataset} are not here",
                path=path,
                remedy="Give their folder with --data-root.",
            )
        sets.append(settings.model_copy(update={"raw" if settings.raw else "project": path}))
    return config.model_copy(update={"data": tuple(sets)})


def pipeline_action(
    job: Job,
    config: PipelineConfig,
    *,
    name: str = "pipeline",
    out: Path = Path("runs"),
    resume: Path | None = None,
    data_root: Path | None = None,
    device: str | None = None,
) -> dict[str, Any]:
    """Run a pipeline in a new run below `out`, or go on with `resume`; returns its result and ``run``, the folder.

    Raises FloraError, Cancelled.
    """
    config = located(config, data_root)
    run = RunFolder.open(resume) if resume else RunFolder.create(out, name, config.model_dump(mode="json"))
    return {**run_pipeline(job, config, run, device), "run": str(run.path)}
