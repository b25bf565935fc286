"""A space in a file of plugins."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from helpers.plugin_files import registered
from tgsage import plugins, spaces
from tgsage.config import load
from tgsage.errors import TgsageError
from tgsage.store import stage_digest

OWN = """
from typing import Literal

from torch import nn

from tgsage.plugins import register
from tgsage.spaces import Space
from tgsage.spaces.settings import SpaceSettings


class Flat(Space):
    def __init__(self, settings):
        super().__init__(settings)
        self.choices = {"width": list(range(1, settings.widest + 1))}

    def canonical(self, arch):
        self.check(arch)
        return arch

    def _assemble(self, arch, n_classes, in_channels):
        kernel = self.settings.kernel
        convolution, head = nn.Conv2d(in_channels, arch["width"], kernel), nn.Linear(arch["width"], n_classes)
        network = nn.Sequential(convolution, nn.AdaptiveAvgPool2d(1), nn.Flatten(), head)
        network.probe_names = ("0",)
        return network


@register
class FlatSettings(SpaceSettings):
    code = Flat
    name: Literal["flat"]
    widest: int = 4
    kernel: int = 3
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "own.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    with registered("own.py"):
        yield tmp_path


def test_a_space_in_a_file(folder):
    space = spaces.get("flat", widest=6)
    assert space.name == "flat" and space.size == 6
    # Settings travel as plain values, and the same space comes back.
    assert spaces.get(space.settings.plain()) is spaces.get(space.settings) is space
    arch = space.sample(np.random.default_rng(0))
    assert space.parse(space.format(arch)) == arch and len(space.key(arch)) == 16
    assert space.build(arch, 3).probe_names == ("0",)
    assert [edge["operation"] for edge in space.graph(arch)["edges"]] == [f"width\n{arch['width']}", ""]
    assert spaces.get("flat", widest=6, kernel=5).key(arch) != space.key(arch)


def test_an_edited_file_is_another_space(folder):
    """Within one second, of the same length: neither a compiled copy nor a date decides."""
    first = spaces.get("flat")
    digest = stage_digest(settings=[first.settings])
    (folder / "own.py").write_text(OWN.replace('("0",)', '("1",)'))
    plugins.load_files(["own.py"])
    second = spaces.get("flat")
    arch = first.decode({"width": 2})
    assert first.build(arch, 3).probe_names == ("0",) and second.build(arch, 3).probe_names == ("1",)
    assert second.key(arch) == first.key(arch)
    assert stage_digest(settings=[second.settings]) != digest


def test_a_list_of_its_architectures(folder):
    space = spaces.get("flat")
    (folder / "pool.csv").write_text(
        "architecture\n" + "".join('"' + space.format(a).replace('"', '""') + '"\n' for a in space.all())
    )
    listed = spaces.get("list", file="pool.csv", of={"name": "flat"})
    assert listed.size == 4 and listed.key(listed.listed[0]) == space.key(listed.listed[0])


def test_overrides(folder):
    assert spaces.with_overrides("flat", {"kernel": 5}).kernel == 5
    with pytest.raises(TgsageError, match=r"widest: changes the choices of space flat"):
        spaces.with_overrides("flat", {"kernel": 5, "widest": 5})
    with pytest.raises(TgsageError, match=r"unknown override of space flat 'kernle'.*'kernel'"):
        spaces.with_overrides("flat", {"kernle": 5})


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("self.choices =", "self.choicse =", "sets no choices"),
        ("list(range(1, settings.widest + 1))", "[1, 1]", "choice 'width' needs a list of different"),
        ("list(range(1, settings.widest + 1))", "[0.5]", "choice 'width' needs a list of different"),
    ],
    ids=["none", "equal", "fraction"],
)
def test_wrong_choices_are_one_line(folder, old, new, message):
    (folder / "own.py").write_text(OWN.replace(old, new))
    plugins.load_files(["own.py"])
    with pytest.raises(TgsageError, match=f"space flat: {message}"):
        spaces.get("flat")


def test_in_a_configuration(folder):
    root = Path(__file__).resolve().parents[2]
    content = yaml.safe_load((root / "config" / "config.yaml").read_text())
    content |= {"plugins": ["own.py"]}
    content["search"]["space"] = {"name": "flat", "widest": 3}
    assert load(content).search.space.widest == 3
    content["search"]["space"] = {"name": "flat", "widset": 3}
    with pytest.raises(TgsageError, match=r"unknown key search\.space\.widset \(did you mean 'widest'"):
        load(content)
