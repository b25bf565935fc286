"""A made-up run and its page, shared by the tests of the report."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers import made_up_run


@pytest.fixture(scope="session")
def reported_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = made_up_run.make_run(tmp_path_factory.mktemp("report"), arms=("monkey", "none"))
    made_up_run.make_search(run / "search" / "none" / "seed_1", arm="none", seed=1, targets=())
    made_up_run.draw_run(run)
    return run


@pytest.fixture(scope="session")
def page(reported_run: Path) -> str:
    """The page of both arms."""
    return made_up_run.page(reported_run, ["monkey", "none"], "Guided & <searched>")
