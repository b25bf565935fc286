"""Workspaces of workflow tests."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from helpers.workspaces import Workspace, make_workspace


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    return make_workspace(tmp_path)


@pytest.fixture(scope="session")
def searched(tmp_path_factory) -> tuple[Workspace, str]:
    """A workspace in which the tiny search has run, and what it printed. To be read; copy it to go on."""
    workspace = make_workspace(tmp_path_factory.mktemp("searched"))
    shutil.copy(Path(__file__).with_name("sitecustomize.py"), workspace.folder / "src")
    return workspace, workspace.snakemake("search_with_monkey_teacher")


@pytest.fixture
def again(searched, tmp_path) -> Workspace:
    """A copy of the workspace with the finished search, to be changed and run again."""
    shutil.copytree(searched[0].folder, tmp_path / "copy", symlinks=True)
    return Workspace(tmp_path / "copy")
