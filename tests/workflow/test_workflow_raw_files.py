"""A downloaded file that is replaced makes the rule that reads it run again, and nothing else does."""

from __future__ import annotations

import copy
import io
import json
import os
import pickle
import re
import zipfile

import numpy as np
import pytest
from PIL import Image

from helpers.workspaces import TINY, jobs

TARGETS = ("results/tiny/recordings/mine/assembly.nc", "results/tiny/task/cifar10.h5")


def write_stand_ins(data):
    """Stand-ins for a published session and for CIFAR-10: random numbers in their layouts."""
    generator = np.random.default_rng(1)
    folder = data / "cowley2023_v4"
    (folder / "responses_raw").mkdir(parents=True)
    (folder / "images").mkdir()
    np.save(folder / "responses_raw" / "responses_210325.npy", generator.poisson(4.0, (4, 8, 3)) * 1.0)
    with zipfile.ZipFile(folder / "images" / "images_210325.zip", "w") as archive:
        for number in range(1, 9):
            buffer = io.BytesIO()
            Image.fromarray(generator.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(buffer, "PNG")
            archive.writestr(f"image{number:04d}.png", buffer.getvalue())
    folder = data / "cifar-10-batches-py"
    folder.mkdir()
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": ["a", "b"]}))
    for name in (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"):
        pixels = generator.integers(0, 256, (20, 3072), dtype=np.uint8)
        (folder / name).write_bytes(pickle.dumps({"data": pixels, "labels": [0, 1] * 10}))


@pytest.fixture
def mine(workspace):
    config = copy.deepcopy(TINY)
    config["data"] = "data"
    config["recordings"]["mine"] = {"source": "cowley2023", "session": "210325", "responses": "raw"}
    config["task"] = {"source": "cifar10", "n_validation": 20}
    workspace.write_config(config)
    write_stand_ins(workspace.folder / "data")
    return workspace


def plan(workspace):
    """The jobs of a dry run, and what it printed."""
    output = workspace.snakemake(*TARGETS, "--dry-run")
    return jobs(output), output


@pytest.mark.slow
def test_a_replaced_raw_file_reruns_the_rule_that_reads_it(mine):
    responses = mine.folder / "data" / "cowley2023_v4" / "responses_raw" / "responses_210325.npy"
    batch = mine.folder / "data" / "cifar-10-batches-py" / "data_batch_3"
    assert plan(mine)[0] == {"recordings": 1, "task": 1}
    mine.snakemake(*TARGETS)
    assert plan(mine)[0] == {}

    # Another time, the same content.
    for path in (responses, batch):
        os.utime(path)
    assert plan(mine)[0] == {}

    # Another content, and a time long before the outputs'.
    original = responses.read_bytes()
    np.save(responses, np.load(responses) + 1)
    os.utime(responses, (1_000_000_000, 1_000_000_000))
    planned, output = plan(mine)
    assert planned == {"recordings": 1}
    assert re.search(
        r"[Rr]eason:\s+.*[Pp]arams have changed|[Pp]arams have changed since last execution", output
    )
    assert "cowley2023_v4/responses_raw/responses_210325.npy" in output

    # The first content again: what was read from it is still there.
    responses.write_bytes(original)
    assert plan(mine)[0] == {}

    content = pickle.loads(batch.read_bytes())
    content["data"] = content["data"][::-1].copy()
    batch.write_bytes(pickle.dumps(content))
    assert plan(mine)[0] == {"task": 1}
    mine.snakemake(*TARGETS)
    assert plan(mine)[0] == {}

    # Put away after they were read: nothing runs, nothing is deleted.
    responses.unlink()
    planned, output = plan(mine)
    assert planned == {} and "responses_210325.npy is no longer there" in output
    assert json.loads((mine.folder / ".snakemake" / "tgsage_raw_files.json").read_text())


@pytest.mark.slow
def test_a_missing_raw_file_is_the_rules_own_line(mine):
    (mine.folder / "data" / "cowley2023_v4" / "images" / "images_210325.zip").unlink()
    output = mine.snakemake(TARGETS[0], fails=True)
    assert "MissingInput" not in output and "Traceback" not in output
    line = "tgsage: data/cowley2023_v4/images/images_210325.zip: no such file"
    assert line in output
    assert line in mine.path("logs", "recordings", "mine.log").read_text()
    assert not (mine.folder / TARGETS[0]).exists()
    # It is there now: the rule is planned as before.
    assert plan(mine)[0]["recordings"] == 1
