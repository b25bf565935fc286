"""The end of a search: the winner is tested, and compared with its teacher on images nobody has used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd
import torch
import xarray as xr

from .. import rdm, spaces, statistics, tasks, training
from .. import scoring as scores
from .. import teacher as teachers
from ..errors import TgsageError
from ..runs import finalists as finalists_table
from ..runs import ledger as ledger_table
from ..runs import rdms as rdms_file
from ..runs import rsa as rsa_file
from ..runs.records import PathLike, Similarity, read_proposals, read_trainings, write_record
from ..runs.tables import STATUSES
from ..store import Store
from ..threads import threads

if TYPE_CHECKING:
    from ..runs.settings import Scoring, SpaceSettings

LEVEL = 0.95


def test_winner(  # noqa: PLR0913 - three files of eight
    final: PathLike,
    best_architecture: PathLike,
    rdms: PathLike,
    *,
    ledger: PathLike,
    finalists: PathLike,
    proposals: PathLike,
    training_file: PathLike,
    rsa: PathLike,
    task: PathLike,
    space: SpaceSettings,
    scoring: Scoring,
    store: PathLike,
    device: str,
    teacher_file: PathLike | None = None,
    observed_file: PathLike | None = None,
) -> None:
    """Test the final network; this is the only place where a task's test images are used.

    Parameters
    ----------
    final, best_architecture, rdms
        ``final.json``, ``best_architecture.json`` and ``rdms.nc`` to write.
    ledger, finalists
        The search's.
    proposals, training_file, rsa
        Those of the final stage.
    task, space, scoring, store, device, teacher_file, observed_file
        As in :func:`tgsage.search.train_and_score`; the space is that of the final stage.

    Raises
    ------
    TgsageError
        If training or scoring of the final network did not end well.
    """
    (record,) = read_trainings(training_file)
    (rsa_of_winner,) = rsa_file.load(rsa)
    if rsa_of_winner.attrs["status"] not in ("ok", "invalid"):
        outcome = f"the final network is {rsa_of_winner.attrs['status']} ({rsa_of_winner.attrs['reason']})"
        raise TgsageError(f"{training_file}: {outcome}; change search.final.recipe")
    winner_proposals = read_proposals(proposals)
    loaded_task = tasks.load(task)
    n_threads = record["recipe"]["threads"]
    normalisation = {"mean": loaded_task.mean, "std": loaded_task.std}
    place: dict[str, Any] = {**normalisation, "device": training.resolve_device(device)}
    module = scores.trained_module(record, loaded_task, Store(store), spaces.get(space), device)
    with threads(n_threads):
        tested = training.evaluate(module, loaded_task.test.images, loaded_task.test.labels, **place)

    guide, observed = (
        None if file is None else teachers.load(file) for file in (teacher_file, observed_file)
    )
    similarity = {} if guide is None else _similarity(rsa_of_winner, guide, scoring)
    observed_similarity: dict[str, Similarity] = {}
    if observed is not None:
        observed_rsa = rsa_file.observed_part(rsa_of_winner)
        if observed_rsa is None:
            name = observed.attrs["teacher"]
            raise TgsageError(f"{rsa}: was not scored against the observed teacher {name!r}; score it again")
        observed_similarity = _similarity(observed_rsa, observed, scoring)
    with threads(n_threads):
        _write_rdms(rdms, module, guide, similarity, place)

    table = ledger_table.read(ledger)
    mature = finalists_table.read(finalists)
    searched = winner_proposals["proposals"][0]["searched"]
    winner = mature[mature["candidate"] == searched].iloc[0]
    counts = table["status"].value_counts()
    write_record(
        "final",
        final,
        {
            **{name: winner_proposals[name] for name in ("run", "arm", "seed")},
            "simulated": bool(loaded_task.simulated)
            or any(bool(tree.attrs["simulated"]) for tree in (guide, observed) if tree is not None),
            "candidate": searched,
            "architecture": record["architecture"],
            "parameters": record["parameters"] or 0,
            "flops": record["flops"] or 0,
            "chance": 1 / loaded_task.n_classes,
            "n_classes": loaded_task.n_classes,
            "test": {
                "n": tested.n,
                "correct": tested.correct,
                "accuracy": tested.accuracy,
                "interval": list(statistics.wilson(tested.correct, tested.n, LEVEL)),
                "level": LEVEL,
                "method": "Wilson",
            },
            "premature": {
                "round": int(winner["round"]),
                "slot": int(winner["slot"]),
                **_measures(winner, ("accuracy", "tg", "score"), "premature_"),
            },
            "finalist": {"rank": int(winner["rank"]), **_measures(winner, ("accuracy", "tg"))},
            "similarity": similarity,
            "observed": {
                "teacher": None if observed is None else str(observed.attrs["teacher"]),
                "similarity": observed_similarity,
            },
            "cost": {
                "candidates": len(table),
                **{status: int(counts.get(status, 0)) for status in STATUSES},
                "examples_search": int(table["examples"].sum()),
                "examples_finalists": int(mature["examples"].sum()),
                "examples_final": int(record["examples"]),
                "seconds_search": float(table["seconds"].sum()),
                "seconds_finalists": float(mature["seconds"].sum()),
                "seconds_final": float(record["seconds"]),
            },
        },
    )
    write_record(
        "best_architecture",
        best_architecture,
        {
            "candidate": record["candidate"],
            "searched_as": searched,
            "architecture": record["architecture"],
            "space": space.plain(),
            "n_classes": loaded_task.n_classes,
            "classes": list(loaded_task.classes),
            "resolution": loaded_task.resolution,
            "recipe": record["recipe"],
            "store_key": record["store_key"],
        },
    )


def _measures(row: pd.Series[Any], names: Sequence[str], prefix: str = "") -> dict[str, float | None]:
    return {name: statistics.finite_or_none(row[prefix + name]) for name in names}


def _similarity(rsa: xr.Dataset, teacher: xr.DataTree, scoring: Scoring) -> dict[str, Similarity]:
    similarity: dict[str, Similarity] = {}
    for target, (reward, layer) in rsa_file.target_scores(rsa, scoring).targets.items():
        group = teacher[target].to_dataset()
        report = rsa["rsa"].isel(checkpoint=-1).sel(split="report", target=target)
        lower, upper = teachers.ceiling(group, "report")
        similarity[target] = {
            "layer": layer,
            "reward": statistics.finite_or_none(reward),
            "report": None if layer is None else statistics.finite_or_none(report.sel(layer=layer)),
            "ceiling_lower": statistics.finite_or_none(lower),
            "ceiling_upper": statistics.finite_or_none(upper),
            "n_stimuli_report": int((group["split"] == "report").sum()),
            "n_sites": int(group.attrs["n_sites"]),
        }
    return similarity


def _write_rdms(
    path: PathLike,
    module: torch.nn.Module,
    teacher: xr.DataTree | None,
    similarity: dict[str, Similarity],
    place: dict[str, Any],
) -> None:
    """Write the RDM of the layer nearest to each target, on all its stimuli."""
    groups: dict[str, xr.Dataset] = {}
    for target, measured in similarity.items():
        layer = measured["layer"]
        if layer is None or teacher is None:
            continue
        group = teacher[target].to_dataset()
        metric = scores.CANDIDATE_METRIC.get(group.attrs["metric"], group.attrs["metric"])
        answers = training.activations(module, group["images"].values, [layer], **place)[layer]
        values = rdm.rdm(answers, metric).double().cpu().numpy()
        groups[target] = xr.Dataset(
            {"rdm": ("pair", values)},
            coords={"stimulus_id": ("stimulus", group["stimulus_id"].values.astype(str))},
            attrs={"layer": layer, "metric": metric},
        )
    rdms_file.save(groups, path)
