"""A made-up run, shared by the tests of figures."""

from __future__ import annotations

from pathlib import Path

import pytest
import xarray as xr

from helpers import made_up_run
from tgsage.runs import search_files
from tgsage.teacher import load


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_up_run.make_run(tmp_path_factory.mktemp("plots"), arms=("monkey", "none"))


@pytest.fixture(scope="session")
def search(run: Path) -> search_files.SearchFiles:
    return search_files.read_search(run / "search" / "monkey" / "seed_0")


@pytest.fixture(scope="session")
def teacher(run: Path) -> xr.DataTree:
    return load(run / "teachers" / "monkey.nc")
