"""Write a trained encoder and Flora model as a bundle. The only module of this package that needs torch."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from flora_engine.errors import FloraError
from flora_engine.inference import load_session
from flora_engine.labelling.bundle import DESCRIPTORS, DIRECT, GRAPHS, DescriptorReference, Manifest, write_manifest
from flora_engine.models.flora.added import AddedFlora
from flora_engine.models.flora.direct import DirectMap
from flora_engine.models.flora.network import Flora
from flora_engine.models.shift_gcn import several
from flora_engine.models.shift_gcn.network import ShiftGCN
from flora_engine.models.shift_gcn.onnx_graph import export_onnx
from flora_engine.models.shift_gcn.several import Networks

OPSET = 17


class _Means(nn.Module):
    """The mean head of a Gaussian encoder."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, x: Tensor) -> Tensor:
        return self.encoder.means(x)  # type: ignore[operator,no-any-return]


def _export(
    module: nn.Module, inputs: dict[str, Tensor], output: str, axes: dict[str, dict[int, str]], path: Path
) -> None:
    """One graph, checked against torch on `inputs` before anybody can use it."""
    module = module.eval()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the tracer warns of constants that are constants
        expected = module(*inputs.values())
        torch.onnx.export(
            module,
            tuple(inputs.values()),
            str(path),
            input_names=list(inputs),
            output_names=[output],
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )
    _check(path, inputs, expected)


def _check(path: Path, inputs: dict[str, Tensor], expected: Tensor) -> None:
    """FloraError if the graph does not give what torch gave."""
    found = load_session(path).run(None, {name: value.numpy() for name, value in inputs.items()})[0]
    if not np.allclose(found, expected.numpy(), rtol=1e-3, atol=1e-4):
        raise FloraError("the exported graph does not agree with the trained model", path=path)


def _check_fit(networks: dict[str, ShiftGCN], flora: Flora | AddedFlora, persons: int) -> None:
    """FloraError if the networks are not those whose features Flora was trained on."""
    size, streams = several.feature_size(networks), ", ".join(networks)
    if size != flora.features:
        raise FloraError(
            f"the encoder ({streams}) gives {size} numbers per recording, and this model was trained on "
            f"{flora.features}",
            remedy="Name the encoder of every stream that made the features, and no other.",
        )
    wanted = next(iter(networks.values())).persons
    if wanted != persons:
        raise FloraError(
            f"the encoder takes clips of {wanted} persons, and the preparation gives {persons}",
            remedy=f"Set persons to {wanted}.",
        )


def export_bundle(
    folder: Path,
    encoder: Networks,
    flora: Flora | AddedFlora,
    manifest: Manifest,
    *,
    direct: DirectMap | None = None,
    descriptors: Path | None = None,
) -> None:
    """Write the graphs and then the manifest into `folder`; what was there is replaced only once all is written.

    encoder (one network, or one per stream), flora and direct (what the ensemble has beside Flora): on the CPU,
    trained. descriptors: a stored model of theirs, which the bundle then adds. Raises FloraError if the encoder does
    not give the features that Flora takes, or clips of the manifest's persons, or if a graph and its model disagree.
    """
    networks = several.each(encoder)
    assert manifest.preparation is not None and manifest.decision is not None
    _check_fit(networks, flora, manifest.preparation.persons)
    fresh = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    tokens, frames = manifest.text_encoder.rows, manifest.preparation.frames
    random = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=random)

    export_onnx(networks, fresh / "skeleton_encoder.onnx", frames)
    first = next(iter(networks.values()))
    clips = draw(2, first.channels, frames, first.joints, first.persons)
    with torch.no_grad():
        _check(fresh / "skeleton_encoder.onnx", {"joints": clips}, several.features(networks, clips))
    _export(
        _Means(flora.skeleton_encoder),
        {"feature": draw(2, flora.features)},
        "latent",
        {"feature": {0: "n"}, "latent": {0: "n"}},
        fresh / "skeleton_to_latent.onnx",
    )
    _export(
        _Means(flora.text_encoder),
        {"states": draw(3, tokens, flora.text)},
        "latent",
        {"states": {0: "k"}, "latent": {0: "k"}},
        fresh / "text_to_latent.onnx",
    )
    _export(
        flora.scorer(manifest.decision.time, manifest.decision.sigma_min),
        {"text": draw(3, tokens, flora.hidden), "skeleton": draw(2, flora.hidden)},
        "error",
        {"text": {0: "k"}, "skeleton": {0: "n"}, "error": {0: "n", 1: "k"}},
        fresh / "scorer.onnx",
    )
    if direct is not None:
        axes = {"feature": {0: "n"}, "vector": {0: "n"}}
        _export(direct, {"feature": draw(2, flora.features)}, "vector", axes, fresh / DIRECT)
    if descriptors is not None:
        shutil.copyfile(descriptors, fresh / DESCRIPTORS)
        manifest = manifest.model_copy(update={"descriptors": manifest.descriptors or DescriptorReference()})
    if not manifest.has_graphs:  # nothing would read them
        for name in (*GRAPHS, DIRECT):
            (fresh / name).unlink(missing_ok=True)
    write_manifest(fresh, manifest.model_copy(update={"streams": tuple(networks)}))
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.replace(old)
    fresh.replace(folder)
    shutil.rmtree(old, ignore_errors=True)
