"""The class texts of a training: those of its configuration, of a project, of a file, or our own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flora_engine.config import TextSettings
from flora_engine.datasets.catalogue import ClassText, dataset_names
from flora_engine.datasets.settings import DataSettings
from flora_engine.errors import FloraError
from flora_engine.heads import reads, reads_parts
from flora_engine.labelling.bundle import TextEncoderReference, bundled
from flora_engine.project import Project
from flora_engine.semantics.class_parts import class_parts
from flora_engine.semantics.class_texts import load_class_texts, several_states, texts_of_names, with_more
from flora_engine.semantics.expectations import Reader
from flora_engine.semantics.lexicon import users_lexicon
from flora_engine.semantics.text_encoder import TextEncoder

SHIPPED = "shipped"  # under `more`: our own texts of the data set


@dataclass(frozen=True)
class EncodedTexts:
    """texts: of each class, with its further ones. states: float32 (K, T, 2d), see `several_states`. parts: see
    `class_parts`. reference: how a model finds the encoder again, and joins several texts. expectations: float64 (K, D)
    of descriptors. Parts and expectations are None if nothing reads them.
    """

    texts: list[ClassText]
    states: NDArray[np.float32]
    parts: NDArray[np.float32] | None
    reference: TextEncoderReference
    expectations: NDArray[np.float64] | None = None


def encode_texts(
    encoder: TextEncoder,
    texts: Sequence[ClassText],
    settings: TextSettings,
    heads: Sequence[str],
    more: Sequence[Sequence[ClassText]] = (),
    recordings: bool = True,
) -> EncodedTexts:
    """What `heads` see of the class texts. more: further texts of the same classes. recordings: whether the run has
    any, so that its model measures them. FloraError as in `class_states`.
    """
    tokens = settings.tokens
    parts = class_parts(encoder, texts, tokens) if reads_parts(heads) else None
    expectations = None
    if reads_descriptors(heads, recordings):
        read = Reader(users_lexicon(), encoder).read_all(texts)
        expectations = np.stack([one.values for one in read])
    every = with_more(texts, more)
    kept = max(len(text.versions) for text in every) if every and settings.several == "kept" else 1
    states = several_states(encoder, every, tokens, kept, keep=True)
    reference = TextEncoderReference(name=settings.encoder, sha256=encoder.sha256, tokens=tokens, kept=kept)
    return EncodedTexts(every, states, parts, reference, expectations)


def more_texts(data: Sequence[DataSettings], settings: TextSettings) -> list[list[ClassText]]:
    """Further texts of all classes of all data sets, one list per entry of `settings.more`. FloraError."""
    found = []
    for path in settings.more:
        where = None if str(path) == SHIPPED else path
        found.append([text for one in data for text in load_class_texts(one.dataset, where)])
    return found


def reads_descriptors(heads: Iterable[str], recordings: bool = True) -> bool:
    """Whether a run of these heads measures its recordings: for one of them, or for the model that labels, if it has
    recordings.
    """
    names = list(heads)
    return (recordings and bundled(names) is not None) or any(reads(name) != "features" for name in names)


def texts_for(data: DataSettings, settings: TextSettings) -> list[ClassText]:
    """The texts of all classes of `data`, in the order of its numbering.

    A data set of the catalogue has its own classes; a project of any other has those of the project, with its texts.
    What the configuration itself says (`classes`) counts instead. FloraError if there are no classes, or if the
    configuration's texts leave one out.
    """
    own = data.project is not None and data.dataset not in dataset_names()
    texts = texts_of_project(data.project) if own else load_class_texts(data.dataset, settings.texts)
    return texts if settings.classes is None else _given(texts, settings.classes)


def texts_of_project(folder: Path | None) -> list[ClassText]:
    """The classes of a project with its texts; a class without any has ours if we know it, else its name. FloraError if
    it has no classes.
    """
    assert folder is not None
    with Project.open(folder, "read") as project:
        names, known = project.classes.names(), project.classes.texts()
    if not names:
        raise FloraError("the project has no classes", path=folder, remedy="Give its recordings classes first.")
    return texts_of_names(names, known)


def _given(texts: list[ClassText], given: tuple[ClassText, ...]) -> list[ClassText]:
    by_name = {text.name.casefold(): text for text in given}
    missing = [text.name for text in texts if text.name.casefold() not in by_name]
    if missing:
        more = f" and {len(missing) - 1} others" if len(missing) > 1 else ""
        raise FloraError(
            f"the configuration has no texts for the class “{missing[0]}”{more}",
            remedy="Add them under texts.classes, or leave that key out.",
        )
    return [by_name[text.name.casefold()] for text in texts]
