"""Names and sentences that figures and pages share."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from ..runs.records import Similarity
from ..statistics import Correlation, format_number, share_in_words, share_of_ceiling

SIMULATED = "Simulated recordings"
RENDERED = "Simulated (rendered) images"

METHODS = {"spearman": "Spearman", "pearson": "Pearson", "kendall": "Kendall τ-a", "rho_a": "ρ-a"}
METRICS = {
    "correlation": "1 − Pearson's r",
    "sqeuclidean": "squared Euclidean distance",
    "cosine": "1 − cosine",
    "crossnobis": "crossnobis distance",
    "poisson": "symmetrised Kullback-Leibler divergence of rates",
    "labels": "0 within, 1 between categories",
}


def method(name: str | None) -> str:
    """Return a method of comparing RDMs as people write it."""
    return METHODS.get(name or "", name or "")


def metric(target: xr.Dataset) -> str:
    """Return the metric of a target's RDM in words; "" where the file does not have it."""
    name = str(target.attrs.get("metric", ""))
    return METRICS.get(name, name)


def n_channels(target: xr.Dataset) -> str:
    """Return how many sites of the brain, or units of a network, a target has; "" where it has none."""
    number = target.attrs.get("n_sites")
    if number is None or not np.isfinite(number) or number <= 0:
        return ""
    # Only the RDM of a network's layer is a mean over random subsamples of its features.
    return f"{int(number):,} {'units' if 'subsamples' in target.attrs else 'sites'}"


def score_formula(alpha: float | None) -> str:
    """Return ``P + α·TG``, ``P`` or ``TG``; "" where the score is of another form (``alpha`` is None)."""
    if alpha is None:
        return ""
    if alpha == 0:
        return "P"
    if np.isinf(alpha):
        return "TG"
    return "P + TG" if np.isclose(alpha, 1) else f"P + {alpha:.3g}·TG"


def similarity(scored: Similarity, interval: Correlation | None, separator: str) -> str:
    """Return a similarity on report images with its interval and, after a separator, its ceiling."""
    if scored["report"] is None:
        return "not defined"
    text = format_number(scored["report"])
    if interval is not None and np.isfinite(interval.low):
        text += f" [{format_number(interval.low)}, {format_number(interval.high)}]"
    lower, upper = scored["ceiling_lower"], scored["ceiling_upper"]
    bounds = [format_number(value) for value in (lower, upper) if value is not None]
    if not bounds:
        return f"{text}{separator}ceiling not available"
    share = share_of_ceiling(scored["report"], lower, upper)
    reached = f"{separator}{share_in_words(share)} of it" if share else ""
    return f"{text}{separator}ceiling {' to '.join(bounds)}{reached}"


def in_sentence(text: str) -> str:
    """Return a sentence's beginning as it stands within a sentence."""
    return text[:1].lower() + text[1:]


def search_mark(simulated: bool, teacher: Mapping[Hashable, Any] | None) -> str:
    """Return what stands above a search's figures: what is simulated, predicted or a control.

    ``simulated`` says whether its task or its teacher is, ``teacher`` has its file's attributes.
    """
    mark = "" if teacher is None else str(teacher["mark"])
    if not simulated or (teacher is not None and teacher["simulated"]):
        return mark
    return f"{mark}; {in_sentence(RENDERED)}" if mark else RENDERED
