"""The registry of plugins: what is found in the package and in files, and what is wrong with a file."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from helpers.plugin_files import registered
from tgsage import plugins
from tgsage.errors import TgsageError
from tgsage.store.code import closure

OWN = """
from typing import Literal

from tgsage.plugins import register
from tgsage.samplers import Sampler
from tgsage.samplers.settings import SamplerSettings


class Own(Sampler):
    def begin(self, state):
        return lambda: state.space.sample(state.rng)


@register
class OwnSettings(SamplerSettings):
    code = Own
    name: Literal["own"]
    steps: int = 1
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with registered():
        yield tmp_path


def test_every_plugin_can_be_loaded_and_says_what_it_is():
    for kind in plugins.TAGS:
        for plugin in plugins.every(kind):
            assert plugin.load() is not None and plugin.__doc__
            assert plugins.get(kind, plugin.plugin_name()) is plugin


def test_the_code_of_a_plugin_does_not_hold_that_of_another():
    for kind in ("space", "sampler", "guidance"):
        codes = {plugin.code_module() for plugin in plugins.every(kind)}
        for plugin in plugins.every(kind):
            others = codes - {plugin.code_module(), "tgsage.guidance.paper.score"}
            assert not others & set(closure(plugin.code_module())), plugin


def test_settings_are_light():
    """Reading a configuration imports nothing large."""
    code = "import sys; from tgsage import plugins; plugins.every('space'); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not {"torch", "pandas", "xarray", "optuna", "scipy", "matplotlib", "h5py"} & set(loaded.split())


def test_a_file_registers_a_plugin(folder):
    (folder / "own.py").write_text(OWN)
    plugins.load_files(["own.py"])
    assert plugins.loaded_files() == ("own.py",)
    first = plugins.get("sampler", "own")
    assert plugins.settings("sampler", "own", steps=2).steps == 2 and first.plugin_name() == "own"
    plugins.load_files(["own.py"])
    assert plugins.get("sampler", "own") is first
    (folder / "own.py").write_text(OWN.replace('["own"]', '["renamed"]'))
    plugins.load_files(["own.py"])
    with pytest.raises(TgsageError, match=r"unknown sampler 'own'"):
        plugins.get("sampler", "own")
    assert plugins.get("sampler", "renamed") is not first
    assert not list(folder.rglob("__pycache__"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("class Own(:\n", r"own\.py: is not Python: .*line 1"),
        ("import nowhere_to_be_found\n", r"own\.py line 1: raised ModuleNotFoundError"),
        ("\n\n1 / 0\n", r"own\.py line 3: raised ZeroDivisionError when it was loaded"),
        ("raise SystemExit(3)\n", r"own\.py line 1: raised SystemExit"),
        (OWN.replace("@register\n", ""), r"own\.py: registers nothing"),
        (
            OWN.replace('["own"]', '["tpe"]'),
            r"own\.py: OwnSettings: the sampler 'tpe' is registered by .*tpe.plugin\.py",
        ),
        (OWN.replace('    name: Literal["own"]\n', ""), r"own\.py: OwnSettings: has no name; declare name:"),
        (OWN.replace("    code = Own\n", ""), r"own\.py: OwnSettings: has no code"),
        (OWN.replace("= Own\n", '= "nowhere.module:Own"\n'), r"its code is in nowhere\.module"),
    ],
    ids=["syntax", "import", "raises", "exits", "nothing", "twice", "no name", "no code", "no module"],
)
def test_what_is_wrong_with_a_file_is_one_line(folder, text, message):
    (folder / "own.py").write_text(text)
    for _ in range(2):  # what failed is not remembered
        with pytest.raises(TgsageError, match=message) as caught:
            plugins.load_files(["own.py"])
        assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_or_no_text(folder):
    with pytest.raises(TgsageError, match=r"plugins: nowhere\.py: no such file in"):
        plugins.load_files(["nowhere.py"])
    (folder / "own.py").write_bytes(b"\xff\xfe")
    with pytest.raises(TgsageError, match=r"own\.py: cannot be read"):
        plugins.load_files(["own.py"])


def test_mistakes_in_settings_are_one_line():
    with pytest.raises(TgsageError, match=r"unknown search space 'cel'.*did you mean 'cell'"):
        plugins.settings("space", "cel")
    with pytest.raises(TgsageError, match=r"space cell: wdith: unknown setting.*did you mean 'width'"):
        plugins.settings("space", "cell", wdith=3)


def test_a_package_whose_plugin_cannot_be_loaded_is_named(tmp_path):
    information = tmp_path / "broken-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text("[tgsage.plugins]\nown = nowhere_to_be_found\n")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", "tgsage.cli", "list"],
        env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert done.stderr.startswith(
        "tgsage: the package broken offers the plugin 'own', which cannot be loaded"
    )
