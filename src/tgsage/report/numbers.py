"""Every number of the page, read from the run's files. The template writes them down; it computes nothing."""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import h5py
import pandas as pd
import xarray as xr

from ..errors import TgsageError, unknown
from ..netcdf import read_tree
from ..plots import files
from ..plots.candidates import inferred_alpha
from ..runs import search_files
from ..runs.ledger import STATUSES, processors
from ..statistics import Correlation, spearman, wilson

TOP = 10
PACKAGES = (
    "tgsage",
    "torch",
    "numpy",
    "scipy",
    "pandas",
    "xarray",
    "netCDF4",
    "h5py",
    "optuna",
    "snakemake",
    "matplotlib",
)


def task(run_folder: Path) -> dict[str, Any]:
    """What the run's task is: name, number of images of each part, classes, digest.

    Raises
    ------
    TgsageError
        If the run has no task file, or several.
    """
    found = sorted((run_folder / "task").glob("*.h5"))
    if len(found) != 1:
        raise TgsageError(
            f"{run_folder}/task: {len(found)} task files there, one is needed; run the task's stage"
        )
    try:
        with h5py.File(found[0], "r") as file:
            images = file["train/images"].shape
            sizes = {part: int(file[f"{part}/labels"].shape[0]) for part in ("train", "validation", "test")}
            told = dict(file.attrs)
            classes = json.loads(told["classes"])
    except (OSError, KeyError, ValueError) as error:
        raise TgsageError(f"{found[0]}: not readable as a task ({error}); delete it and run again") from None
    return {
        "name": str(told["name"]),
        "file": found[0].name,
        **{f"n_{part}": size for part, size in sizes.items()},
        "resolution": int(images[1]),
        "classes": [str(name) for name in classes],
        "simulated": bool(told["simulated"]),
        "digest": str(told["digest"]),
    }


def teacher(name: str, tree: xr.DataTree) -> dict[str, Any]:
    """What a teacher is: kind, targets, stimuli, ceilings, geometry."""
    groups = dict(files.targets(tree))
    return {
        "name": name,
        "kind": str(tree.attrs.get("kind", "")),
        "of": str(tree.attrs.get("of", "")),
        "network": str(tree.attrs.get("network", "")),
        "control": str(tree.attrs.get("control", "")),
        "features": str(tree.attrs.get("features", "")),
        "simulated": bool(tree.attrs.get("simulated", 0)),
        "rdm": str(tree.attrs.get("rdm", "")),
        "metric": str(tree.attrs.get("metric", "")),
        "digest": str(tree.attrs.get("digest", "")),
        "targets": {target: _target(group) for target, group in groups.items()},
    }


def _target(group: xr.Dataset) -> dict[str, Any]:
    splits = files.stimulus_splits(group)
    attributes = group.attrs
    return {
        "region": str(attributes.get("region", "")),
        "recordings": str(attributes.get("recordings", "")),
        "n_sites": finite(attributes.get("n_sites")),
        "n_animals": finite(attributes.get("n_animals")),
        "n_repeats": finite(attributes.get("n_repeats")),
        "n_stimuli": int(group.sizes["stimulus"]),
        "n_reward": int((splits == "reward").sum()),
        "n_report": int((splits == "report").sum()),
        "n_choose": int((splits == "choose").sum()),
        "zscore": bool(attributes.get("zscore", 0)),
        "visual_degrees": finite(attributes.get("visual_degrees")),
        "network_degrees": finite(attributes.get("network_degrees")),
        "ceilings": {
            split: [finite(bound) for bound in files.ceiling(group, split)]
            for split in files.ceiling_splits(group)
        },
    }


def search(
    found: search_files.SearchFiles, n_validation: int, intervals: Mapping[str, Correlation] | None = None
) -> dict[str, Any]:
    """Everything the page tells about one search.

    Parameters
    ----------
    found
        Its files.
    n_validation
        Validation images, for the intervals of finalists.
    intervals
        Target to the bootstrap interval of its similarity on report images.
    """
    ledger, final = found.ledger, found.final
    fine = ledger[ledger["status"] == "ok"]
    counts = ledger["status"].value_counts()
    correlation = spearman(fine["tg"], fine["accuracy"])
    alpha = inferred_alpha(ledger)
    similarity = {}
    for target, told in final["similarity"].items():
        interval = (intervals or {}).get(target)
        similarity[target] = {
            **told,
            "report_over_ceiling": over_ceiling(told["report"], told["ceiling_upper"]),
            "interval": None if interval is None else [finite(interval.low), finite(interval.high)],
        }
    return {
        "arm": found.arm,
        "seed": found.seed,
        "teacher": found.settings.teacher,
        "observe": found.settings.observe,
        "guidance": found.settings.guidance.plugin_name(),
        "alpha": finite(getattr(found.settings.guidance, "alpha", None)),
        "scheduled": bool(getattr(found.settings.guidance, "schedule", None)),
        "alpha_in_scores": finite(alpha),
        "sampler": found.settings.sampler.plugin_name(),
        "chooses_elsewhere": found.settings.scoring.chooses_elsewhere,
        "compare": found.settings.scoring.compare,
        "processors": processors(ledger),
        "rounds": int(ledger["round"].nunique()),
        "candidates": len(ledger),
        "distinct": int(ledger["candidate"].nunique()),
        "status": {status: int(counts.get(status, 0)) for status in STATUSES},
        "winner": {
            "candidate": final["candidate"],
            "architecture": final["architecture"],
            "parameters": final["parameters"],
            "flops": final["flops"],
            "premature": final["premature"],
            "finalist": final["finalist"],
        },
        "test": final["test"],
        "chance": final["chance"],
        "n_classes": final["n_classes"],
        "simulated": bool(final["simulated"]),
        "similarity": similarity,
        "observed": final.get("observed") or {"teacher": None, "similarity": {}},
        "p_tg_correlation": {
            "value": finite(correlation.value),
            "low": finite(correlation.low),
            "high": finite(correlation.high),
            "n": correlation.n,
        },
        "best_premature_accuracy": finite(fine["accuracy"].max()) if len(fine) else None,
        "leaderboard": leaderboard(ledger, found.targets),
        "finalists": finalists(found.finalists, found.targets, n_validation),
        "cost": cost(found),
        "final_training": {
            "probes": found.training.get("probes", []),
            "device": found.training.get("device"),
            "recipe": found.training.get("recipe", {}),
            "store_key": found.training.get("store_key"),
        },
    }


