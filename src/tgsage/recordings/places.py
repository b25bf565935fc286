"""Where downloaded data and their cards are."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "TGSAGE_DATA"


def data_root(setting: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder of downloaded data.

    Parameters
    ----------
    setting
        The config's ``data``. Where it is None, the environment variable ``TGSAGE_DATA`` says; where that
        is not set either, it is ``neural_data/raw``. The folder need not exist.
    """
    chosen = setting or os.environ.get(VARIABLE)
    return Path(chosen) if chosen else cards_folder() / "raw"


def cards_folder() -> Path:
    """``neural_data`` under the working directory, or else beside the source code."""
    here = Path("neural_data")
    beside = Path(__file__).resolve().parents[3] / "neural_data"
    return here if here.is_dir() or not beside.is_dir() else beside
