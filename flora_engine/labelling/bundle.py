"""A bundle: a trained model as a folder that labels without torch (ONNX graphs and a manifest).

Graphs, float32 throughout, N and K free:

==========================  ========================================  ==========================
skeleton_encoder.onnx       joints (N, 3, T, 25, M)                   feature (N, F)
skeleton_to_latent.onnx     feature (N, F)                            latent (N, H), the means
text_to_latent.onnx         states (K, T', 2d)                        latent (K, T', H), means
scorer.onnx                 text (K, T', H), skeleton (N, H)          error (N, K)
skeleton_to_text.onnx       feature (N, F)                            vector (N, 2d)
==========================  ========================================  ==========================

T' is L+1, or as many for each of several texts per class (`TextEncoderReference.kept`).
The encoder's graph makes the streams of its networks (`Manifest.streams`) itself, and F is that of all side by side.
`descriptors.npz` beside them (`flora_engine.models.descriptors`) makes version 3: its logits are added. If the graphs
have weight 0, as in the built-in bundle, there are none.
`motion.npz` beside that (`flora_engine.models.motion_encoder`) makes version 5: its scores are added to theirs.
`corrections.npz` (`flora_engine.labelling.teaching`) makes version 4: what was learned from confirmed recordings.

The last one is there where the bundle holds the ensemble: the score −log e is then increased by u·v_c, u being its
output and v_c the class vector (`class_vectors`). Such a manifest has version 2.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from flora_engine.datasets.catalogue import Text
from flora_engine.errors import FloraError
from flora_engine.models.shift_gcn.streams import Stream
from flora_engine.preprocessing import Preparation, preparation
from flora_engine.preprocessing.probe import agrees
from flora_engine.resources import RESOURCES

GRAPHS = ("skeleton_encoder.onnx", "skeleton_to_latent.onnx", "text_to_latent.onnx", "scorer.onnx")
DIRECT = "skeleton_to_text.onnx"
DESCRIPTORS = "descriptors.npz"
MOTION = "motion.npz"
CORRECTIONS = "corrections.npz"
MANIFEST = "manifest.json"
BUILTIN = RESOURCES / "models" / "builtin"
BUNDLED = ("ensemble", "flora")  # the heads that a bundle can hold; the first one that was trained is taken


def bundled(heads: Collection[str]) -> str | None:
    """The head that a bundle would hold; None if none of them can be held."""
    return next((name for name in BUNDLED if name in heads), None)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TextEncoderReference(_Part):
    """Which text encoder the bundle was trained with; its weights are not in the bundle. tokens: L of the method.

    kept: texts per class whose tokens stand side by side; 1: the mean of a class's texts (`several_states`).
    """

    name: str
    sha256: str
    tokens: int = Field(ge=1)
    kept: int = Field(1, ge=1)

    @property
    def rows(self) -> int:
        """T, the states of a class."""
        return self.kept * (self.tokens + 1)


class PreparationReference(_Part):
    """Which preparation the model was trained with; the encoder sees the first `persons`.

    fingerprint: `flora_engine.preprocessing.Preparation.fingerprint` at the time of training. Bundles written before
    it existed have none and are of version 1.
    """

    name: str
    frames: int = Field(ge=1)
    persons: int = Field(2, ge=1, le=2)
    version: int = Field(1, ge=1)
    fingerprint: tuple[float, ...] | None = None

    @classmethod
    def of(cls, name: str, frames: int, persons: int) -> PreparationReference:
        """The reference to a preparation as it is now. Raises FloraError if `name` is unknown."""
        now = preparation(name)
        return cls(name=name, frames=frames, persons=persons, version=now.version, fingerprint=now.fingerprint)

    def matching(self, folder: Path) -> Preparation:
        """The preparation; raises FloraError, naming the bundle's `folder`, if it is not the one of the training."""
        now = preparation(self.name)
        same = self.fingerprint is None or agrees(self.fingerprint, now.fingerprint)
        if now.version != self.version or not same:
            raise FloraError(
                f"this model was trained on clips of another version of the preparation “{self.name}” "
                f"(version {self.version}; this program has {now.version})",
                path=folder,
                remedy="Use the program version that trained it, or train again.",
            )
        return now


class Attunement(_Part):
    neighbours: int = Field(ge=0)
    weight: float


class SeenClass(_Part):
    """A class the bundle was trained on: its texts take part in attunement."""

    name: str
    motion: str
    definition: str
    more: tuple[Text, ...] = ()


class Decision(_Part):
    """How errors become shares: softmax of −log(error)/temperature, for the ensemble of (u·v − log(error))/temperature.

    The temperature was fitted on held-out classes.
    """

    time: float = Field(gt=0, lt=1)
    sigma_min: float
    calibration: float
    temperature: float = Field(gt=0)


