"""How similar a finished search's network and its teacher are: intervals, and the noise ceiling of TG."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy.spatial.distance import squareform

from .. import statistics
from ..errors import TgsageError
from ..runs.search_files import SearchFiles
from ..teacher import ceiling

AGREEMENT = 0.005
"""An interval is given if the stored RDMs yield the similarity that was scored to within this."""


def similarity_intervals(search: SearchFiles, teacher: xr.DataTree) -> dict[str, statistics.Correlation]:
    """Return bootstrap intervals over stimuli of the winner's similarity with each target on report images.

    The intervals are computed from ``rdms.nc``. A target is left out where stimuli were compared by category,
    where the method is neither Spearman nor Pearson, or where the stored RDM does not yield the similarity
    that was scored.
    """
    method = search.settings.scoring.compare
    if search.rdms is None or method not in ("spearman", "pearson") or teacher.attrs.get("rdm") == "category":
        return {}
    intervals: dict[str, statistics.Correlation] = {}
    for name, node in teacher.children.items():
        scored = search.final["similarity"].get(name)
        if scored is None or scored["report"] is None or name not in search.rdms.children:
            continue
        target = node.to_dataset()
        in_report = target["split"].values.astype(str) == "report"
        parts = [
            squareform(squareform(values, checks=False)[np.ix_(in_report, in_report)], checks=False)
            for values in (target["rdm"].values, aligned_rdm(search.rdms[name].to_dataset(), target, name))
        ]
        interval = statistics.rdm_similarity(*parts, method=method)
        if abs(interval.value - scored["report"]) <= AGREEMENT:
            intervals[name] = interval
    return intervals


def aligned_rdm(network: xr.Dataset, target: xr.Dataset, name: str) -> NDArray[np.float64]:
    """Return a network's condensed RDM (n(n-1)/2,) in the order of the teacher's stimuli.

    Parameters
    ----------
    network, target
        ``rdm`` (pair) and ``stimulus_id`` (stimulus), which a network in the teacher's order may lack.
    name
        Name of the target, for errors.

    Raises
    ------
    TgsageError
        If the stimuli are not the same.
    """
    values: NDArray[np.float64] = network["rdm"].values.astype(float)
    if "stimulus_id" not in network:
        if len(values) != target.sizes["pair"]:
            raise TgsageError(
                f"rdms.nc: {name}: {len(values)} pairs, the teacher has {target.sizes['pair']}; make it again"
            )
        return values
    position = {stimulus: number for number, stimulus in enumerate(network["stimulus_id"].values.astype(str))}
    wanted = target["stimulus_id"].values.astype(str)
    if set(position) != set(wanted):
        raise TgsageError(f"rdms.nc: {name}: its stimuli are not those of the teacher; make it again")
    order = np.array([position[stimulus] for stimulus in wanted])
    return np.asarray(squareform(squareform(values)[np.ix_(order, order)], checks=False), dtype=float)


def ceilings(target: xr.Dataset) -> dict[str, tuple[float, float]]:
    """Return the lower and upper noise ceiling of a target on each part of its stimuli; NaN where unknown."""
    return {part: ceiling(target, part) for part in map(str, target["part"].values)}


def tg_ceiling(ledger: pd.DataFrame, targets: Mapping[str, xr.Dataset]) -> tuple[float, float] | None:
    """Return the noise ceiling of TG: the weighted mean of the targets' ceilings on reward images.

    None where TG is not the weighted mean of the similarities in the ledger, whose ceiling this would be. NaN
    where a target has no ceiling.
    """
    measured = {name: target for name, target in targets.items() if f"tg_{name}" in ledger}
    scored = ledger[(ledger["status"] == "ok") & ledger["tg"].notna()]
    if not measured or scored.empty:
        return None
    weights = [float(target.attrs.get("weight", 1.0)) for target in measured.values()]
    mean = np.average(scored[[f"tg_{name}" for name in measured]].to_numpy(float), axis=1, weights=weights)
    if not np.allclose(mean, scored["tg"], atol=1e-6, rtol=0):
        return None
    bounds = [ceilings(target).get("reward", (np.nan, np.nan)) for target in measured.values()]
    lower, upper = np.average(bounds, axis=0, weights=weights)
    return float(lower), float(upper)


def inferred_alpha(ledger: pd.DataFrame) -> float | None:
    """Return the α with which every score of a ledger is P + α·TG; None where no α fits.

    Zero where scores are accuracies; infinite where they are TG alone.
    """
    whole = ledger[["accuracy", "tg", "score"]].astype(float)
    whole = whole[whole["score"].notna() & whole["accuracy"].notna()]
    if whole.empty:
        return None
    accuracy, tg, score = (whole[name].to_numpy() for name in ("accuracy", "tg", "score"))
    if np.allclose(score, accuracy, atol=1e-6, rtol=0):
        return 0.0
    if not np.isfinite(tg).all():
        return None
    if np.allclose(score, tg, atol=1e-6, rtol=0):
        return np.inf
    squared = float((tg * tg).sum())
    alpha = float(((score - accuracy) * tg).sum() / squared) if squared else np.nan
    return alpha if np.allclose(score, accuracy + alpha * tg, atol=1e-6, rtol=0) else None
