"""A space from a file of the user's own, and what the digests of code hold."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tgsage import samplers, spaces
from tgsage.config import load
from tgsage.config.spaces import PythonSpace
from tgsage.errors import TgsageError
from tgsage.spaces import Space
from tgsage.training import trained

OWN = """
from torch import nn
from tgsage.spaces import Space

class Flat(Space):
    name = "flat"

    def __init__(self, widest=4):
        self.choices = {"width": list(range(1, widest + 1))}

    def canonical(self, arch):
        self.check(arch)
        return arch

    def _assemble(self, arch, n_classes, in_channels):
        convolution, head = nn.Conv2d(in_channels, arch["width"], 3), nn.Linear(arch["width"], n_classes)
        network = nn.Sequential(convolution, nn.AdaptiveAvgPool2d(1), nn.Flatten(), head)
        network.probe_names = ("0",)
        return network
"""
SETTINGS = {"name": "python", "file": "own.py", "class": "Flat"}


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    (tmp_path / "own.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_space_of_ones_own(folder):
    space = spaces.get(SETTINGS, options={"widest": 6})
    assert isinstance(space, Space) and space.name == "flat" and space.size == 6
    assert isinstance(space.settings, PythonSpace)
    assert space.settings.plain() == {**SETTINGS, "options": {"widest": 6}}
    # Settings travel as plain values, and the same space comes back.
    assert spaces.get(space.settings.plain()) is spaces.get(space.settings) is space
    arch = space.sample(np.random.default_rng(0))
    assert space.parse(space.format(arch)) == arch and len(space.key(arch)) == 16
    assert space.build(arch, 3).probe_names == ("0",)
    assert [edge["operation"] for edge in space.graph(arch)["edges"]] == [f"width\n{arch['width']}", ""]
    assert not list(folder.rglob("__pycache__"))


def test_the_key_is_that_of_class_and_options_wherever_the_file_lies(folder):
    arch = spaces.get(SETTINGS).decode({"width": 2})
    key = spaces.get(SETTINGS).key(arch)
    (folder / "elsewhere").mkdir()
    shutil.copy("own.py", "elsewhere/moved.py")
    moved = spaces.get(SETTINGS, file="elsewhere/moved.py")
    assert moved.key(arch) == key and moved.code_digest == spaces.get(SETTINGS).code_digest
    assert spaces.get(SETTINGS, options={"widest": 5}).key(arch) != key


def test_an_edited_file_is_another_space(folder):
    """Within one second, of the same length: no compiled copy and no date decides."""
    first = spaces.get(SETTINGS)
    (folder / "own.py").write_text(OWN.replace('("0",)', '("1",)'))
    second = spaces.get(SETTINGS)
    arch = first.decode({"width": 2})
    assert first.build(arch, 3).probe_names == ("0",) and second.build(arch, 3).probe_names == ("1",)
    assert trained._code_of(first) == first.code_digest != second.code_digest == trained._code_of(second)
    assert spaces.source_digest(SETTINGS) == second.code_digest


def test_digests_of_settings(folder):
    assert spaces.stage_modules(SETTINGS) == ()
    assert len(spaces.source_digest(SETTINGS)) == 16
    listed = {"name": "list", "file": "pool.json", "of": SETTINGS}
    assert spaces.stage_modules(listed) == ("spaces.listed",)
    assert spaces.source_digest(listed) == spaces.source_digest(SETTINGS)
    for name in ("cell", "nasbench201", "convnet10", "convnet20"):
        assert spaces.source_digest({"name": name}) == "" and len(spaces.stage_modules({"name": name})) == 1
    assert spaces.source_digest({"name": "list", "file": "x", "of": {"name": "cell"}}) == ""


def test_a_list_of_ones_own_architectures(folder):
    space = spaces.get(SETTINGS)
    (folder / "pool.csv").write_text(
        "architecture\n" + "".join('"' + space.format(a).replace('"', '""') + '"\n' for a in space.all())
    )
    listed = spaces.get("list", file="pool.csv", of=SETTINGS)
    assert listed.size == 4 and listed.key(listed.listed[0]) == space.key(listed.listed[0])
    assert trained._code_of(listed) == space.code_digest


def test_code_of_tgsage_that_the_file_imports_counts(folder, monkeypatch):
    from tgsage.spaces import user_class

    (folder / "own.py").write_text("from tgsage.spaces.layers import average_pool\n" + OWN)
    before = spaces.source_digest(SETTINGS)
    real = user_class.stage_digest
    monkeypatch.setattr(user_class, "stage_digest", lambda name: real(name) + "x" * (name == "spaces.layers"))
    assert spaces.source_digest(SETTINGS) != before


def test_overrides_are_merged_into_the_options(folder):
    settings = {**SETTINGS, "options": {"widest": 4}}
    assert spaces.with_overrides(settings, {"options": {"widest": 4}}).options == {"widest": 4}
    with pytest.raises(TgsageError, match=r"options: changes the choices of space python"):
        spaces.with_overrides(settings, {"options": {"widest": 5}})
    with pytest.raises(TgsageError, match=r"unknown override of space python 'class'"):
        spaces.with_overrides(settings, {"class": "Other"})


BROKEN = {
    "syntax": ("class Flat(:\n", r"own\.py: is not Python: .*line 1"),
    "import": ("import nowhere_to_be_found\n", r"own\.py line 1: raised ModuleNotFoundError"),
    "raises": ("\n\n1 / 0\n", r"own\.py line 3: raised ZeroDivisionError when it was loaded"),
    "exits": ("raise SystemExit(3)\n", r"own\.py line 1: raised SystemExit"),
    "no class": (OWN.replace("class Flat", "class Flta"), r"has no class 'Flat' \(did you mean 'Flta'"),
    "no subclass": ("class Flat:\n    pass\n", r"Flat: is not a subclass of tgsage\.spaces\.Space"),
    "method": (OWN.replace("def canonical", "def canonicla"), r"lacks the method\(s\) canonical of"),
    "name": (OWN.replace('name = "flat"', "nickname = 1"), r"Flat: has no name"),
    "constructor": (OWN.replace("self.choices = {", "self.choices = 3 + {"), r"cannot be made: TypeError"),
    "no choices": (OWN.replace("self.choices =", "self.choicse ="), r"sets no choices"),
    "choices": (OWN.replace("list(range(1, widest + 1))", "[1, 1]"), r"choice 'width' needs a list"),
    "fraction": (OWN.replace("list(range(1, widest + 1))", "[0.5]"), r"choice 'width' needs a list"),
}


@pytest.mark.parametrize("cause", BROKEN)
def test_what_is_wrong_with_a_file_is_told_in_one_line(folder, cause):
    text, message = BROKEN[cause]
    (folder / "own.py").write_text(text)
    for _ in range(2):  # what failed is not remembered
        with pytest.raises(TgsageError, match=message) as caught:
            spaces.get(SETTINGS)
        assert "\n" not in str(caught.value) and "own.py" in str(caught.value)


def test_other_mistakes_are_told_in_one_line(folder):
    with pytest.raises(TgsageError, match=r"space python: nowhere\.py: no such file in .*working folder"):
        spaces.get(SETTINGS, file="nowhere.py")
    with pytest.raises(TgsageError, match=r"own\.py: Flat: does not take these options: .*'widset'"):
        spaces.get(SETTINGS, options={"widset": 3})
    with pytest.raises(TgsageError, match=r"space python: class: field required"):
        spaces.get("python", file="own.py")
    shutil.copy("own.py", "own.txt")
    with pytest.raises(TgsageError, match=r"own\.txt: is not a Python file; its name must end in \.py"):
        spaces.get(SETTINGS, file="own.txt")
    (folder / "own.py").write_bytes(b"\xff\xfe")
    with pytest.raises(TgsageError, match=r"own\.py: cannot be read"):
        spaces.get(SETTINGS)


def test_in_a_configuration(folder):
    import yaml

    root = Path(__file__).resolve().parents[2]
    content = yaml.safe_load((root / "config" / "config.yaml").read_text())
    content["search"]["space"] = SETTINGS
    arm = next(iter(content["search"]["arms"].values()))
    arm["sampler"] = {"name": "python", "file": "mine.py", "class": "Mine", "options": {"a": 1}}
    loaded = load(content)
    assert loaded.search.space.plain() == {**SETTINGS, "options": {}}
    sampler = next(iter(loaded.search.arms.values())).sampler
    assert sampler.plain()["class"] == "Mine" and sampler.max_parameters is None
    content["search"]["space"] = {"name": "python", "file": "own.py", "clas": "Flat"}
    with pytest.raises(TgsageError, match=r"missing key search\.space\.class; .*did you mean 'class'"):
        load(content)


# -- Samplers

CLIMBER = """
from tgsage.samplers import Sampler