class DescriptorReference(_Part):
    """The bundle holds descriptors.npz. graphs, descriptors: the weights of the logits of both. If graphs have 0, there
    are none; if descriptors have 0, they only say why, and how probable none of the actions is. chosen: by held-out
    folds of the training (earlier bundles weigh both alike, and say nothing).
    """

    graphs: float = Field(1.0, ge=0)
    descriptors: float = Field(1.0, ge=0)
    chosen: bool = False


class Manifest(_Part):
    """streams: what the encoder reads of the skeleton, one network each."""

    format: Literal["flora-bundle"] = "flora-bundle"
    version: Literal[1, 2, 3, 4, 5] = 1
    name: str
    text_encoder: TextEncoderReference
    streams: tuple[Stream, ...] = ("joint",)
    preparation: PreparationReference | None = None
    attunement: Attunement | None = None
    decision: Decision | None = None
    descriptors: DescriptorReference | None = None
    corrections: Literal[True] | None = None
    seen_classes: tuple[SeenClass, ...] = ()
    files: dict[str, str]
    accuracy: dict[str, float | str] = {}

    @property
    def has_graphs(self) -> bool:
        """Whether graphs take part in the decision. If not, the bundle needs none, and nothing that speaks of them."""
        return self.descriptors is None or self.descriptors.graphs > 0

    @model_validator(mode="after")
    def _graphs_are_described(self) -> Manifest:
        if self.has_graphs and None in (self.preparation, self.attunement, self.decision):
            raise ValueError("graphs need a preparation, an attunement and a decision")
        return self


def file_hash(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def find_bundle(folder: Path) -> Path:
    """The bundle that somebody means who chose `folder`: itself, or the one that a training run wrote below it."""
    if (folder / "manifest.json").is_file():
        return folder
    below = sorted(path.parent for path in folder.glob("**/bundle/manifest.json"))
    final = [path for path in below if path.parent.name == "final"]  # trained on everything, after the evaluation
    return next(iter(final or below), folder)


def bundle_title(folder: Path) -> str:
    """What people call a bundle: its folder, or if that is only called "bundle", what it is the bundle of."""
    if folder == BUILTIN:
        return "built-in model"
    if folder.name != "bundle":
        return folder.name
    return folder.parent.parent.name if folder.parent.name == "final" else folder.parent.name


def load_manifest(folder: Path) -> Manifest:
    """Read and check a bundle's manifest and the hashes of its graphs; raises FloraError."""
    remedy = "Choose a folder that a training run wrote as “bundle”, or restore resources/models."
    path = folder / MANIFEST
    if not path.is_file():
        raise FloraError("this is not a model bundle: it has no manifest.json", path=folder, remedy=remedy)
    try:
        manifest = Manifest.model_validate_json(path.read_text(encoding="utf-8"))
    except (ValidationError, UnicodeDecodeError) as error:
        first = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        raise FloraError(f"the manifest is not valid: {first}", path=path, remedy=remedy) from None
    for name in files_of(manifest):
        if not (folder / name).is_file():
            raise FloraError(f"the model bundle lacks {name}", path=folder, remedy=remedy)
        if manifest.files.get(name) != file_hash(folder / name):
            raise FloraError(f"{name} is not the file that its manifest describes", path=folder, remedy=remedy)
    return manifest


def graphs_of(manifest: Manifest) -> tuple[str, ...]:
    """File names of the bundle's graphs."""
    if not manifest.has_graphs:
        return ()
    return (*GRAPHS, DIRECT) if manifest.version == 2 or DIRECT in manifest.files else GRAPHS


def files_of(manifest: Manifest) -> tuple[str, ...]:
    """File names of all that the manifest speaks of."""
    added = [] if manifest.descriptors is None else [DESCRIPTORS, *([MOTION] if MOTION in manifest.files else [])]
    return (*graphs_of(manifest), *added, *([CORRECTIONS] if manifest.corrections else []))


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest last, with the hashes of the graphs that lie in `folder`: without it there is no bundle."""
    from flora_engine.files import write_text

    there = [name for name in (*GRAPHS, DIRECT, DESCRIPTORS, MOTION, CORRECTIONS) if (folder / name).is_file()]
    version = 3 if manifest.descriptors is not None else 2 if DIRECT in there else 1
    version = 5 if MOTION in there else 4 if manifest.corrections else version
    files = {name: file_hash(folder / name) for name in there}
    hashed = manifest.model_copy(update={"files": files, "version": version}).model_dump(mode="json")
    # Earlier versions of the program do not know these keys.
    if manifest.streams == ("joint",):
        del hashed["streams"]
    if manifest.text_encoder.kept == 1:
        del hashed["text_encoder"]["kept"]
    for text in hashed["seen_classes"]:
        if not text["more"]:
            del text["more"]
    if manifest.descriptors is not None and not manifest.descriptors.chosen:
        hashed["descriptors"] = {"graphs": manifest.descriptors.graphs}
    write_text(folder / MANIFEST, json.dumps(hashed, indent=2, ensure_ascii=False) + "\n")
