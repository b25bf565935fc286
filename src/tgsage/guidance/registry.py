"""All guidances by name: from settings to a function of ledger and profiles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .. import plugins
from .columns import Scorer, check_alignment, needed

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from .settings import GuidanceSettings


def get(settings: GuidanceSettings | Mapping[str, Any] | str, **options: Any) -> Scorer:
    """Return the function ``(ledger, profiles=None) -> scores`` of a guidance.

    Parameters
    ----------
    settings
        The settings of a guidance, the same as a mapping, or a guidance's name.
    **options
        Settings that differ from the default, or from ``settings``, e.g. ``alpha``.

    Returns
    -------
    callable
        Pure. Takes a ledger and, if ``settings.needs_profiles``, its profiles: an ``xarray.Dataset`` aligned
        to the ledger's rows with ``rsa`` and ``untrained`` (row, target, layer), ``ceiling_lower`` and
        ``ceiling_upper`` (target), and the coordinates ``round`` and ``slot`` (row), ``target`` and
        ``weight`` (target). Returns scores (float64, named ``score``) on the ledger's index, NaN for
        candidates that are not ok or lack a measurement that the score needs. A ``"note"`` in ``attrs`` is a
        remark for people.

    Raises
    ------
    TgsageError
        If there is no such guidance, a setting is unknown or out of range, or a file cannot be read. The
        function raises one if a column or the profiles are missing, or if they do not fit each other.
    """
    section: GuidanceSettings = plugins.settings("guidance", settings, **options)
    function: Scorer = section.load()(section)

    def scored(ledger: pd.DataFrame, profiles: xr.Dataset | None = None) -> pd.Series:
        if section.needs_profiles:
            needed(profiles, section.plugin_name())
        if profiles is not None:
            check_alignment(ledger, profiles)
        return function(ledger, profiles).rename("score")

    return scored
