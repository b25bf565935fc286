"""Names and sentences that figures and pages share."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from ..statistics import format_number, share_in_words, share_of_ceiling

SIMULATED = "Simulated recordings"
RENDERED = "Simulated (rendered) images"
ENCODED = "Encoded (in-silico) responses, predicted for these stimuli and not recorded"

METHODS = {
    "spearman": "Spearman",
    "pearson": "Pearson",
    "kendall": "Kendall τ-a",
    "rho_a": "ρ-a",
}
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


def similarity(
    scored: Mapping[str, float | None], low: float | None, high: float | None, separator: str = ", "
) -> str:
    """Return a similarity on report images with its bootstrap interval and its noise ceiling.

    Parameters
    ----------
    scored
        ``report``, ``ceiling_lower`` and ``ceiling_upper``, as in ``final.json``.
    low, high
        The interval; None without one.
    separator
        Stands before the ceiling.
    """
    if scored["report"] is None:
        return "not defined"
    text = format_number(scored["report"])
    if low is not None and high is not None and np.isfinite(low):
        text += f" [{format_number(low)}, {format_number(high)}]"
    lower, upper = scored["ceiling_lower"], scored["ceiling_upper"]
    bounds = [format_number(value) for value in (lower, upper) if value is not None]
    if not bounds:
        return f"{text}{separator}ceiling not available"
    share = share_of_ceiling(scored["report"], lower, upper)
    reached = f"{separator}{share_in_words(share)} of it" if share else ""
    return f"{text}{separator}ceiling {' to '.join(bounds)}{reached}"


def decapitalised(text: str) -> str:
    """Return a sentence's beginning as it stands within a sentence."""
    return text[:1].lower() + text[1:]


def joined(marks: list[str]) -> str:
    """Return several marks as one."""
    return "; ".join([*marks[:1], *map(decapitalised, marks[1:])])


def has_simulated_recordings(attributes: Mapping[Hashable, Any]) -> bool:
    """Whether a teacher with these attributes is of simulated recordings, not of a network."""
    return bool(attributes.get("simulated", 0)) and "network" not in attributes


def teacher_mark(attributes: Mapping[Hashable, Any]) -> str:
    """Return what stands above a teacher's figures: what is simulated, encoded or a control; "" for nothing.

    Parameters
    ----------
    attributes
        Those of the teacher's file.
    """
    kind, original = str(attributes.get("kind", "")), str(attributes.get("of", ""))
    marks = []
    if attributes.get("simulated", 0):
        marks.append(SIMULATED if has_simulated_recordings(attributes) else RENDERED)
    # RDMs of pixels or labels keep nothing of the responses.
    if kind != "images" and (kind == "encoded" or attributes.get("encoded", 0)):
        marks.append(ENCODED)
    if kind == "shuffled":
        within = " within categories" if attributes.get("within") == "category" else ""
        marks.append(f"Control: stimuli of {original} shuffled{within}")
    elif kind == "encoded_control" and attributes.get("control") == "bare":
        marks.append(f"Control: features of {original} without recordings")
    elif kind == "encoded_control":
        marks.append(f"Control: recordings of {original} shuffled before the encoding")
    elif attributes.get("control", ""):
        marks.append(f"Control: {attributes['control']}")
    return joined(marks)


def search_mark(simulated: bool, attributes: Mapping[Hashable, Any] | None) -> str:
    """Return what stands above a search's figures.

    Parameters
    ----------
    simulated
        Whether the search's task or teacher is simulated.
    attributes
        Those of its teacher; None without one.
    """
    mark = "" if attributes is None else teacher_mark(attributes)
    if not simulated or (attributes is not None and attributes.get("simulated", 0)):
        return mark
    return joined([mark, RENDERED] if mark else [RENDERED])


def teacher_sentence(teacher: Mapping[str, Any]) -> str:
    """Return what a teacher is made of, as a sentence of the page."""
    kind, original, network = teacher["kind"], teacher["of"], teacher["network"]
    if kind == "shuffled":
        return f"A control: the stimulus labels of {original} permuted, within each part of the stimuli."
    if kind == "encoded":
        return (
            "Encoded, in-silico recordings: no animal saw these images. An encoding model from the features "
            f"of {teacher['features']} to the recorded sites predicts their responses to validation images "
            "of the task."
        )
    if kind == "encoded_control":
        made = (
            "the features alone, without recordings"
            if teacher["control"] == "bare"
            else "the encoding fitted to responses with permuted stimulus labels"
        )
        return f"A control of the encoded teacher {original}: {made}."
    if network:
        learned = (
            "that learned another task" if kind == "pretrained" else "trained on the task's training images"
        )
        return f"A network, {network}, {learned}; its matrices are taken on validation images."
    if kind == "recordings":
        return f"{SIMULATED}." if teacher["simulated"] else "Recordings."
    return f"Made from the stimuli of {original}." if original else ""


SAMPLERS = {
    "tpe": "TPE",
    "random": "random search",
    "evolution": "regularised evolution",
    "reinforce": "REINFORCE",
    "nsga2": "NSGA-II",
}
GUIDANCES = {
    "p_only": "P alone",
    "tg_only": "TG alone",
    "rank": "the sum of the ranks of P and TG",
    "ceiled": "P + TG over its noise ceiling",
    "profile": "P and the profile of similarities over layers",
    "calibrated": "the mature accuracy that a fitted regression predicts",
}


def sampler(settings: Mapping[str, Any]) -> str:
    """Return what proposed the candidates, from the sampler's settings in ``search.json``."""
    return SAMPLERS.get(settings["name"], str(settings["name"]))


def guidance(settings: Mapping[str, Any]) -> str:
    """Return what candidates are ranked by, from the guidance's settings in ``search.json``."""
    if settings.get("schedule"):
        return "P + α·TG, α by the amount of training"
    if settings["name"] == "p_plus_tg":
        alpha = settings.get("alpha")
        return score_formula(1.0 if alpha is None else alpha)
    return GUIDANCES.get(settings["name"], str(settings["name"]))
