"""Every number of the page, read from the run's files. The template writes them down; it computes nothing."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from .. import __version__
from ..errors import TgsageError, unknown
from ..runs import ledger as ledger_table
from ..runs.search_files import SearchFiles
from ..runs.tables import STATUSES
from ..statistics import finite_or_none, over_ceiling, spearman, wilson
from ..studies.similarity import ceilings, inferred_alpha, similarity_intervals
from ..tasks import Task
from ..teacher import load as load_teacher

Numbers = dict[str, Any]
"""What JSON can hold."""

TOP = 10
"""Candidates of the leaderboard."""
USED = ("torch", "numpy", "scipy", "pandas", "xarray", "netCDF4", "h5py", "optuna", "snakemake", "matplotlib")
"""Packages whose versions the page gives."""


def page(
    title: str, task: Task, searches: Sequence[SearchFiles], teachers: Mapping[str, xr.DataTree]
) -> Numbers:
    """Return all numbers of a page: of its searches in order, and of each teacher that measured one."""
    n_validation = len(task.validation)
    of_searches = [
        search(files, n_validation, teachers.get(files.settings.measured_with or "")) for files in searches
    ]
    best_first = sorted(range(len(searches)), key=lambda number: -_mature_accuracy(searches[number]))
    best_of_arms = {searches[number].arm: number for number in reversed(best_first)}
    of_teachers = {name: teacher(name, tree) for name, tree in teachers.items()}
    return {
        "run": searches[0].settings.run,
        "title": title,
        "task": {
            "name": task.name,
            "n_train": len(task.train),
            "n_validation": n_validation,
            "n_test": len(task.test),
            "resolution": task.resolution,
            "classes": list(task.classes),
            "simulated": task.simulated,
            "digest": task.digest,
        },
        "teachers": of_teachers,
        "searches": of_searches,
        "best": best_first[0],
        "shown": [best_of_arms[arm] for arm in dict.fromkeys(files.arm for files in searches)],
        "simulated": {
            "recordings": any(one["simulated_recordings"] for one in of_teachers.values()),
            "images": task.simulated,
        },
        "processors": list(dict.fromkeys(name for one in of_searches for name in one["processors"])),
        "versions": versions(),
    }


def _mature_accuracy(files: SearchFiles) -> float:
    accuracy = files.final["finalist"]["accuracy"]
    return float("-inf") if accuracy is None else float(accuracy)


def teacher(name: str, tree: xr.DataTree) -> Numbers:
    """Return what a teacher is: targets, stimuli, ceilings, geometry."""
    attributes = tree.attrs
    return {
        "name": name,
        **{one: str(attributes[one]) for one in ("kind", "words")},
        # A teacher that was made of another one, or from data with something taken away.
        "is_control": bool(attributes["of"] or attributes["control"]),
        **{one: bool(attributes[one]) for one in ("simulated", "simulated_recordings")},
        **{one: str(attributes[one]) for one in ("rdm", "metric", "digest")},
        "targets": {target: _target(node.to_dataset()) for target, node in tree.children.items()},
    }


def _target(group: xr.Dataset) -> Numbers:
    parts = group["split"].values.astype(str)
    attributes = group.attrs
    names = ("n_sites", "n_animals", "n_repeats", "visual_degrees", "network_degrees")
    return {
        "region": str(attributes.get("region", "")),
        "recordings": str(attributes.get("recordings", "")),
        **{name: finite_or_none(attributes.get(name)) for name in names},
        "n_stimuli": len(parts),
        **{f"n_{part}": int((parts == part).sum()) for part in ("choose", "reward", "report")},
        "zscore": bool(attributes.get("zscore", 0)),
        "ceilings": {
            part: [finite_or_none(bound) for bound in bounds] for part, bounds in ceilings(group).items()
        },
    }


def search(files: SearchFiles, n_validation: int, tree: xr.DataTree | None = None) -> Numbers:
    """Return what the page shows of one search; ``tree`` is the teacher that it was measured with."""
    ledger, final, settings, training = files.ledger, files.final, files.settings, files.training
    ok = ledger[ledger["status"] == "ok"]
    counts = ledger["status"].value_counts()
    correlation = spearman(ok["tg"], ok["accuracy"])
    guidance = settings.guidance.plain()
    return {
        "arm": files.arm,
        "seed": files.seed,
        "teacher": settings.teacher,
        "observe": settings.observe,
        "guidance": settings.guidance.plugin_name(),
        "guidance_in_words": settings.guidance.in_words(),
        "alpha": finite_or_none(guidance.get("alpha")),
        "scheduled": bool(guidance.get("schedule")),
        "alpha_in_scores": finite_or_none(inferred_alpha(ledger)),
        "sampler": settings.sampler.plugin_name(),
        "sampler_in_words": settings.sampler.in_words(),
        "chooses_elsewhere": settings.scoring.chooses_elsewhere,
        "compare": settings.scoring.compare,
        "rounds": int(ledger["round"].nunique()),
        "candidates": len(ledger),
        "distinct": int(ledger["candidate"].nunique()),
        "status": {status: int(counts.get(status, 0)) for status in STATUSES},
        "winner": {
            name: final[name]
            for name in ("candidate", "architecture", "parameters", "flops", "premature", "finalist")
        },
        "test": final["test"],
        "chance": final["chance"],
        "n_classes": final["n_classes"],
        "simulated": bool(final["simulated"]),
        "similarity": _similarity(files, tree),
        "observed": final["observed"],
        "p_tg_correlation": {
            **{name: finite_or_none(getattr(correlation, name)) for name in ("value", "low", "high")},
            "n": correlation.n,
        },
        "best_premature_accuracy": finite_or_none(ok["accuracy"].max()),
        "leaderboard": leaderboard(ledger, files.targets),
        "finalists": finalists(files.finalists, files.targets, n_validation),
        "cost": cost(files),
        "processors": ledger_table.processors(ledger),
        "final_training": {name: training[name] for name in ("probes", "device", "recipe", "store_key")},
    }


def _similarity(files: SearchFiles, tree: xr.DataTree | None) -> Numbers:
    intervals = {} if tree is None else similarity_intervals(files, tree)
    similarity = {}
    for target, scored in files.final["similarity"].items():
        interval = intervals.get(target)
        similarity[target] = {
            **scored,
            "report_over_ceiling": over_ceiling(scored["report"], scored["ceiling_upper"]),
            "interval": interval and [finite_or_none(interval.low), finite_or_none(interval.high)],
        }
    return similarity


def leaderboard(ledger: pd.DataFrame, targets: Sequence[str], top: int = TOP) -> list[Numbers]:
    """Return the best candidates: highest score first, ties to the earlier one, duplicates once."""
    best = ledger[ledger["status"] == "ok"].dropna(subset=["score"]).drop_duplicates("candidate")
    best = best.sort_values(["score", "round", "slot"], ascending=[False, True, True], kind="stable")
    return [
        {
            "rank": rank,
            "candidate": row["candidate"],
            **{name: int(row[name]) for name in ("round", "slot")},
            **{name: finite_or_none(row[name]) for name in ("accuracy", "tg", "score")},
            "targets": {target: finite_or_none(row[f"tg_{target}"]) for target in targets},
            **{name: whole(row[name]) for name in ("parameters", "flops")},
        }
        for rank, (_, row) in enumerate(best.head(top).iterrows(), start=1)
    ]


def finalists(table: pd.DataFrame, targets: Sequence[str], n_validation: int) -> list[Numbers]:
    """Return the retrained candidates, with Wilson intervals of their validation accuracies."""
    measured = ("premature_accuracy", "premature_tg", "premature_score", "accuracy", "tg")
    return [
        {
            "rank": int(row["rank"]),
            "candidate": row["candidate"],
            **{name: int(row[name]) for name in ("round", "slot")},
            "status": row["status"],
            **{name: finite_or_none(row[name]) for name in measured},
            "interval": list(wilson(round(row["accuracy"] * n_validation), n_validation))
            if np.isfinite(row["accuracy"])
            else None,
            "targets": {target: finite_or_none(row[f"tg_{target}"]) for target in targets},
            **{name: whole(row[name]) for name in ("parameters", "examples")},
            "seconds": finite_or_none(row["seconds"]),
        }
        for _, row in table.iterrows()
    ]


def cost(files: SearchFiles) -> Numbers:
    """Return training examples and seconds of the three stages; the search's include failed candidates."""
    ledger, final = files.ledger, files.final["cost"]
    failed = ledger[ledger["status"] != "ok"]
    stages = {
        "search": _cost(ledger),
        "finalists": _cost(files.finalists),
        "final": {"examples": int(final["examples_final"]), "seconds": float(final["seconds_final"])},
    }
    total = {
        "examples": sum(int(stage["examples"]) for stage in stages.values()),
        "seconds": sum(stage["seconds"] for stage in stages.values()),
    }
    return {**stages, "total": total, "of_which_not_ok": {"candidates": len(failed), **_cost(failed)}}


