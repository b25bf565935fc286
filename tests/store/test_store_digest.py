"""Digests of values and of code."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tgsage
from tgsage.store import digest, seed_from, stage_digest


def test_equal_values_have_equal_digests():
    assert digest({"a": 1, "b": [1.5, None]}) == digest({"b": (1.5, None), "a": 1})
    array = np.arange(6, dtype="<i4").reshape(2, 3)
    assert digest(array) == digest(array.astype(">i4")) == digest(np.asfortranarray(array))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 2),
        (1, "1"),
        (["ab", "c"], ["a", "bc"]),
        ([[1], 2], [1, [2]]),
        (np.zeros(2, np.float32), np.zeros(2, np.float64)),
        (np.zeros((2, 3)), np.zeros((3, 2))),
        (np.array(["a", "b"]), np.array(["b", "a"])),
        ({"a": 1}, {"b": 1}),
    ],
)
def test_different_values_have_different_digests(one, other):
    assert digest(one) != digest(other)


def test_seeds_are_stable_and_independent():
    assert seed_from("training", 0) == seed_from("training", 0)
    seeds = {seed_from("training", number) for number in range(1000)}
    assert len(seeds) == 1000 and all(0 <= seed < 2**63 for seed in seeds)


def _digest_of(source: Path, stage: str) -> str:
    code = f"from tgsage.store import stage_digest; print(stage_digest({stage!r}))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(source)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.fixture
def source(tmp_path) -> Path:
    """A copy of the package, to be edited."""
    root = Path(tgsage.__file__).parent
    shutil.copytree(root, tmp_path / "src" / "tgsage", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "src"


def test_a_copy_has_the_same_digest(source):
    assert _digest_of(source, "store") == stage_digest("store")


def test_docstrings_and_comments_do_not_count_and_code_does(source):
    before = _digest_of(source, "store")
    file = source / "tgsage" / "store" / "entries.py"
    text = file.read_text()
    file.write_text("# A comment.\n" + text.replace("What a kind of entry takes", "What it takes"))
    assert _digest_of(source, "store") == before
    file.write_text(text.replace("86400", "86401"))
    assert _digest_of(source, "store") != before


def test_a_module_counts_only_for_the_stages_that_import_it(source):
    before = {stage: _digest_of(source, stage) for stage in ("store", "config.training", "config.run")}
    with open(source / "tgsage" / "config" / "teacher.py", "a") as handle:
        handle.write("\nEXTRA = 1\n")
    after = {stage: _digest_of(source, stage) for stage in before}
    assert [before[s] == after[s] for s in before] == [True, True, False]


def test_no_such_stage():
    with pytest.raises(ModuleNotFoundError):
        stage_digest("nowhere")
