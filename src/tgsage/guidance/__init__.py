"""From a ledger to scores: P + alpha * TG (Bashivan, Tensen and DiCarlo 2019) and its relatives.

P is the validation accuracy of the premature network, a fraction in [0, 1]; TG the mean, over the teacher's
targets, of the similarity of the candidate's best layer. ``docs/guidance.md`` has every guidance with its
formula.

>>> scores = get("rank", alpha=2)(ledger)
>>> scores = get("profile", reading="first")(ledger, profiles)
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd
import xarray as xr

from ..config import guidance as _settings
from ..errors import unknown
from ..settings import Section, checked, given
from .columns import check_alignment, needed
from .paper import p_only, p_plus_tg, score, tg_only

__all__ = [
    "NAMES", "calibrated", "get", "inputs", "needs_profiles", "p_only", "p_plus_tg", "score", "stage_modules",
    "tg_only",
]  # fmt: skip

# Module under tgsage, and its settings. Modules are imported by name, so that the code digest of one guidance
# does not hold the code of another.
_GUIDANCES: dict[str, tuple[str, type[Section]]] = {
    "p_plus_tg": ("guidance.paper", _settings.PPlusTg),
    "p_only": ("guidance.paper", _settings.POnly),
    "tg_only": ("guidance.paper", _settings.TgOnly),
    "rank": ("guidance.rank", _settings.RankGuidance),
    "ceiled": ("guidance.ceiled", _settings.CeiledGuidance),
    "profile": ("guidance.profile", _settings.ProfileGuidance),
    "calibrated": ("guidance.calibrated", _settings.CalibratedGuidance),
}

NAMES = tuple(_GUIDANCES)
"""Names of the guidances."""

_OF_THE_LEDGER = frozenset({"accuracy", "loss", "training_loss_sum", "parameters"})


def __getattr__(name: str) -> Any:
    if name == "calibrated":
        return importlib.import_module(f"{__name__}.calibrated")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def stage_modules(name: str) -> tuple[str, ...]:
    """Modules whose code decides a guidance: ``stage_digest("search.collect", *stage_modules(name))``.

    Raises
    ------
    TgsageError
        If there is no such guidance.
    """
    if name not in _GUIDANCES:
        raise unknown("guidance", name, _GUIDANCES)
    return (_GUIDANCES[name][0],)


def _section(settings: Section | Mapping[str, Any] | str, options: Mapping[str, Any]) -> Any:
    values = given(settings, options)
    values.setdefault("name", "p_plus_tg")
    name = str(values["name"])
    if name not in _GUIDANCES:
        raise unknown("guidance", name, _GUIDANCES)
    section = _GUIDANCES[name][1]
    for key in values:
        if key not in section.model_fields:
            raise unknown(f"setting of guidance {name}", str(key), section.model_fields)
    return checked(f"guidance {name}", section, values)


def needs_profiles(settings: Section | Mapping[str, Any] | str, **options: Any) -> bool:
    """Whether the guidance reads profiles beside the ledger.

    Raises
    ------
    TgsageError
        As :func:`get`.
    """
    found = _section(settings, options)
    if found.name == "calibrated" and found.features is not None:
        return not _OF_THE_LEDGER.issuperset(found.features)
    return found.name in ("ceiled", "profile", "calibrated")


def inputs(settings: Section | Mapping[str, Any] | str, **options: Any) -> list[str]:
    """Files that the guidance reads, as the configuration names them.

    Raises
    ------
    TgsageError
        As :func:`get`.
    """
    found = _section(settings, options)
    return [path for path in (getattr(found, "mature", None), getattr(found, "fitted", None)) if path]


def get(settings: Section | Mapping[str, Any] | str, **options: Any) -> Callable[..., pd.Series]:
    """Return the function ``(ledger, profiles=None) -> scores``.

    Parameters
    ----------
    settings
        One of ``tgsage.config.guidance.GuidanceSource``, the same as a mapping, or a name.
    **options
        Settings that differ from the default, or from ``settings``, e.g. ``alpha``.

    Returns
    -------
    callable
        Pure. Takes a ledger and, where :func:`needs_profiles` says so, its profiles: an ``xarray.Dataset``
        aligned to the ledger's rows with ``rsa`` and ``untrained`` (row, target, layer), ``ceiling_lower``
        and ``ceiling_upper`` (target), and the coordinates ``round`` and ``slot`` (row), ``target`` and
        ``weight`` (target). Returns float64 named ``score`` on the ledger's index, NaN for candidates that
        are not ok and for those of which something is missing that the score needs. A ``"note"`` in its
        ``attrs`` says what a person should know about the scores.

    Raises
    ------
    TgsageError
        If there is no such guidance, a setting is unknown or out of range, or a file that it names cannot be
        read; from the function also if a column or the profiles are missing or do not fit each other.
    """
    found = _section(settings, options)
    module = importlib.import_module(f"{__name__.partition('.')[0]}.{_GUIDANCES[found.name][0]}")
    function = module.make(found)
    reads = needs_profiles(found)

    def scored(ledger: pd.DataFrame, profiles: xr.Dataset | None = None) -> pd.Series:
        if reads:
            needed(profiles, found.name)
        if profiles is not None:
            check_alignment(ledger, profiles)
        return function(ledger, profiles)

    return scored
