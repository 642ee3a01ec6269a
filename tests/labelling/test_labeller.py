"""A bundle gives what its torch models give, refuses what does not belong to it, and reads as the command line says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tiny_bundle
import torch

from flora_engine.cli import main
from flora_engine.demo import synthesise
from flora_engine.errors import FloraError
from flora_engine.labelling.bundle import load_manifest
from flora_engine.labelling.export_bundle import export_bundle
from flora_engine.labelling.labeller import Labeller
from flora_engine.models.flora.direct import DirectMap, Projection, Ridge
from flora_engine.models.flora.network import Flora, Scorer
from flora_engine.models.shift_gcn.network import ShiftGCN
from flora_engine.preprocessing import prepare
from flora_engine.project import Project
from flora_engine.readers import write_ntu
from flora_engine.semantics.attunement import attune
from flora_engine.semantics.class_texts import ClassText, class_states, class_vectors, parse_typed
from flora_engine.semantics.text_encoder import load_text_encoder

Models = tuple[Path, ShiftGCN, Flora]
TEXTS = parse_typed("wave hand: one hand swings beside the head\nsit down; squat")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Models:
    folder = tmp_path_factory.mktemp("model") / "bundle"
    return folder, *tiny_bundle.write(folder)


def test_ranking_is_what_the_torch_models_compute(bundle: Models) -> None:
    folder, encoder, flora = bundle
    sequence = synthesise(0)
    ranking = Labeller(folder).label(sequence, TEXTS)

    # The typed "squat" stands for itself: the seen class of that name leaves the pool of neighbours.
    seen = ClassText("jog", "run on the spot with bent arms", "Running slowly.")
    states = attune(class_states(load_text_encoder(), [*TEXTS, seen], tiny_bundle.TOKENS), 2, 0.5)[:3]
    with torch.no_grad():
        joints = torch.from_numpy(prepare(sequence, "clip", tiny_bundle.FRAMES)[None])
        skeleton = flora.skeleton_encoder.means(encoder.features(joints))
        errors = Scorer(flora.velocity)(flora.text_encoder.means(torch.from_numpy(states)), skeleton)[0].numpy()
    found = {label.name: label.flow_error for label in ranking.labels}
    assert [found[text.name] for text in TEXTS] == pytest.approx(errors.tolist(), rel=1e-4)
    assert [label.flow_error for label in ranking.labels] == sorted(found.values())
    assert sum(label.score for label in ranking.labels) == pytest.approx(1)
    assert ranking.labels[0].score == max(label.score for label in ranking.labels)
    assert set(ranking.timings) == {"prepare", "encode", "text", "score"}


def test_many_candidates_are_scored_as_each_alone(bundle: Models) -> None:
    labeller = Labeller(bundle[0])
    texts = [ClassText(f"action {i}", f"motion number {i}", f"definition {i}") for i in range(70)]
    latents, _ = labeller.latents([synthesise(1), synthesise(20)])
    together = labeller.rank(latents, texts)
    apart = labeller.rank(latents[1:], texts)
    assert [x.name for x in together[1].labels] == [x.name for x in apart[0].labels]
    assert len(together[0].labels) == 70


def test_no_action_is_an_error_that_says_what_to_do(bundle: Models) -> None:
    with pytest.raises(FloraError, match="Type at least one action"):
        Labeller(bundle[0]).label(synthesise(0), [])


def test_what_is_not_the_bundle_that_was_trained_is_refused(bundle: Models, tmp_path: Path) -> None:
    with pytest.raises(FloraError, match=r"no manifest\.json"):
        load_manifest(tmp_path)
    for file in bundle[0].iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "scorer.onnx").write_bytes(b"something else")
    with pytest.raises(FloraError, match=r"scorer\.onnx is not the file"):
        Labeller(tmp_path)
    (tmp_path / "scorer.onnx").unlink()
    with pytest.raises(FloraError, match=r"lacks scorer\.onnx"):
        Labeller(tmp_path)
    (tmp_path / "manifest.json").write_text('{"format": "flora-bundle", "version": 9}')
    with pytest.raises(FloraError, match="manifest is not valid"):
        Labeller(tmp_path)


def test_a_bundle_for_another_text_encoder_is_refused(bundle: Models, tmp_path: Path) -> None:
    for file in bundle[0].iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    manifest["text_encoder"]["sha256"] = "0" * 64
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(FloraError, match="another text encoder"):
        Labeller(tmp_path)


def test_label_command_on_files_folders_and_bad_files(
    bundle: Models, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_ntu(synthesise(0), tmp_path / "a.skeleton")
    (tmp_path / "b.skeleton").write_bytes(b"\xff\xd8\xff\xe0 a picture")
    arguments = ["--classes", "wave hand; sit down", "--model", str(bundle[0])]
    status = main(["label", str(tmp_path / "a.skeleton"), str(tmp_path / "b.skeleton"), *arguments, "--json"])
    good, bad = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert status == 1
    assert {label["name"] for label in good["labels"]} == {"wave hand", "sit down"}
    assert set(good["seconds"]) == {"read", "prepare", "encode", "text", "score"}
    assert "b.skeleton" in bad["problem"]
    (tmp_path / "b.skeleton").unlink()
    assert main(["label", str(tmp_path), *arguments]) == 0
    assert "wave hand" in capsys.readouterr().out


def test_label_command_without_actions_or_recordings(
    bundle: Models, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_ntu(synthesise(0), tmp_path / "a.skeleton")
    assert main(["label", str(tmp_path), "--classes", " ; ", "--model", str(bundle[0])]) == 1
    assert "no action is named" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert main(["label", str(tmp_path / "empty"), "--classes", "wave", "--model", str(bundle[0])]) == 1
    assert "no recording here" in capsys.readouterr().err
    with Project.create(tmp_path / "study"):
        pass
    assert main(["label", str(tmp_path / "study"), "--classes", "wave", "--model", str(bundle[0])]) == 1
    assert "is a project. Rank its recordings by `flora label" in capsys.readouterr().err
    assert main(["info", str(tmp_path / "study")]) == 1
    assert "is a project, not a recording. Open it: `flora gui" in capsys.readouterr().err


def test_labelling_needs_no_torch(bundle: Models, tmp_path: Path) -> None:
    load_text_encoder()  # exported before torch goes away
    write_ntu(synthesise(0), tmp_path / "a.skeleton")
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from flora_engine.cli import main\n"
        f"sys.exit(main(['label', {str(tmp_path / 'a.skeleton')!r}, '--classes', 'wave; sit', "
        f"'--model', {str(bundle[0])!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_bundle_of_the_ensemble_ranks_as_its_torch_models(tmp_path: Path) -> None:
    encoder, flora = tiny_bundle.models()
    random = torch.Generator().manual_seed(1)
    ridge = Ridge(torch.zeros(32), torch.ones(32), torch.randn(32, tiny_bundle.TEXT_CHANNELS, generator=random))
    direct = DirectMap(Projection(32, tiny_bundle.TEXT_CHANNELS), ridge, torch.tensor([2.0, 0.1])).eval()
    export_bundle(tmp_path / "b", encoder, flora, tiny_bundle.manifest(), direct=direct)
    export_bundle(tmp_path / "flora", encoder, flora, tiny_bundle.manifest())
    assert load_manifest(tmp_path / "b").version == 2 and load_manifest(tmp_path / "flora").version == 1
    with torch.no_grad():
        joints = torch.from_numpy(prepare(synthesise(2), "clip", tiny_bundle.FRAMES)[None])
        vectors = class_vectors(class_states(load_text_encoder(), TEXTS, tiny_bundle.TOKENS))
        more = (direct(encoder.features(joints)) @ torch.from_numpy(vectors).T)[0].numpy()
    assert np.ptp(more) > 0.01
    alone = {label.name: label.flow_error for label in Labeller(tmp_path / "flora").label(synthesise(2), TEXTS).labels}
    labels = Labeller(tmp_path / "b").label(synthesise(2), TEXTS).labels
    assert {label.name: label.flow_error for label in labels} == pytest.approx(alone, rel=1e-4)
    wanted = {text.name: added - np.log(alone[text.name]) for text, added in zip(TEXTS, more, strict=True)}
    assert [label.name for label in labels] == sorted(wanted, key=lambda name: -wanted[name])
    weights = {name: np.exp((score - max(wanted.values())) / 0.01) for name, score in wanted.items()}
    shares = {name: weight / sum(weights.values()) for name, weight in weights.items()}
    assert {label.name: label.score for label in labels} == pytest.approx(shares, abs=0.02)
    (tmp_path / "b" / "skeleton_to_text.onnx").unlink()
    with pytest.raises(FloraError, match=r"lacks skeleton_to_text\.onnx"):
        Labeller(tmp_path / "b")
