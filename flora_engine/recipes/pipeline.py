"""From raw recordings to a bundle: encoder, features, heads, evaluation, and the model that labels.

For each split: train the encoder on the seen classes of the train part, extract features, train and evaluate every
head under every protocol, and write the first seed of one as a bundle (`bundled`). Nothing of an unseen class or of
the test part reaches training or selection. A run can be stopped at any moment and resumes where it was.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from flora_engine.config import PipelineConfig
from flora_engine.datasets.clips import Clips
from flora_engine.datasets.describing import describe_clips
from flora_engine.datasets.loading import load_clips
from flora_engine.errors import FloraError
from flora_engine.heads.learning.model import load_model
from flora_engine.jobs import Job
from flora_engine.project.splits import Parts, Split
from flora_engine.recipes.bundling import summary
from flora_engine.recipes.leaks import check_trained_apart, divide_apart
from flora_engine.recipes.split_run import Material, SplitRun
from flora_engine.recipes.starting import Start, run_folder
from flora_engine.recipes.texts import encode_texts, more_texts, reads_descriptors, texts_for
from flora_engine.runs.folder import RunFolder
from flora_engine.runs.results import FinalResult, PipelineResult, SplitResult, read_result
from flora_engine.semantics.text_encoder import load_text_encoder
from flora_engine.training.distributed import choose_device
from flora_engine.training.extraction import find_checkpoints


def train(
    job: Job, start: Start, config: PipelineConfig, device: str | None, scheduler: str | None = None
) -> PipelineResult:
    """Do everything `config` asks for in a new run, or resume one; everything is loaded and checked before there is a
    folder. scheduler: of a Dask cluster whose workers train the heads. Raises FloraError for unusable data or
    settings, Cancelled when stopped.
    """
    place = str(choose_device(device))
    material = load_material(job, config)
    names = [text.name for text in material.texts]
    parts = {split.name: divide_apart(split, material.clips, names) for split in config.splits}
    with run_folder(job, start) as run:
        started = time.monotonic()
        results = {}
        for split in config.splits:
            folder = RunFolder.at(run.path / split.name, {"split": split.model_dump(mode="json")})
            with job.part(split.name):
                results[split.name] = run_split(
                    SplitRun(job, config, material, folder, place, scheduler), split, parts[split.name]
                )
        bundle = run.path / config.splits[0].name / "bundle"
        final = None
        if config.final:
            folder = RunFolder.at(run.path / "final", {"recipe": config.splits[0].name})
            with job.part("final"):
                final = run_final(SplitRun(job, _for_final(config), material, folder, place), results)
            bundle = folder.bundle
        result = PipelineResult(
            splits=results,
            final=final,
            bundle=str(bundle.relative_to(run.path)),
            minutes=(time.monotonic() - started) / 60,
            run=run.path,
        )
        run.write_result(result.stored())
    return result


# What all splits share


def load_material(job: Job, config: PipelineConfig) -> Material:
    """Read and prepare all recordings; classes of later data sets are numbered on from the earlier ones."""
    if len({(one.preparation, one.frames, one.persons) for one in config.data}) > 1:
        raise FloraError("all data sets of a run need the same preparation, frames and persons")
    of_sets = [texts_for(settings, config.texts) for settings in config.data]
    texts = [text for of_set in of_sets for text in of_set]
    encoder = load_text_encoder(config.texts.encoder, job)
    encoded = encode_texts(encoder, texts, config.texts, config.heads, more_texts(config.data, config.texts))
    encoders = find_checkpoints(list(config.checkpoints)) if config.checkpoints else {}
    for split in config.splits:
        check_trained_apart(job, encoders, [texts[label].name for label in split.unseen], split.name)
    clips = _joined([load_clips(job, settings) for settings in config.data], [len(of_set) for of_set in of_sets])
    values = describe_clips(job, clips) if reads_descriptors(config.heads) else None
    words = (encoded.texts, encoded.states, encoded.reference)
    return Material(clips, *words, encoders, encoded.parts, values, encoded.expectations)


def _joined(sets: Sequence[Clips], counts: Sequence[int]) -> Clips:
    """All clips with one numbering. counts: classes of each data set."""
    if len(sets) == 1:
        return sets[0]
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
        sources=tuple(source for one in sets for source in one.sources),
    )


# One split


def run_split(run: SplitRun, split: Split, parts: Parts) -> SplitResult:
    """Encoder, features, heads and bundle of one split; what is there already is kept."""
    done = read_result(run.folder.result() or {})
    if isinstance(done, SplitResult):
        return done
    started = time.monotonic()
    run.job.log(
        f"{split.name}: {len(parts.train)} training clips, {len(parts.zsl)} of unseen classes, {len(parts.gzsl)} test"
    )
    streams, checkpoints = run.encoders(parts.train)
    encoded = time.monotonic()
    features, local = run.features(checkpoints, parts), run.local(checkpoints, parts)
    experiment = run.experiment(features, split.unseen, parts, local)
    run.keep_facts(experiment, parts)
    heads = run.evaluate(experiment)
    result = SplitResult(
        unseen=list(split.unseen),
        chance=1 / len(split.unseen),
        counts={"train": len(parts.train), "zsl": len(parts.zsl), "gzsl": len(parts.gzsl)},
        encoder={name: stream.brief() for name, stream in streams.items()},
        heads=heads,
        minutes={"encoder": (encoded - started) / 60, "all": (time.monotonic() - started) / 60},
    )
    kept = run.kept_model("zsl")
    if kept.exists():
        chosen = heads[run.head]["held-out"]["chosen"]
        model = load_model(kept, run.device)
        with run.job.part("bundle"):
            said = run.write_bundle(experiment, model, checkpoints, chosen, summary(heads[run.head]["held-out"]))
        result = result.model_copy(update={"weights": said})
    run.folder.write_result(result.stored())
    return result


# The model of all classes


def _for_final(config: PipelineConfig) -> PipelineConfig:
    """More recordings may need fewer passes."""
    if config.final_epochs is None:
        return config
    encoder = config.encoder.model_copy(update={"epochs": config.final_epochs})
    return config.model_copy(update={"encoder": encoder})


def run_final(run: SplitRun, results: dict[str, SplitResult]) -> FinalResult:
    """Train once more on every class and every recording, with what the first split chose, and bundle that.

    There is no test part left, so its accuracy is the mean of the splits', which trained by the same recipe.
    """
    done = read_result(run.folder.result() or {})
    if isinstance(done, FinalResult):
        return done
    clips = run.material.clips
    streams, checkpoints = run.encoders(np.arange(len(clips.labels)))
    experiment = run.experiment(run.features_of_all(checkpoints), ())
    first = next(iter(results.values()))
    chosen = first.heads[run.head]["held-out"]["chosen"]
    model = run.final_model(experiment, chosen["zsl"])
    summaries = [summary(result.heads[run.head]["held-out"]) for result in results.values()]
    accuracy = {key: math.fsum(one[key] for one in summaries) / len(summaries) for key in summaries[0]}
    with run.job.part("bundle"):
        said = run.write_bundle(experiment, model, checkpoints, chosen, accuracy)
    result = FinalResult(
        clips=len(clips.labels),
        classes=len(np.unique(clips.labels)),
        accuracy_of_splits=accuracy,
        weights=said,
        encoder={name: stream.brief() for name, stream in streams.items()},
    )
    run.folder.write_result(result.stored())
    return result
