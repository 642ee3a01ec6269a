"""`flora texts encode`: class texts as a text encoder sees them, kept for the trainings that follow."""

from __future__ import annotations

import argparse
from pathlib import Path

from pydantic import ValidationError

from flora_engine.commands.console import console_job
from flora_engine.config import TextSettings
from flora_engine.config.load import load_config
from flora_engine.datasets.benchmarks import load_benchmark
from flora_engine.datasets.catalogue import dataset_names
from flora_engine.datasets.settings import DataSettings
from flora_engine.errors import FloraError
from flora_engine.recipes.texts import encode_texts, more_texts, texts_for
from flora_engine.semantics.text_encoder import MINILM, load_text_encoder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="verb", required=True)
    encode = verbs.add_parser("encode", help="prepare a text encoder and keep the states of a data set's class texts")
    encode.add_argument("--config", type=Path, help="a configuration of a training, whose texts are meant")
    encode.add_argument("--dataset", choices=dataset_names(), help="the data set, without a configuration")
    encode.add_argument("--encoder", help=f"{MINILM}, or the folder of a CLIP or BERT model (default: {MINILM})")
    encode.add_argument("--tokens", type=int, help="tokens kept of each text (default: 32)")
    encode.add_argument("--texts", type=Path, help="folder in the published format, or a YAML file of ours")
    encode.add_argument("--more", nargs="+", type=Path, help="further texts of the same classes; “shipped”: our own")
    encode.add_argument("--several", choices=("mean", "kept"), help="how they are joined (default: mean)")


def run(arguments: argparse.Namespace) -> int:
    data, settings = _wanted(arguments)
    with console_job() as job:
        encoder = load_text_encoder(settings.encoder, job)
        texts = [text for one in data for text in texts_for(one, settings)]
        more = more_texts(data, settings)
        states = encode_texts(encoder, texts, settings, (), more).states
    count = f"{len(texts)} classes, {1 + len(more)} {'version' if not more else 'versions'} of two texts each"
    states_of = f"{states.shape[1]} states of {states.shape[2]} numbers per class"
    print(f"{count}: {states_of}, by {encoder.name}; kept for training")
    return 0


def _wanted(arguments: argparse.Namespace) -> tuple[list[DataSettings], TextSettings]:
    if (arguments.config is None) == (arguments.dataset is None):
        raise FloraError("whose texts are meant?", remedy="Give --config FILE or --dataset NAME.")
    given = {key: getattr(arguments, key) for key in ("encoder", "tokens", "texts", "more", "several")}
    changes = {key: value for key, value in given.items() if value is not None}
    base, data = TextSettings(), [DataSettings(dataset=arguments.dataset)] if arguments.dataset else []
    if arguments.config is not None:
        config = load_config(arguments.config)
        if config.kind == "encoder":
            raise FloraError("an encoder's training reads no texts", path=arguments.config)
        if config.kind == "descriptors":
            raise FloraError("this training reads class names alone", path=arguments.config)
        base = config.texts
        data = list(config.data) if config.kind == "pipeline" else [
            DataSettings(dataset=load_benchmark(config.benchmark).dataset)]  # fmt: skip
    try:
        return data, TextSettings.model_validate({**base.model_dump(), **changes})
    except ValidationError as error:
        raise FloraError(f"the texts cannot be encoded so: {error.errors()[0]['msg']}") from None
