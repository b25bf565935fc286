"""Digests of code: what is in one, and what is not."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from tgsage import plugins
from tgsage.store import stage_digest
from tgsage.store.code import closure

FILES = {
    "__init__.py": "",
    "errors.py": "WORDS = 'perhaps'",
    "tools/__init__.py": "import lazy_loader as lazy\n"
    "__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)",
    "tools/__init__.pyi": "from .quick import fast as fast\nfrom .slow import slow as slow",
    "tools/quick.py": "def fast(): return 1",
    "tools/slow.py": "from ..errors import WORDS\ndef slow(): return 2",
    "eager/__init__.py": "from .one import one\nfrom .two import two",
    "eager/one.py": "def one(): return 1",
    "eager/two.py": "def two(): return 2",
    "shared/__init__.py": "SHARED = 1",
    "shared/part.py": "def part(): return 3",
    "stage.py": """
        '''A stage.'''
        from __future__ import annotations
        from typing import TYPE_CHECKING
        from . import eager, tools
        from .errors import WORDS
        from .shared.part import part
        if TYPE_CHECKING:
            from .typing_only import Thing

        def stage(thing: Thing) -> int:
            '''Run.'''
            from .late import late
            if thing is None:
                raise ValueError(f"no thing, {WORDS}")
            return tools.fast() + eager.two() + part() + late()  # a sum
    """,
    "late.py": "def late(): return 4",
    "late.toml": "weight = 5  # of the table",
    "typing_only.py": "class Thing: pass",
}


@pytest.fixture
def package(tmp_path) -> Path:
    root = tmp_path / "tgsage"
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(textwrap.dedent(text))
    return root


def test_a_closure_holds_what_is_used_and_nothing_else(package):
    assert sorted(closure("tgsage.stage", root=package)) == [
        "tgsage.eager.two", "tgsage.late", "tgsage.shared", "tgsage.shared.part", "tgsage.stage",
        "tgsage.tools.quick",
    ]  # fmt: skip


def test_a_package_that_is_handed_on_counts_whole(package):
    (package / "stage.py").write_text("from . import tools\nprint(tools)")
    assert set(closure("tgsage.stage", root=package)) == {
        "tgsage.stage", "tgsage.tools", "tgsage.tools.quick", "tgsage.tools.slow",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("stage.py", "# a sum", "# the sum"),
        ("stage.py", "Run.", "Run it."),
        ("stage.py", "A stage.", "One stage."),
        ("stage.py", "no thing", "there is no thing"),
        ("stage.py", "thing: Thing", "thing: Thing | None"),
        ("stage.py", "-> int", "-> float"),
        ("typing_only.py", "pass", "x = 1"),
        ("errors.py", "perhaps", "maybe"),
        ("tools/slow.py", "return 2", "return 3"),
        ("tools/__init__.pyi", "from .slow", "from .late import other as other\nfrom .slow"),
        ("eager/one.py", "return 1", "return 2"),
        ("eager/__init__.py", "from .one import one\n", ""),
        ("late.toml", "of the", "of that"),
    ],
)
def test_harmless_edits(package, file, old, new):
    assert _edited(package, file, old, new)


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("stage.py", "thing is None", "thing is not None"),
        ("stage.py", "raise ValueError", "raise KeyError"),
        ("late.py", "4", "5"),
        ("late.toml", "5", "6"),
        ("shared/__init__.py", "1", "2"),
        ("shared/part.py", "3", "2"),
        ("tools/quick.py", "1", "2"),
        ("tools/__init__.pyi", "from .quick import fast", "from .slow import slow"),
        ("eager/two.py", "2", "3"),
    ],
)
def test_edits_that_count(package, file, old, new):
    assert not _edited(package, file, old, new)


def _edited(package: Path, file: str, old: str, new: str) -> bool:
    """Whether the digest of the stage is the same after an edit."""
    before = stage_digest("stage", root=package)
    text = (package / file).read_text()
    assert old in text
    (package / file).write_text(text.replace(old, new))
    return stage_digest("stage", root=package) == before


def test_a_plugin_counts_where_its_settings_are_given():
    one = plugins.settings("recordings", "hdf5", file="a.h5")
    other = plugins.settings("recordings", "kriegeskorte2008")
    digests = {
        stage_digest("statistics"),
        stage_digest("statistics", settings=[one]),
        stage_digest("statistics", settings={"nested": [other]}),
        stage_digest("statistics", settings=[one, other]),
    }
    assert len(digests) == 4


def test_no_such_stage():
    with pytest.raises(ModuleNotFoundError):
        stage_digest("nowhere")
