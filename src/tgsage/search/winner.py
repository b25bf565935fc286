"""The end of a search: the winner is tested, and compared with its teacher on images nobody has used."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import xarray as xr
from scipy.stats import binomtest

from .. import rdm, scoring, spaces, tasks, teacher, training
from ..errors import TgsageError
from ..runs import ledger
from ..runs import rsa as rsa_file
from ..runs.files import PathLike, read_json
from ..store import Store, replacing, write_json
from ..training.settings import Recipe

LEVEL = 0.95


def finish(
    folder: PathLike,
    *,
    space: Any,
    task_path: PathLike,
    teacher_path: PathLike | None,
    store_root: PathLike,
    device: str,
    layer_choice: str,
    observed_path: PathLike | None = None,
) -> None:
    """Test the final network; write ``final.json``, ``best_architecture.json``, ``final/slot_0/rdms.nc``.

    This is the only place where a task's test images are used.

    Parameters
    ----------
    folder
        The search's folder, ``results/<run>/search/<arm>/seed_<s>``.
    task_path, store_root
        Where the images are, and the winner's weights; lost weights are trained again.
    teacher_path, observed_path
        The teacher whose similarity is told, and a second one that was observed; None without one.

    Raises
    ------
    TgsageError
        If the final training did not end well.
    """
    folder = Path(folder)
    record = read_json(folder / "final/slot_0/training.json")
    where = read_json(folder / "final/proposals.json")
    if record["status"] != "ok":
        raise TgsageError(
            f"{folder}/final/slot_0/training.json: the final training is {record['status']} "
            f"({record['reason']}); change search.final.recipe"
        )
    recipe = Recipe.model_validate(record["recipe"])
    task = tasks.load(task_path)
    seen_by = {"mean": task.mean, "std": task.std, "device": training.resolve_device(device)}
    module = scoring.trained_module(record, task, Store(store_root), spaces.get(space), device)
    with training.devices.threads(recipe.threads):
        tested = training.evaluate(module, task.test.images, task.test.labels, **seen_by)
    low, high = binomtest(tested.correct, tested.n).proportion_ci(LEVEL, method="wilson")

    simulated = bool(task.simulated)
    similarity: dict[str, Any] = {}
    tree = None
    layers: dict[str, str | None] = {}
    observed: dict[str, Any] = {}
    second = None
    scored = rsa_file.load(folder / "final/slot_0/rsa.nc")
    if observed_path is not None:
        second = teacher.load(observed_path)
        simulated = simulated or bool(second.attrs["simulated"])
        observed = _similarity(rsa_file.observed_part(scored), second, layer_choice)
    if teacher_path is not None:
        tree = teacher.load(teacher_path)
        simulated = simulated or bool(tree.attrs["simulated"])
        similarity = _similarity(scored, tree, layer_choice)
        layers = {target: told["layer"] for target, told in similarity.items()}
    with training.devices.threads(recipe.threads):
        _write_rdms(folder / "final/slot_0/rdms.nc", module, tree, layers, seen_by)

    table = ledger.read(folder / "ledger.csv")
    finalists = pd.read_csv(folder / "finalists.csv", dtype={"candidate": str})
    searched = where["proposals"][0]["searched"]
    winner = finalists[finalists["candidate"] == searched].iloc[0]
    counts = table["status"].value_counts()
    write_json(
        folder / "final.json",
        {
            "run": where["run"],
            "arm": where["arm"],
            "seed": where["seed"],
            "simulated": simulated,
            "candidate": searched,
            "architecture": record["architecture"],
            "parameters": record["parameters"],
            "flops": record["flops"],
            "chance": 1 / task.n_classes,
            "n_classes": task.n_classes,
            "test": {
                "n": tested.n,
                "correct": tested.correct,
                "accuracy": tested.accuracy,
                "interval": [float(low), float(high)],
                "level": LEVEL,
                "method": "Wilson",
            },
            "premature": {
                "round": int(winner["round"]),
                "slot": int(winner["slot"]),
                "accuracy": _number(winner["premature_accuracy"]),
                "tg": _number(winner["premature_tg"]),
                "score": _number(winner["premature_score"]),
            },
            "finalist": {
                "rank": int(winner["rank"]),
                "accuracy": _number(winner["accuracy"]),
                "tg": _number(winner["tg"]),
            },
            "similarity": similarity,
            "observed": {
                "teacher": None if second is None else str(second.attrs["teacher"]),
                "similarity": observed,
            },
            "cost": {
                "candidates": len(table),
                **{status: int(counts.get(status, 0)) for status in ("ok", "failed", "invalid", "timeout")},
                "examples_search": int(table["examples"].sum()),
                "examples_finalists": int(finalists["examples"].sum()),
                "examples_final": int(record["examples"]),
                "seconds_search": float(table["seconds"].sum()),
                "seconds_finalists": float(finalists["seconds"].sum()),
                "seconds_final": float(record["seconds"]),
            },
        },
    )
    write_json(
        folder / "best_architecture.json",
        {
            "candidate": record["candidate"],
            "searched_as": searched,
            "architecture": record["architecture"],
            "space": space.plain(),
            "n_classes": task.n_classes,
            "classes": list(task.classes),
            "resolution": task.resolution,
            "recipe": recipe.plain(),
            "store_key": record["store_key"],
        },
    )


def _similarity(scored: xr.Dataset | None, tree: xr.DataTree, layer_choice: str) -> dict[str, Any]:
    if scored is None:
        raise TgsageError(
            f"final/slot_0/rsa.nc: was not scored against the observed teacher {tree.attrs['teacher']!r}; "
            "score it again"
        )
    told: dict[str, Any] = {}
    similarity = rsa_file.target_scores(scored, layer_choice)
    for target, (reward, layer) in similarity.targets.items():
        group = tree[target]
        report = scored["rsa"].isel(checkpoint=-1).sel(split="report", target=target)
        value = float("nan") if layer is None else float(report.sel(layer=layer))
        lower, upper = teacher.ceiling(group, "report")
        told[target] = {
            "layer": layer,
            "reward": _number(reward),
            "report": _number(value),
            "ceiling_lower": _number(lower),
            "ceiling_upper": _number(upper),
            "n_stimuli_report": int((group["split"] == "report").sum()),
            "n_sites": int(group.attrs["n_sites"]),
        }
    return told


def _write_rdms(
    path: Path,
    module: torch.nn.Module,
    tree: xr.DataTree | None,
    layers: dict[str, str | None],
    seen_by: dict[str, Any],
) -> None:
    """The RDM of the layer nearest to each target, on all its stimuli; no groups without a teacher."""
    groups: dict[str, xr.Dataset] = {"/": xr.Dataset()}
    for target, layer in layers.items():
        if layer is None or tree is None:
            continue
        group = tree[target]
        metric = scoring.CANDIDATE_METRIC.get(group.attrs["metric"], group.attrs["metric"])
        answers = training.activations(module, group["images"].values, [layer], **seen_by)[layer]
        values = rdm.rdm(answers, metric).double().cpu().numpy()
        groups[target] = xr.Dataset(
            {"rdm": ("pair", values)},
            coords={"stimulus_id": ("stimulus", group["stimulus_id"].values.astype(str))},
            attrs={"layer": layer, "metric": metric},
        )
    with replacing(path) as temporary:
        xr.DataTree.from_dict(groups).to_netcdf(os.fspath(temporary))


def _number(value: Any) -> float | None:
    """A JSON number; not a number becomes null."""
    value = float(value)
    return value if np.isfinite(value) else None
