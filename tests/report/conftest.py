"""A made-up run and its pages, shared by the tests of the report."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "plots"))

import made_up_run

from tgsage import report


@pytest.fixture(scope="session")
def reported_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = made_up_run.make_run(tmp_path_factory.mktemp("report"), arms=("monkey", "none"))
    made_up_run.make_search(run / "search" / "none" / "seed_1", arm="none", seed=1, targets=())
    return run


@pytest.fixture(scope="session")
def page(reported_run: Path) -> str:
    """The page of both arms."""
    return report.build(reported_run, ["monkey", "none"], "Guided & <searched>", space=made_up_run.space())
