"""The features that are regressed on: measurements of the ledger, and readings of the profiles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from .. import layer_pooling
from ..columns import Array, column

# Name of the setting to name of the feature and how it is made from the ledger's column. More is better.
_OF_THE_LEDGER: dict[str, tuple[str, Callable[[Array], Any]]] = {
    "accuracy": ("accuracy", np.asarray),
    "loss": ("negative_loss", np.negative),
    "training_loss_sum": ("negative_training_loss_sum", np.negative),
    "parameters": ("log_parameters", np.log),
}
# How features are made from the similarities of trained and of untrained networks.
OF_THE_TEACHER: dict[str, Callable[[Array, Array], Array]] = {
    "first": lambda rsa, untrained: layer_pooling.first(rsa),  # noqa: ARG005
    "max": lambda rsa, untrained: layer_pooling.largest(rsa),  # noqa: ARG005
    "mean": lambda rsa, untrained: layer_pooling.mean(rsa),  # noqa: ARG005
    "last": lambda rsa, untrained: layer_pooling.last(rsa),  # noqa: ARG005
    "gain": lambda rsa, untrained: layer_pooling.largest(rsa - untrained),
}
GROUPS = (*_OF_THE_LEDGER, *OF_THE_TEACHER)


def feature_names(groups: Sequence[str], targets: Sequence[str]) -> dict[str, list[str]]:
    """Return the names of the features of each group."""
    return {
        group: [_OF_THE_LEDGER[group][0]] if group in _OF_THE_LEDGER else [f"{group}_{t}" for t in targets]
        for group in groups
        if group in GROUPS
    }


def feature_table(
    ledger: pd.DataFrame, profiles: xr.Dataset | None, groups: Sequence[str], targets: Sequence[str]
) -> pd.DataFrame:
    """Return every feature of every row, NaN if it is missing.

    Parameters
    ----------
    ledger, profiles
        As for :func:`tgsage.guidance.get`.
    groups
        As the setting ``features``.
    targets
        Targets of the profiles; of each, a feature ``<group>_<target>`` is made.
    """
    columns: dict[str, Array] = {}
    similarities: tuple[Array, Array] | None = None
    for group in groups:
        if group in _OF_THE_LEDGER:
            name, change = _OF_THE_LEDGER[group]
            raw = column(ledger, group).to_numpy()
            columns[name] = change(np.where(raw > 0, raw, np.nan) if group == "parameters" else raw)
        elif profiles is not None and targets:
            if similarities is None:
                chosen = profiles.sel(target=list(targets)).transpose("row", "target", "layer")
                similarities = chosen["rsa"].values, chosen["untrained"].values
            pooled = OF_THE_TEACHER[group](*similarities)
            columns |= {f"{group}_{target}": pooled[:, k] for k, target in enumerate(targets)}
    table = pd.DataFrame(columns, index=ledger.index, dtype="float64")
    return table.where(np.isfinite(table))