class Mine(Sampler):
    name = "mine"

    def __init__(self, a=0):
        self.a = a

    def begin(self, situation):
        return lambda: situation.space.sample(situation.rng)
"""
SAMPLER = {"name": "python", "file": "mine.py", "class": "Mine"}


def test_a_sampler_of_ones_own(folder):
    (folder / "mine.py").write_text(CLIMBER)
    sampler = samplers.get(SAMPLER, options={"a": 3}, max_parameters=10**9)
    assert sampler.a == 3 and sampler.settings.max_parameters == 10**9
    space = spaces.get("nasbench201", width=2, repeats=1)
    assert sampler.propose(space, None, 3, 0) == samplers.get("random").propose(space, None, 3, 0)
    digest = samplers.source_digest(SAMPLER)
    (folder / "mine.py").write_text(CLIMBER + "\n")
    assert samplers.source_digest(SAMPLER) != digest
    assert samplers.source_digest({"name": "tpe"}) == ""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            CLIMBER.replace("def begin", "def begni"),
            r"lacks the method\(s\) begin of tgsage\.samplers\.Sampler",
        ),
        (CLIMBER.replace("(Sampler)", ""), r"Mine: is not a subclass of tgsage\.samplers\.Sampler"),
        (CLIMBER.replace('name = "mine"', ""), r"Mine: has no name"),
        (CLIMBER.replace("a=0", ""), r"does not take these options: .*'a'"),
        (CLIMBER.replace("class Mine", "class Yours"), r"has no class 'Mine'; there are: Yours"),
        ("import nowhere_to_be_found\n", r"mine\.py line 1: raised ModuleNotFoundError"),
    ],
    ids=["method", "base", "name", "options", "class", "import"],
)
def test_what_is_wrong_with_a_sampler_is_told_in_one_line(folder, text, message):
    (folder / "mine.py").write_text(text)
    with pytest.raises(TgsageError, match=message) as caught:
        samplers.get(SAMPLER, options={"a": 1})
    assert "\n" not in str(caught.value) and str(caught.value).startswith("sampler python: mine.py")


# -- Digests of code


def _digests(source: Path, stages) -> list[str]:
    code = f"from tgsage.store import stage_digest\nfor s in {list(stages)!r}: print(stage_digest(s))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(source)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


STAGES = ("training.loop", "training.candidate", "scoring.candidate", "spaces.cell", "spaces.nasbench201",
          "spaces.convnet", "spaces.listed")  # fmt: skip