def _cost(table: pd.DataFrame) -> dict[str, float]:
    return {"examples": int(table["examples"].sum()), "seconds": float(table["seconds"].sum())}


def versions() -> dict[str, str]:
    """Return the versions of what the page was made with."""
    versions_ = {"python": platform.python_version(), "tgsage": __version__}
    for name in USED:
        try:
            versions_[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions_


def whole(value: float) -> int | None:
    """Return a whole number as JSON may hold it; None for what is missing."""
    return None if finite_or_none(value) is None else int(value)


def read_teachers(
    teacher_files: Mapping[str, str], searches: Sequence[SearchFiles]
) -> dict[str, xr.DataTree]:
    """Read each teacher that guided a search or was observed, by name, from its file.

    Raises
    ------
    TgsageError
        If a file is missing, or is not the teacher that scored the final network.
    """
    teachers: dict[str, xr.DataTree] = {}
    for files in searches:
        name = files.settings.measured_with
        if name is None:
            continue
        if name not in teacher_files:
            raise unknown(f"teacher of {files.folder}:", name, teacher_files)
        if name not in teachers:
            teachers[name] = load_teacher(teacher_files[name])
        scored_with = str(files.rsa.attrs.get("teacher_digest", ""))
        if scored_with and scored_with != str(teachers[name].attrs["digest"]):
            raise TgsageError(
                f"{teacher_files[name]}: is not the teacher that scored {files.folder}/final "
                "(digests differ); search again"
            )
    return teachers
