"""One configuration of kind flora as a run: features and texts in, every head under every protocol, result.json out,
and a bundle if the encoder behind the features is named.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from flora_engine.config import FloraConfig
from flora_engine.datasets.benchmarks import load_benchmark
from flora_engine.datasets.catalogue import ClassText, load_dataset
from flora_engine.datasets.describing import describe_clips
from flora_engine.datasets.feature_sources import read_any_features, read_local_features
from flora_engine.datasets.features import Features
from flora_engine.datasets.loading import load_clips
from flora_engine.datasets.published_files import read_features, write_features
from flora_engine.datasets.settings import DataSettings
from flora_engine.errors import FloraError
from flora_engine.evaluation.protocols import (
    Experiment,
    Setting,
    described_by,
    evaluate_gzsl,
    evaluate_zsl,
    local_by,
    low_shot,
)
from flora_engine.heads import head, reads_local
from flora_engine.heads.flora import FlowScorer
from flora_engine.heads.learning.model import FloraModel, load_model, save_model
from flora_engine.jobs import Job
from flora_engine.labelling.bundle import BUNDLED, MANIFEST, bundled
from flora_engine.recipes.bundling import Trained, Words, summary, write_bundle
from flora_engine.recipes.encoding import MOST, Encoding, check_made_by, check_recordings_agree, load_encoding
from flora_engine.recipes.evaluating import evaluate_heads
from flora_engine.recipes.features import Extraction, open_features
from flora_engine.recipes.kept import keep_classes, keep_recordings
from flora_engine.recipes.starting import Start, check_recordings, run_folder
from flora_engine.recipes.texts import EncodedTexts, encode_texts, more_texts, reads_descriptors, texts_for
from flora_engine.runs.folder import RunFolder
from flora_engine.runs.progress import Memory
from flora_engine.runs.results import FloraResult, Heads, read_result
from flora_engine.semantics.attunement import attune
from flora_engine.semantics.text_encoder import load_text_encoder
from flora_engine.training.distributed import choose_device
from flora_engine.training.extraction import split_features
from flora_engine.training.precision import uses_bfloat16

# In the run folder, if the run extracts its own.
FEATURES, DESCRIPTORS, LOCAL = "features.npz", "descriptors.npz", "local.npz"
_ROUNDING = 0.02  # between the text states of two machines; their mean size is 0.3


def _samples(experiment: Experiment) -> dict[str, int]:
    """Recordings of each part."""
    return {part: len(getattr(experiment.features, f"{part}_label")) for part in ("train", "zsl", "gzsl")}


def wanted(config: FloraConfig) -> tuple[Setting, ...]:
    """The settings to evaluate."""
    return ("zsl", "gzsl") if config.setting == "both" else (config.setting,)


def train(job: Job, start: Start, config: FloraConfig, device: str | None, scheduler: str | None = None) -> FloraResult:
    """Train and evaluate in a new run, or resume one. checkpoints/ then holds ``HEAD-SETTING-seedN`` (see `load_model`)
    of heads with a flow, for the held-out protocol. scheduler: of a Dask cluster whose workers train the heads. Raises
    FloraError, Cancelled.
    """
    place = str(choose_device(device))
    kept = None if start.run is None else start.run.path / FEATURES
    source, texts = open_features(job, config, kept), texts_of(job, config)
    ready = None if isinstance(source, Extraction) else experiment_of(job, config, source, texts, place, kept)
    labels, encoding = bool(config.encoder) and bundled(config.heads) is not None, None
    if labels and start.run is None and isinstance(source, Features):
        encoding = _encoding_of(job, config, source)
    with run_folder(job, start) as folder:
        started = time.monotonic()
        if ready is None:
            assert isinstance(source, Extraction)
            keep_recordings(folder.path, source.clips, source.parts)
            path = folder.path / FEATURES
            features = _extract(job, config, source, path, place)
            ready = experiment_of(job, config, features, texts, place, path)
        keep_classes(folder.path, [text.name for text in _texts(config)], ready)
        before = read_result(folder.result() or {})
        said = before.weights if isinstance(before, FloraResult) else ""
        heads = _heads(job, config, ready, folder, scheduler)
        if labels and not has_bundle(folder):
            encoding = encoding or _encoding_of(job, config, None)
            said = _write_bundle(job, folder, config, heads, encoding, ready, texts)
        result = FloraResult(
            benchmark=config.benchmark,
            texts=config.texts.model_dump(mode="json"),
            low_shot=config.low_shot,
            samples=_samples(ready),
            heads=heads,
            minutes=(time.monotonic() - started) / 60,
            run=folder.path,
            weights=said,
            **_label_facts(folder, config),
        )
        folder.write_result(result.stored())
    return result


# The model that labels


def has_bundle(folder: RunFolder) -> bool:
    """Whether the run has a model that labels."""
    return (folder.bundle / MANIFEST).is_file()


def _label_facts(folder: RunFolder, config: FloraConfig) -> dict[str, str | None]:
    """What the result says about labelling: the bundle, or in one sentence what is missing."""
    if has_bundle(folder):
        return {"bundle": folder.bundle.name, "to_label": ""}
    if bundled(config.heads) is None:
        said = f"This run cannot label: a model holds the head {' or '.join(BUNDLED)}, and the run trained neither."
    else:
        add = "`flora bundle RUN --encoder PATH`"
        said = f"To label, this run lacks the encoder that made its features: add it with {add}."
    return {"bundle": None, "to_label": said}


def _encoding_of(job: Job, config: FloraConfig, features: Features | None) -> Encoding:
    """The encoder of the configuration. features: those of its feature file, which the encoder must have made."""
    benchmark = load_benchmark(config.benchmark)
    names = load_dataset(benchmark.dataset).class_names
    learned = [] if features is None else [names[label] for label in np.unique(features.train_label)]
    encoding = load_encoding(job, config.encoder, benchmark.dataset, config.data, learned)
    if config.flora.add_streams and len(config.flora.add_streams) != len(encoding.networks):
        raise FloraError(
            f"add_streams holds {len(config.flora.add_streams)} weights, and the encoder has {len(encoding.networks)} "
            f"streams ({', '.join(encoding.networks)})",
            remedy="Give one weight per stream.",
        )
    if features is not None:
        check_made_by(job, encoding, features, benchmark, config.features)
        if config.features is not None and config.data is not None and (config.data.raw or config.data.project):
            check_recordings(config.data)
            clips = load_clips(job, encoding.data, most=MOST)
            check_recordings_agree(job, encoding, features, clips, config.features)
    return encoding


def _write_bundle(
    job: Job,
    folder: RunFolder,
    config: FloraConfig,
    heads: Heads,
    encoding: Encoding,
    experiment: Experiment,
    texts: EncodedTexts,
) -> str:
    name, seed = bundled(config.heads), config.flora.seeds[0]
    assert name is not None
    outcome = heads[name]["held-out"]
    model = load_model(folder.checkpoint(f"{name}-{wanted(config)[0]}-seed{seed}"), experiment.device)
    states = attune(experiment.states, model.neighbours, model.weight)
    if states.shape != model.states.shape or not np.allclose(states, model.states, atol=_ROUNDING):
        raise FloraError(
            "the class texts are not those that this run trained with",
            path=folder.path,
            remedy="Bring back the texts that its configuration names, or train again.",
        )
    how = (config.flora, outcome["chosen"], seed, summary(outcome), Memory(folder.path / "checkpoints"))
    trained = Trained(name, model, experiment, *how)
    with job.part("bundle"):
        words = Words(texts.reference, texts.texts)
        return write_bundle(job, folder.bundle, encoding.networks, encoding.data, words, trained)


def add_bundle(job: Job, folder: RunFolder, config: FloraConfig, device: str | None = None) -> Encoding:
    """Write the bundle of a finished run whose configuration names its encoder; what is there is replaced.

    FloraError if the run is not finished, kept no model that a bundle can hold, or if the encoder did not make its
    features.
    """
    result = read_result(folder.result() or {})
    if not isinstance(result, FloraResult):
        raise FloraError("this run has not finished", path=folder.path, remedy="Resume it first.")
    if bundled(config.heads) is None:
        raise FloraError(str(_label_facts(folder, config)["to_label"]), path=folder.path)
    features = read_any_features(config.features or folder.path / FEATURES)
    encoding = _encoding_of(job, config, features)
    texts = texts_of(job, config)
    experiment = experiment_of(job, config, features, texts, str(choose_device(device)), folder.path / FEATURES)
    if _samples(experiment) != result.samples:
        raise FloraError(
            "this file is not the one that the run trained on: it holds another number of recordings",
            path=config.features or folder.path / FEATURES,
            remedy="Put the file of the training back, or train again.",
        )
    said = _write_bundle(job, folder, config, result.heads, encoding, experiment, texts)
    folder.write_result(result.model_copy(update={**_label_facts(folder, config), "weights": said}).stored())
    return encoding


# Features and texts


def texts_of(job: Job, config: FloraConfig) -> EncodedTexts:
    """The texts of the benchmark's classes, as the heads of the configuration see them. FloraError."""
    encoder = load_text_encoder(config.texts.encoder, job)
    more = more_texts([_data(config)], config.texts)
    return encode_texts(encoder, _texts(config), config.texts, config.heads, more, recordings=config.features is None)