def leaderboard(ledger: pd.DataFrame, targets: Sequence[str], top: int = TOP) -> list[dict[str, Any]]:
    """The best candidates of a ledger: highest score first, ties to the earlier one, duplicates once."""
    best = ledger[ledger["status"] == "ok"].dropna(subset=["score"]).drop_duplicates("candidate")
    best = best.sort_values(["score", "round", "slot"], ascending=[False, True, True], kind="stable").head(
        top
    )
    return [
        {
            "rank": rank, "candidate": row["candidate"], "round": int(row["round"]), "slot": int(row["slot"]),
            "accuracy": finite(row["accuracy"]), "tg": finite(row["tg"]), "score": finite(row["score"]),
            "targets": {target: finite(row[f"tg_{target}"]) for target in targets},
            "parameters": whole(row["parameters"]), "flops": whole(row["flops"]),
        }
        for rank, (_, row) in enumerate(best.iterrows(), start=1)
    ]  # fmt: skip


def finalists(table: pd.DataFrame, targets: Sequence[str], n_validation: int) -> list[dict[str, Any]]:
    """The retrained candidates, with Wilson intervals of their validation accuracies."""
    rows = []
    for _, row in table.iterrows():
        accuracy = finite(row["accuracy"])
        interval = None if accuracy is None else list(wilson(round(accuracy * n_validation), n_validation))
        rows.append(
            {
                "rank": int(row["rank"]),
                "candidate": row["candidate"],
                "round": int(row["round"]),
                "slot": int(row["slot"]),
                "status": row["status"],
                "premature_accuracy": finite(row["premature_accuracy"]),
                "premature_tg": finite(row["premature_tg"]),
                "premature_score": finite(row["premature_score"]),
                "accuracy": accuracy,
                "interval": interval,
                "tg": finite(row["tg"]),
                "targets": {target: finite(row[f"tg_{target}"]) for target in targets},
                "parameters": whole(row["parameters"]),
                "examples": whole(row["examples"]),
                "seconds": finite(row["seconds"]),
            }
        )
    return rows


def cost(found: search_files.SearchFiles) -> dict[str, Any]:
    """Training examples and seconds of the three stages; the search's from its ledger, failed ones too."""
    ledger, final = found.ledger, found.final["cost"]
    failed = ledger[ledger["status"] != "ok"]
    stages = {
        "search": (ledger["examples"].sum(), ledger["seconds"].sum()),
        "finalists": (found.finalists["examples"].sum(), found.finalists["seconds"].sum()),
        "final": (final["examples_final"], final["seconds_final"]),
    }
    told = {
        stage: {"examples": int(examples), "seconds": float(seconds)}
        for stage, (examples, seconds) in stages.items()
    }
    return {
        **told,
        "total": {
            "examples": sum(one["examples"] for one in told.values()),
            "seconds": sum(one["seconds"] for one in told.values()),
        },
        "of_which_not_ok": {
            "candidates": len(failed),
            "examples": int(failed["examples"].sum()),
            "seconds": float(failed["seconds"].sum()),
        },
    }


def versions() -> dict[str, str]:
    """Versions of what the page was made with."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def finite(value: Any) -> float | None:
    """A JSON number; None for what is missing or not finite."""
    if value is None or isinstance(value, str):
        return None
    value = float(value)
    return value if math.isfinite(value) else None


def over_ceiling(value: float | None, ceiling: float | None) -> float | None:
    """Similarity as a share of the upper noise ceiling; None where there is no ceiling above zero."""
    return None if value is None or ceiling is None or ceiling <= 0 else value / ceiling


def whole(value: Any) -> int | None:
    """A whole JSON number; None for what is missing."""
    number = finite(value)
    return None if number is None else int(number)


def teacher_of(found: search_files.SearchFiles, run_folder: Path) -> tuple[str, xr.DataTree] | None:
    """The teacher that a search was guided by or observed with, read from ``teachers/``; None without one.

    Raises
    ------
    TgsageError
        If the file is missing, or is not the teacher that scored the final network.
    """
    name = found.settings.measured_with
    if not name:
        return None
    path = run_folder / "teachers" / f"{name}.nc"
    if not path.exists():
        raise unknown(
            f"teacher of {found.folder}:", str(name), [file.stem for file in path.parent.glob("*.nc")]
        )
    tree = read_tree(path)
    scored = str(found.rsa.attrs.get("teacher_digest", ""))
    if scored and scored != str(tree.attrs.get("digest", "")):
        raise TgsageError(
            f"{path}: is not the teacher that scored {found.folder}/final (digests differ); search again"
        )
    return str(name), tree
