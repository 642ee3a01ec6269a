"""The descriptor model: it finds what it was taught, is linear, survives its file, and refuses a wrong one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from flora_engine.descriptors import build_pool, catalogue
from flora_engine.errors import FloraError
from flora_engine.models.descriptors import DescriptorModel, fit_descriptors, load_descriptor_model, standardise, unit

D, TEXT, CLASSES, EACH = len(catalogue()), 12, 6, 30


@pytest.fixture(scope="module")
def taught() -> tuple[DescriptorModel, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Two sets whose recordings are their class's expectation and noise; the model, and one set's arrays."""
    random = np.random.default_rng(0)
    sets = {}
    for name in ("one", "two"):
        expected = random.normal(size=(CLASSES, D)) * (random.random((CLASSES, D)) < 0.1)
        labels = np.repeat(np.arange(CLASSES), EACH)
        values = (expected[labels] + random.normal(size=(len(labels), D))).astype(np.float32)
        values[random.random(values.shape) < 0.05] = np.nan
        sets[name] = (values, labels, expected, unit(random.normal(size=(CLASSES, TEXT))))
    return (fit_descriptors(sets), *sets["one"])


def test_it_finds_the_class_whose_expectations_hold(taught) -> None:  # type: ignore[no-untyped-def]
    model, values, labels, expected, vectors = taught
    scores = model.scores(model.standardise(values), expected, vectors)
    assert (scores.argmax(axis=1) == labels).mean() > 0.9


def test_a_score_is_a_sum_over_descriptors_and_no_class_alone_changes_another(taught) -> None:  # type: ignore[no-untyped-def]
    model, values, _, expected, vectors = taught
    z = model.standardise(values)
    weight, offset = model.directions(expected, vectors)
    scores = model.scores(z, expected, vectors)
    np.testing.assert_allclose(scores[3, 2], (z[3] * weight[2]).sum() + offset[2])
    np.testing.assert_allclose(model.scores(z, expected[2:3], vectors[2:3])[:, 0], scores[:, 2])


def test_whatever_was_measured_becomes_finite(taught) -> None:  # type: ignore[no-untyped-def]
    model = taught[0]
    wild = np.full((4, D), np.nan, np.float32)
    wild[1], wild[2] = 1e30, -1e30
    z = model.standardise(wild)
    assert np.isfinite(z).all() and (z[0] == 0).all() and np.abs(z).max() <= 2.5


def test_none_of_these_falls_with_the_best_score_and_rises_with_what_fits_better(taught) -> None:  # type: ignore[no-untyped-def]
    model = taught[0].calibrated(0.7, (1.0, -0.5))
    scores = np.array([[0.0, -3.0], [4.0, 0.0], [1e9, 0.0], [4.0, 0.0]])
    rivals = np.array([[0.0] * 6, [0.0] * 6, [0.0] * 6, [5.0] * 5 + [-9.0]])
    found = model.none_of_these(scores, rivals)
    assert found[3] > found[0] > found[1] > found[2] >= 0 and found[0] == pytest.approx(1 / (1 + np.exp(-1)))
    assert found[3] == pytest.approx(1 / (1 + np.exp(-1.5)))  # the mean of the five best rivals counts


def test_it_survives_its_file(taught, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    model, values, _, expected, vectors = taught
    model.save(tmp_path / "d.npz")
    again = load_descriptor_model(tmp_path / "d.npz")
    one, other = (m.scores(m.standardise(values), expected, vectors) for m in (model, again))
    np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-3)


def test_a_damaged_or_foreign_file_is_refused(taught, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "d.npz"
    taught[0].save(path)
    whole = dict(np.load(path))
    np.savez(path, **{**whole, "names": np.array(["other"])})
    with pytest.raises(FloraError, match="other descriptors"):
        load_descriptor_model(path)
    path.write_bytes(b"PK\x03\x04 broken")
    with pytest.raises(FloraError, match="cannot be read"):
        load_descriptor_model(path)


def test_ranks_of_the_pool_are_close_to_normal_scores() -> None:
    values = np.random.default_rng(1).normal(size=(2000, D)).astype(np.float32)
    z = standardise(build_pool({"a": values}), values)
    assert abs(z.mean()) < 0.02 and 0.9 < z.std() < 1.1


def test_an_action_pays_for_what_the_pool_scores_high(taught) -> None:  # type: ignore[no-untyped-def]
    """Of two equally good directions, the one towards which some recordings of the pool go far loses."""
    model, _, _, expected, vectors = taught
    weight, offset = model.directions(expected, vectors)
    some = 9 * weight[:1] / np.linalg.norm(weight[0])
    again, lower = replace(model, reference=np.concatenate([model.reference, some])).directions(expected, vectors)
    np.testing.assert_array_equal(again, weight)
    assert lower[0] < offset[0] - 0.1 and (lower - offset).argmin() == 0


def test_the_reference_stands_for_the_pool(taught) -> None:  # type: ignore[no-untyped-def]
    model = taught[0]
    np.testing.assert_allclose(model.reference.mean(axis=0), model.mean, atol=0.1)
    assert np.isfinite(model.reference).all() and len(model.reference) == 600


def test_a_large_value_counts_less_than_in_proportion() -> None:
    values = np.linspace(-1, 1, 2001)[:, None].repeat(D, axis=1).astype(np.float32)
    pool = build_pool({"a": values})
    z = standardise(pool, values[[1000, 1400, 1800]])[:, 0]
    normal = np.log((1 + np.array([0.4, 0.8])) / (1 - np.array([0.4, 0.8]))) / 1.702
    np.testing.assert_allclose(z, [0, *(normal**0.8)], atol=0.02)


def test_a_model_of_other_descriptors_is_said_to_be_one_whatever_else_it_lacks(taught, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "d.npz"
    taught[0].save(path)
    old = {name: array for name, array in np.load(path).items() if name != "reference"}
    np.savez(path, **{**old, "names": np.array(["other"])})
    with pytest.raises(FloraError, match="other descriptors"):
        load_descriptor_model(path)