def _texts(config: FloraConfig) -> list[ClassText]:
    return texts_for(_data(config), config.texts)


def _data(config: FloraConfig) -> DataSettings:
    return DataSettings(dataset=load_benchmark(config.benchmark).dataset)


def _extract(job: Job, config: FloraConfig, source: Extraction, path: Path, device: str) -> Features:
    """The features of the split, kept at `path`, with the descriptors and local features beside them that a head reads:
    these first, so that a run which is resumed with features has all.
    """
    if reads_descriptors(config.heads):
        values = split_features(describe_clips(job, source.clips), source.clips.labels, source.parts)
        write_features(values, path.with_name(DESCRIPTORS))
    if reads_local(config.heads, config.flora):
        with job.part("local features"):
            source.run_local(job, path.with_name(LOCAL), device)
    with job.part("features"):
        return source.run(job, path, device)


def experiment_of(
    job: Job,
    config: FloraConfig,
    features: Features,
    texts: EncodedTexts,
    device: str,
    kept: Path | None = None,
) -> Experiment:
    """Features (a low-shot share of them if the configuration says so) and class texts, checked; FloraError.

    kept: FEATURES in the run folder; descriptors and local features of the same recordings lie beside it, if any. Local
    features may also be published with the features.
    """
    descriptors, local = (None if kept is None else _beside(kept.with_name(name)) for name in (DESCRIPTORS, LOCAL))
    if config.features is not None and reads_local(config.heads, config.flora):
        local = read_local_features(config.features)
    if config.low_shot is not None:
        features = low_shot(features, config.low_shot)
        descriptors, local = (one and low_shot(one, config.low_shot) for one in (descriptors, local))
        job.log(f"low-shot: {len(features.train_label)} training samples")
    unseen = np.array(load_benchmark(config.benchmark).unseen)
    described = described_by(job, descriptors, texts.expectations, [_data(config).dataset])
    experiment = Experiment(
        *(features, texts.states, unseen, device, texts.parts, described), local=local_by(local, features)
    )
    experiment.check(whole=config.setting != "zsl")
    for name in config.heads:  # before anything is trained
        experiment.read_by(name)
    return experiment


