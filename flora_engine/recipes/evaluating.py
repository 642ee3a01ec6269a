"""Every head under every protocol: here, one after the other, or each by a worker of a cluster."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from flora_engine.config import FloraSettings, ProtocolName
from flora_engine.evaluation.protocols import Experiment, Setting, run_protocol
from flora_engine.heads.learning.model import FloraModel, load_model, save_model
from flora_engine.jobs import Job
from flora_engine.processes import on_cluster
from flora_engine.recipes.kept import Kept
from flora_engine.runs.analysis import Decisions
from flora_engine.runs.progress import Memory, Progress
from flora_engine.runs.results import Heads, Outcome
from flora_engine.runs.tables import outcome_line
from flora_engine.training.distributed import choose_device

BOTH: tuple[Setting, ...] = ("zsl", "gzsl")
Piece = tuple[str, ProtocolName]
# (head, seed, setting, model): a model that the held-out protocol reports on
Keep = Callable[[str, int, Setting, FloraModel], None]


@dataclass(frozen=True)
class Evaluated:
    """What a worker found of one piece. models: files as `save_model` writes them, by seed and setting."""

    outcome: Outcome
    models: list[tuple[int, Setting, bytes]]
    decisions: list[tuple[int, Setting, Decisions]]


def evaluate_heads(
    job: Job,
    names: Sequence[str],
    experiment: Experiment,
    settings: FloraSettings,
    folder: Path,
    keep: Keep,
    wanted: Sequence[Setting] = BOTH,
    scheduler: str | None = None,
) -> Heads:
    """Head → protocol → outcome; decisions and latents are kept in `folder`, that of the run or split.

    Finished folds and seeds are kept, so this continues where it was stopped. scheduler: of a Dask cluster; a piece is
    then a head under a protocol, and what its worker had not finished begins anew.
    """
    pieces = [(name, protocol) for name in names for protocol in settings.protocols]
    memory, heads = Memory(folder / "checkpoints"), Heads()
    with closing(_from_workers(job, pieces, experiment, settings, memory, wanted, scheduler)) as elsewhere:
        for done, (name, protocol) in enumerate(pieces):
            kept = Kept(folder, name, experiment)
            told = partial(_keep_model, keep, kept, settings.seeds[0])
            if scheduler is None:
                with job.part(name):
                    outcome = run_protocol(
                        *(job, name, experiment, settings, protocol, wanted, told, memory), look=kept.decisions
                    )
            else:
                job.progress("heads by workers", done, len(pieces))
                fetch = partial(_fetch, elsewhere, told, kept, experiment.device)
                outcome = memory.recall(_stem((name, protocol)), fetch)
            heads.setdefault(name, {})[protocol] = outcome
            job.log(f"{name}, {protocol}: {outcome_line(outcome)}")
    return heads


def _stem(piece: Piece) -> str:
    return f"piece-{piece[1]}-{piece[0]}"


def _keep_model(keep: Keep, kept: Kept, first: int, seed: int, setting: Setting, model: FloraModel) -> None:
    keep(kept.head, seed, setting, model)
    if seed == first:
        kept.model(setting, model)


def _from_workers(
    job: Job,
    pieces: Sequence[Piece],
    experiment: Experiment,
    settings: FloraSettings,
    memory: Memory,
    wanted: Sequence[Setting],
    scheduler: str | None,
) -> Generator[Evaluated, None, None]:
    """What workers find of the pieces that are not finished, in order; nothing without a scheduler."""
    if scheduler is None:
        return
    missing = [piece for piece in pieces if not memory.has(_stem(piece))]
    work = partial(evaluate_pieces, experiment=experiment, settings=settings, wanted=tuple(wanted))
    yield from on_cluster(work, missing, 1, scheduler, job=job)


def evaluate_pieces(
    pieces: Sequence[Piece], experiment: Experiment, settings: FloraSettings, wanted: Sequence[Setting]
) -> list[Evaluated]:
    """A worker's part: it takes its own device, writes nothing, and gives back what there is to write."""
    return [_evaluate(name, protocol, experiment, settings, wanted) for name, protocol in pieces]


def _evaluate(
    name: str, protocol: ProtocolName, experiment: Experiment, settings: FloraSettings, wanted: Sequence[Setting]
) -> Evaluated:
    models: list[tuple[int, Setting, bytes]] = []
    decisions: list[tuple[int, Setting, Decisions]] = []
    with tempfile.TemporaryDirectory(prefix="flora-") as place:

        def keep(seed: int, setting: Setting, model: FloraModel) -> None:
            file = Path(place) / "model.safetensors"
            save_model(file, model)
            models.append((seed, setting, file.read_bytes()))

        outcome = run_protocol(
            *(Job(), name, replace(experiment, device=str(choose_device(None))), settings, protocol, wanted, keep),
            look=lambda seed, setting, found: decisions.append((seed, setting, found)),
        )
    return Evaluated(outcome, models, decisions)


def _fetch(
    elsewhere: Iterator[Evaluated],
    told: Callable[[int, Setting, FloraModel], None],
    kept: Kept,
    device: str,
    progress: Progress,
) -> Outcome:
    """The next piece's outcome, with all that it brings written here."""
    found = next(elsewhere)
    for seed, setting, decisions in found.decisions:
        kept.decisions(seed, setting, decisions)
    with tempfile.TemporaryDirectory(prefix="flora-") as place:
        for seed, setting, content in found.models:
            file = Path(place) / "model.safetensors"
            file.write_bytes(content)
            told(seed, setting, load_model(file, device))
    return found.outcome
