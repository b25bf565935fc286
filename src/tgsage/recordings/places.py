"""Where downloaded data and the cards of data sets are."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "TGSAGE_DATA"
OWN_FOLDER = Path("neural_data")
"""Folder under the working directory for downloaded data (``raw``) and for your own cards."""


def data_root(setting: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder of downloaded data.

    Parameters
    ----------
    setting
        The config's ``data``. Where it is None, the environment variable ``TGSAGE_DATA`` says; where that
        is not set either, it is ``neural_data/raw`` under the working directory, or else in the checkout
        from which tgsage runs. The folder need not exist.
    """
    chosen = setting or os.environ.get(VARIABLE)
    if chosen:
        return Path(chosen)
    checkout = Path(__file__).resolve().parents[3] / OWN_FOLDER
    return (OWN_FOLDER if OWN_FOLDER.is_dir() or not checkout.is_dir() else checkout) / "raw"


def card_files() -> dict[str, Path]:
    """Return the files of all cards by name: those of the package, and your own in ``neural_data``."""
    folders = (Path(__file__).parent / "data_cards", OWN_FOLDER)
    return {path.stem: path for folder in folders for path in sorted(folder.glob("*.yaml"))}