def _beside(path: Path) -> Features | None:
    return read_features(path, gaps=True) if path.is_file() else None


def _heads(
    job: Job, config: FloraConfig, experiment: Experiment, folder: RunFolder, scheduler: str | None = None
) -> Heads:
    def keep(name: str, seed: int, setting: Setting, model: FloraModel) -> None:
        save_model(folder.checkpoint(f"{name}-{setting}-seed{seed}"), model)

    return evaluate_heads(job, config.heads, experiment, config.flora, folder.path, keep, wanted(config), scheduler)


def evaluate_run(
    job: Job, folder: RunFolder, config: FloraConfig, device: str | None = None
) -> dict[str, dict[int, dict[str, Any]]]:
    """Evaluate the kept models of a finished run again, each with the calibration that its folds chose: Flora's, or
    those of the ensemble if the run has no Flora by itself.

    Returns setting → seed → outcome. Raises FloraError if the run has no result or no kept model.
    """
    place = str(choose_device(device))
    result = read_result(folder.result() or {})
    heads = result.heads if isinstance(result, FloraResult) else {}
    name = next((name for name in ("flora", *heads) if name in heads and head(name).FLOW), None)
    if name is None:
        raise FloraError("this run has no finished Flora to evaluate", path=folder.path, remedy="Resume the run first.")
    experiment = _experiment_of_run(job, folder.path / FEATURES, config, place)
    chosen = heads[name].get("held-out", {}).get("chosen", {})
    found: dict[str, dict[int, dict[str, Any]]] = {}
    for setting in wanted(config):
        for seed in config.flora.seeds:
            path = folder.checkpoint(f"{name}-{setting}-seed{seed}")
            if not path.exists():
                continue
            bfloat16 = uses_bfloat16(config.flora.precision, place)
            score = FlowScorer(load_model(path, place), None, config.flora.scoring_tokens, bfloat16)
            bonus = -float(np.log(chosen.get("gzsl", {}).get("calibration_factor", config.flora.calibration)))
            outcome = evaluate_zsl(score, experiment) if setting == "zsl" else evaluate_gzsl(score, experiment, bonus)
            found.setdefault(setting, {})[seed] = outcome
    if not found:
        raise FloraError(
            "this run kept no model", path=folder.path, remedy="Only the held-out protocol keeps models; train with it."
        )
    return found


def _experiment_of_run(job: Job, kept: Path, config: FloraConfig, device: str) -> Experiment:
    source, texts = open_features(job, config, kept), texts_of(job, config)
    features = _extract(job, config, source, kept, device) if isinstance(source, Extraction) else source
    return experiment_of(job, config, features, texts, device, kept)
