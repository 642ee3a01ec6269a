"""Pieces of work on a real local Dask cluster of two workers, one of which is killed in the middle."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from patience import PATIENCE

from flora_engine.config import FloraSettings
from flora_engine.datasets.features import Features
from flora_engine.demo import synthesise
from flora_engine.errors import FloraError
from flora_engine.evaluation.protocols import Experiment
from flora_engine.jobs import Job
from flora_engine.labelling.journal import read_journal
from flora_engine.models.shift_gcn.network import ShiftGCN
from flora_engine.models.shift_gcn.published import to_published
from flora_engine.processes import in_order, on_cluster
from flora_engine.readers import write_ntu
from flora_engine.recipes import batch
from flora_engine.recipes.evaluating import evaluate_heads
from flora_engine.training import extraction

distributed = pytest.importorskip("distributed", reason="the extra “cluster” is not installed")


@pytest.fixture
def cluster() -> Iterator[Any]:
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None
    ) as cluster:
        yield cluster


def slow_squares(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Squares, and the process that made them."""
    time.sleep(0.2)
    return [(number**2, os.getpid()) for number in numbers]


def test_results_are_those_of_the_pool_in_order(cluster: Any) -> None:
    there = list(on_cluster(slow_squares, range(20), 3, cluster.scheduler_address))
    here = list(in_order(slow_squares, range(20), 3, 1))
    assert [square for square, _ in there] == [square for square, _ in here]
    assert {process for _, process in there}.isdisjoint({os.getpid()})


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")
def test_the_pieces_of_a_killed_worker_are_done_again(cluster: Any, tmp_path: Path) -> None:
    for number in range(24):
        write_ntu(synthesise(number % 8, seed=number), tmp_path / "many" / f"take{number:02d}.skeleton")
    with distributed.Client(cluster.scheduler_address, set_as_default=False) as client:
        workers = list(client.run(os.getpid).values())
    killed = threading.Event()

    def listen(event: dict[str, Any]) -> None:
        if event["kind"] == "ranked" and not killed.is_set():
            killed.set()
            os.kill(workers[0], signal.SIGKILL)

    journal = tmp_path / "j.jsonl"
    asked = batch.Request.of(
        files=(tmp_path / "many",), classes="wave; bow", journal=journal, scheduler=cluster.scheduler_address
    )
    result = batch.run(Job(listen), asked)
    assert killed.is_set() and (result.ranked, result.failed) == (24, 0)
    items = [line.item for line in read_journal(journal)[1]]
    assert sorted(items) == sorted(str(path) for path in (tmp_path / "many").iterdir())


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")
def test_features_of_an_encoder_by_workers_of_which_one_is_killed(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extraction, "PART", 3)
    torch.manual_seed(0)
    checkpoint = tmp_path / "joint.pt"
    torch.save(to_published(ShiftGCN(2)), checkpoint)
    joints = np.random.default_rng(2).normal(size=(20, 3, 16, 25, 2)).astype(np.float32)
    here = extraction.extract_streams(Job(), {"joint": checkpoint}, joints)
    with distributed.Client(cluster.scheduler_address, set_as_default=False) as client:
        workers = list(client.run(os.getpid).values())
    killed = threading.Event()

    def listen(event: dict[str, Any]) -> None:
        if event["kind"] == "progress" and event["done"] and not killed.is_set():
            killed.set()
            os.kill(workers[0], signal.SIGKILL)

    there = extraction.extract_streams(
        Job(listen), {"joint": checkpoint}, joints, partial=tmp_path / "parts", scheduler=cluster.scheduler_address
    )
    assert killed.is_set()
    np.testing.assert_allclose(there, here, rtol=1e-4, atol=1e-5)


def synthetic_experiment() -> Experiment:
    """Eight classes, two of them unseen, whose features and texts have little to do with each other."""
    random = np.random.default_rng(3)
    labels = np.repeat(np.arange(8), 6)
    data = (random.normal(size=(8, 12))[labels] + 0.3 * random.normal(size=(48, 12))).astype(np.float32)
    seen, unseen = labels < 6, labels >= 6
    features = Features(data[seen], labels[seen], data[unseen], labels[unseen], data, labels)
    return Experiment(features, random.normal(size=(8, 3, 8)).astype(np.float32), np.array([6, 7]))


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")
def test_heads_are_trained_by_workers_of_which_one_is_killed(cluster: Any, tmp_path: Path) -> None:
    settings = FloraSettings(
        hidden=12, velocity_heads=2, align_iterations=4, total_iterations=8, evaluations=2, precision="float32",
        folds=2, validation_classes=2, attunements=((0, 0.0),), tokens_per_step=2,
    )  # fmt: skip
    with distributed.Client(cluster.scheduler_address, set_as_default=False) as client:
        workers = list(client.run(os.getpid).values())
    killed = threading.Event()

    def listen(event: dict[str, Any]) -> None:
        if event["kind"] == "progress" and event["stage"] == "heads by workers" and not killed.is_set():
            killed.set()
            os.kill(workers[0], signal.SIGKILL)

    found, models = {}, {}
    for place, scheduler in (("here", None), ("there", cluster.scheduler_address)):
        models[place] = []
        keep = partial(lambda kept, *what: kept.append(what[:3]), models[place])
        asked = (("eszsl", "flora"), synthetic_experiment(), settings, tmp_path / place, keep)
        found[place] = evaluate_heads(Job(listen), *asked, scheduler=scheduler)
    assert killed.is_set() and models["there"] == models["here"] != []
    for name in ("eszsl", "flora"):
        one, other = (found[place][name]["held-out"] for place in ("here", "there"))
        assert one["chosen"]["zsl"]["choice"] == other["chosen"]["zsl"]["choice"]
        assert other["zsl"]["accuracy"]["mean"] == pytest.approx(one["zsl"]["accuracy"]["mean"], abs=0.2)
    names = {path.name for path in (tmp_path / "here").rglob("*.npz")}
    assert names == {path.name for path in (tmp_path / "there").rglob("*.npz")} != set()

    # What has ended is not asked for again, so nobody needs to answer.
    again = evaluate_heads(Job(), *asked, scheduler="tcp://127.0.0.1:9")
    assert again == found["there"]


def test_nobody_at_the_address_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flora_engine.processes._TO_ANSWER", min(1, PATIENCE))
    with pytest.raises(FloraError, match=r"no scheduler answers at tcp://127\.0\.0\.1:9"):
        list(on_cluster(slow_squares, range(3), 1, "tcp://127.0.0.1:9"))
