"""A pack of candidates, each trained and scored in a process of its own."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest
from search_files import SEARCH

from helpers.plugin_files import registered
from tgsage import plugins, search, spaces, tasks
from tgsage.runs import rsa as rsa_file
from tgsage.runs.layout import StageFolder
from tgsage.runs.records import read_trainings, write_record
from tgsage.runs.settings import Recipe, Scoring
from tgsage.search.candidates import PRELOAD
from tgsage.search.collect import read_measured, tabulate

# Networks that train well and misbehave when they are scored, which is done in larger batches.
TOUCHY = """
import os, signal, time
from typing import ClassVar, Literal
from torch import nn
from tgsage.plugins import register
from tgsage.spaces import Space
from tgsage.spaces.settings import SpaceSettings

class Net(nn.Module):
    probe_names = ("conv",)

    def __init__(self, n_classes, channels, does):
        super().__init__()
        self.conv, self.head, self.does = nn.Conv2d(channels, 4, 3), nn.Linear(4, n_classes), does

    def forward(self, images):
        if not self.training and len(images) > 16:
            if self.does == "crash":
                os.kill(os.getpid(), signal.SIGSEGV)
            if self.does == "hang":
                time.sleep(600)
            if self.does == "raise":
                raise RuntimeError("not in evaluation mode")
        return self.head(self.conv(images).relu().mean((2, 3)))

class Touchy(Space):
    def __init__(self, settings):
        super().__init__(settings)
        self.choices = {"does": ("nothing", "crash", "hang", "raise")}

    def canonical(self, arch):
        self.check(arch)
        return arch

    def _assemble(self, arch, n_classes, in_channels):
        return Net(n_classes, in_channels, arch["does"])

@register
class TouchySettings(SpaceSettings):
    code: ClassVar = Touchy
    name: Literal["touchy"]
"""


@pytest.fixture
def task(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    part = tasks.Part(rng.integers(0, 256, (32, 8, 8, 3), dtype=np.uint8), np.arange(32) % 2)
    path = tmp_path / "task.h5"
    tasks.save(tasks.Task("noise", part, part, part, ("a", "b"), simulated=True), path)
    return path


def test_what_goes_wrong_while_one_is_scored_costs_only_that_one(tmp_path: Path, task: Path) -> None:
    file = tmp_path / "touchy.py"
    file.write_text(TOUCHY)
    stage = StageFolder(str(tmp_path / "round_0"))
    pack = stage.pack(0)
    with registered(str(file)):
        settings = plugins.settings("space", "touchy")
        space = spaces.get(settings)
        proposals = [
            {"slot": slot, "candidate": space.key(arch), "architecture": space.format(arch)}
            for slot, arch in enumerate(space.all())
        ]
        about = {"run": SEARCH.run, "arm": SEARCH.arm, "seed": SEARCH.seed, "round": 0, "stage": "round_0"}
        write_record("proposals", stage.proposals, {**about, "proposals": proposals})
        search.train_and_score(
            pack.training,
            pack.rsa,
            proposals=stage.proposals,
            positions=range(len(proposals)),
            task=task,
            space=settings,
            recipe=Recipe(epochs=1, batch_size=16, timeout_seconds=5),
            scoring=Scoring(),
            store=tmp_path / "store",
            device="cpu",
        )
    assert [one["status"] for one in read_trainings(pack.training)] == ["ok"] * 4
    scored = rsa_file.load(pack.rsa)
    assert [one.attrs["status"] for one in scored] == ["ok", "failed", "timeout", "failed"]
    assert [one.attrs["reason"] for one in scored] == [
        "",
        "scoring: crashed: killed by SIGSEGV",
        "scoring: timeout: took longer than 5 s",
        "scoring: raised: RuntimeError: not in evaluation mode",
    ]
    rows, _ = tabulate(read_measured([pack.training], [pack.rsa]), Scoring(), [], [])
    assert rows["status"].tolist() == ["ok", "failed", "timeout", "failed"]
    assert rows["accuracy"].notna().tolist() == [True, False, False, False]
    assert rows["parameters"].notna().all() and (rows["examples"] == 32).all()


def test_what_is_preloaded_exists() -> None:
    for name in PRELOAD:  # the fork server passes over a name that has moved, in silence
        assert importlib.import_module(name).__name__ == name
