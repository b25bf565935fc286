"""A wheel, installed and used outside of any checkout."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Run a command with the wheel's package first on the path, in an empty folder."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder]
    source = folder / "source"
    # From a copy: setuptools leaves its build folder beside the sources.
    subprocess.run(["git", "clone", "--quiet", ROOT, source], check=True)
    subprocess.run([*build, source], check=True)
    (wheel,) = folder.glob("*.whl")
    subprocess.run(
        [*pip, "install", "--no-deps", "--ignore-installed", "--prefix", folder / "prefix", wheel], check=True
    )
    (packages,) = (folder / "prefix").glob("lib/python*/site-packages")
    empty = folder / "empty"
    empty.mkdir()

    def run(*command: object) -> str:
        environment = {**os.environ, "PYTHONPATH": str(packages), "TGSAGE_DATA": str(empty)}
        done = subprocess.run(
            [sys.executable, "-m", *map(str, command)],
            cwd=empty,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run.packages = packages
    return run


def test_cards_schema_and_lists_are_found(installed):
    assert "majajhong2015" in installed("tgsage.cli", "cards")
    assert "p_plus_tg" in installed("tgsage.cli", "list", "guidance")
    assert (installed.packages / "tgsage" / "py.typed").is_file()
    assert any((installed.packages / "tgsage" / "report").glob("*.j2"))


def test_the_workflow_plans_a_search(installed):
    snakefile = installed("tgsage.cli", "workflow").strip()
    assert not Path(snakefile).is_relative_to(ROOT) and Path(snakefile).is_file()
    installed("snakemake", "-n", "-q", "--cores", 2, "--snakefile", snakefile, "search_with_monkey_teacher")
