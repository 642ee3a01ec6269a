"""Bundles of one, two and four streams: what they rank is what torch computes, on real recordings too."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tiny_bundle
import torch

from flora_engine.demo import synthesise
from flora_engine.errors import FloraError
from flora_engine.labelling.bundle import PreparationReference, load_manifest
from flora_engine.labelling.export_bundle import export_bundle
from flora_engine.labelling.labeller import Labeller
from flora_engine.models.flora.added import AddedFlora
from flora_engine.models.flora.network import Flora, Scorer
from flora_engine.models.shift_gcn.network import ShiftGCN
from flora_engine.models.shift_gcn.published import read_published
from flora_engine.models.shift_gcn.streams import STREAMS, make_stream
from flora_engine.preprocessing import PREPARATIONS, prepare
from flora_engine.readers import read_sequence
from flora_engine.semantics.attunement import attune
from flora_engine.semantics.class_texts import ClassText, class_states, parse_typed
from flora_engine.semantics.text_encoder import load_text_encoder
from flora_engine.skeleton import SkeletonSequence

TEXTS = parse_typed("wave hand: one hand swings beside the head\nsit down; kick something")
TEXTS_AND_SEEN = [
    *TEXTS,
    ClassText("squat", "bend both knees deeply", "Lowering the hips."),
    ClassText("jog", "run on the spot with bent arms", "Running slowly."),
]


def random_flora(features: int) -> Flora:
    """A small Flora whose velocity is not zero, as it is at initialisation."""
    torch.manual_seed(5)
    flora = Flora(features, tiny_bundle.TEXT_CHANNELS, hidden=24, heads=2)
    with torch.no_grad():
        for parameter in flora.velocity.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return flora.eval()


def networks(*streams: str, persons: int = 2) -> dict[str, ShiftGCN]:
    torch.manual_seed(4)
    return {stream: ShiftGCN(4, base_channels=8, persons=persons).eval() for stream in streams}


def exported(
    folder: Path,
    encoder: dict[str, ShiftGCN],
    flora: Flora | AddedFlora,
    preparation: str,
    frames: int,
    persons: int = 2,
) -> Labeller:
    how = PreparationReference.of(preparation, frames, persons)
    export_bundle(folder, encoder, flora, tiny_bundle.manifest().model_copy(update={"preparation": how}))
    return Labeller(folder)


def errors_by_torch(
    encoder: dict[str, ShiftGCN], flora: Flora, sequences: list[SkeletonSequence], preparation: str, frames: int
) -> np.ndarray:
    """Flora's errors (N, K), from the recordings on, without anything that a bundle holds."""
    persons = next(iter(encoder.values())).persons
    clips = np.stack([prepare(sequence, preparation, frames)[..., :persons] for sequence in sequences])
    states = attune(class_states(load_text_encoder(), TEXTS_AND_SEEN, tiny_bundle.TOKENS), 2, 0.5)[: len(TEXTS)]
    with torch.no_grad():
        parts = [
            encoder[name].features(torch.from_numpy(make_stream(clips, name))) for name in STREAMS if name in encoder
        ]
        skeleton = flora.skeleton_encoder.means(torch.cat(parts, 1))
        return np.asarray(Scorer(flora.velocity)(flora.text_encoder.means(torch.from_numpy(states)), skeleton))


def errors_of(labeller: Labeller, sequences: list[SkeletonSequence]) -> np.ndarray:
    found = [{label.name: label.flow_error for label in labeller.label(one, TEXTS).labels} for one in sequences]
    return np.array([[row[text.name] for text in TEXTS] for row in found], np.float64)


@pytest.mark.parametrize(
    ("streams", "persons"), [(("bone",), 2), (("bone_motion", "joint"), 1), (("bone", "joint"), 2), (STREAMS, 2)]
)
def test_several_streams_rank_as_torch_does(tmp_path: Path, streams: tuple[str, ...], persons: int) -> None:
    encoder, flora = networks(*streams, persons=persons), random_flora(32 * len(streams))
    labeller = exported(tmp_path / "b", encoder, flora, "clip", 13, persons)
    sequences = [synthesise(0), synthesise(20)]
    expected = errors_by_torch(encoder, flora, sequences, "clip", 13)
    np.testing.assert_allclose(errors_of(labeller, sequences), expected, rtol=1e-4)
    assert labeller.manifest.streams == tuple(name for name in STREAMS if name in streams)


def test_added_scores_rank_as_torch_does(tmp_path: Path) -> None:
    encoder = networks("joint", "bone")
    parts = [random_flora(32), random_flora(32)]
    with torch.no_grad():
        for parameter in parts[1].parameters():
            parameter.mul_(1.3)
    labeller = exported(tmp_path / "b", encoder, AddedFlora(parts, (0.6, 0.3)), "clip", 13)
    sequences = [synthesise(0), synthesise(20)]
    alone = [
        errors_by_torch({name: network}, part, sequences, "clip", 13)
        for (name, network), part in zip(encoder.items(), parts, strict=True)
    ]
    expected = np.exp((2 * np.log(alone[0]) + np.log(alone[1])) / 3)
    np.testing.assert_allclose(errors_of(labeller, sequences), expected, rtol=1e-4)


def test_a_manifest_of_joints_alone_has_no_new_key(tmp_path: Path) -> None:
    exported(tmp_path / "b", networks("joint"), random_flora(32), "clip", 8)
    assert "streams" not in json.loads((tmp_path / "b" / "manifest.json").read_text())
    assert load_manifest(tmp_path / "b").streams == ("joint",)


def test_an_encoder_that_did_not_make_the_features_is_refused(tmp_path: Path) -> None:
    wrong = [
        (networks("joint"), random_flora(64), 2, "gives 32 numbers per recording.*trained on 64"),
        (networks("joint"), random_flora(32), 1, "clips of 2 persons, and the preparation gives 1"),
        ({**networks("joint"), **networks("bone", persons=1)}, random_flora(64), 2, "take different clips"),
    ]
    for encoder, flora, persons, message in wrong:
        with pytest.raises(FloraError, match=message):
            exported(tmp_path / "b", encoder, flora, "clip", 8, persons)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("preparation", "frames", "streams"),
    [(name, 64 if name == "pku64" else 300, ("joint",)) for name in PREPARATIONS]
    + [("agcn", 300, ("joint", "bone")), ("ctrgcn", 300, STREAMS)],
)
def test_real_recordings_rank_as_torch_does(
    shared_data: Path, tmp_path: Path, preparation: str, frames: int, streams: tuple[str, ...]
) -> None:
    """Published weights (of joints, for every stream), both persons, in each preparation; one recording has two."""
    encoder = {name: read_published(shared_data / "shift_gcn" / "ntu_ShiftGCN_joint_xsub.pt") for name in streams}
    files = ("S001C001P001R001A023", "S017C003P020R002A050")
    sequences = [read_sequence(shared_data / "ntu" / "raw" / f"{name}.skeleton") for name in files]
    flora = random_flora(256 * len(streams))
    labeller = exported(tmp_path / "b", encoder, flora, preparation, frames)
    expected = errors_by_torch(encoder, flora, sequences, preparation, frames)
    np.testing.assert_allclose(errors_of(labeller, sequences), expected, rtol=1e-3)
