"""Which edits of the code change the key of a trained candidate, and so hide what was trained before."""

from __future__ import annotations

import functools
import importlib.util
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import tgsage
from tgsage import spaces
from tgsage.training import keys
from tgsage.training.settings import Recipe

SPACE = spaces.get("cell")
ARCH = SPACE.sample(np.random.default_rng(0))
TASK = SimpleNamespace(digest="0" * 64, n_classes=10)

SAMPLER = """
from typing import Literal
from ...plugins import register
from ..settings import SamplerSettings

@register
class Sweep(SamplerSettings):
    name: Literal["sweep"]
    code = "tgsage.samplers.random.sampler:RandomSampler"
"""

RECIPE_HEAD = '''Field, Section


class Recipe(Section):
    """Everything besides architecture, images and seed that decides the weights."""
'''

HARMLESS = {
    "version of the package": ("__init__.py", "__version__ = ", "__version__ = '9.' + "),
    "word of an error": ("errors.py", "did you mean", "perhaps you mean"),
    "number of Store.prune": ("store/entries.py", "86400 * unused_days", "86401 * unused_days"),
    "re-export of the training": (
        "training/__init__.pyi",
        "from .loop import train as train",
        "from .loop import train as train\nfrom .loop import set_normalisation as set_normalisation",
    ),
    "words of a raise": ("training/loop.py", "has no trainable parameters", "has nothing to train"),
    "later key of a recipe": (
        "training/settings.py",
        RECIPE_HEAD,
        RECIPE_HEAD.replace("Field, ", "Field, Later, ") + "    mixup: float = Later(0.0, ge=0)\n",
    ),
    "function of another space": ("spaces/nasbench201/cells.py", "_convolutions", "_kernels"),
    "new sampler": ("samplers/sweep/plugin.py", "", SAMPLER),
}

REAL = {
    "learning rate": ("training/loop.py", "* 0.5 * (1 + math.cos(", "* 0.5 * (1.01 + math.cos("),
    "crop": ("training/data.py", "torch.randint(-crop_padding,", "torch.randint(1 - crop_padding,"),
    "batch-norm statistics": ("training/batchnorm.py", "(n - 1) * variance", "n * variance"),
    "operation of a cell": (
        "spaces/cell/network.py",
        "stride=stride, dilation=2",
        "stride=stride, dilation=1",
    ),
    "seed of a candidate": ("training/seeds.py", 'seed_from("candidate", ', 'seed_from("candidate", 1, '),
    "average of weights": ("training/ema.py", "self.decay**self.step)", "self.decay**self.step / 2)"),
    "weight decay": ("training/sgd.py", "if p.ndim > 1]", "if p.ndim > 0]"),
    "stem of a cell network": ("spaces/cell/network.py", "(in_channels, stem, 3", "(in_channels, stem, 5"),
}


@pytest.fixture
def key_after(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Return the key of a candidate after an edit of a copy of the package."""
    root = tmp_path / "tgsage"
    shutil.copytree(Path(tgsage.__file__).parent, root, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(keys, "versions", functools.partial(keys.versions, root=root))

    def key(file: str, old: str, new: str) -> str:
        path = root / file
        text = path.read_text(encoding="utf-8") if old else ""
        assert old in text
        path.parent.mkdir(exist_ok=True)
        path.write_text(text.replace(old, new) if old else new, encoding="utf-8")
        return keys.candidate_key(SPACE, ARCH, edited_recipe(root), TASK, "cpu")

    return key


def edited_recipe(root: Path) -> Recipe:
    """Return the default recipe of a copy of the package."""
    spec = importlib.util.spec_from_file_location("tgsage.training.edited", root / "training/settings.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
        module.Recipe.model_rebuild()
        return module.Recipe()
    finally:
        del sys.modules[spec.name]


@pytest.mark.parametrize("edit", HARMLESS.values(), ids=HARMLESS)
def test_an_edit_that_changes_no_key(key_after, edit: tuple[str, str, str]) -> None:
    before = keys.candidate_key(SPACE, ARCH, Recipe(), TASK, "cpu")
    assert key_after(*edit) == before


@pytest.mark.parametrize("edit", REAL.values(), ids=REAL)
def test_an_edit_that_changes_the_key(key_after, edit: tuple[str, str, str]) -> None:
    before = keys.candidate_key(SPACE, ARCH, Recipe(), TASK, "cpu")
    assert key_after(*edit) != before
