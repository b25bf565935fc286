"""Fixtures that every part's tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real recordings and images: ``TGSAGE_DATA``, or ``shared/data`` beside the checkout."""
    folder = Path(os.environ.get("TGSAGE_DATA") or ROOT.parent / "shared" / "data")
    if not (folder / "brainio").is_dir():
        pytest.skip(f"no real data under {folder}; set TGSAGE_DATA")
    return folder


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Two cores are shared with whatever else runs: one thread is the fast and the reproducible way."""
    try:
        import torch
    except ImportError:
        return
    torch.set_num_threads(1)
