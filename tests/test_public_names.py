"""What the package offers: every name is there, and stays what it is."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import tgsage

ROOT = Path(tgsage.__file__).parent
PACKAGES = sorted(
    ".".join(("tgsage", *path.parent.relative_to(ROOT).parts)) for path in ROOT.glob("**/__init__.pyi")
)


@pytest.mark.parametrize("name", PACKAGES)
def test_every_public_name_resolves_twice(name):
    """Importing a module of a lazy package must not put the module in the place of a name of the package."""
    package = importlib.import_module(name)
    stub = Path(package.__file__).with_suffix(".pyi").read_text(encoding="utf-8")
    names = [
        alias.asname
        for node in ast.parse(stub).body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    ]
    assert names and sorted(package.__all__) == sorted(names)
    first = {public: getattr(package, public) for public in names}
    for module in Path(package.__file__).parent.glob("*.py"):
        if module.stem not in ("__init__", "plugin"):
            importlib.import_module(f"{name}.{module.stem}")
    assert all(getattr(package, public) is value for public, value in first.items())
    assert set(names) <= set(dir(package))


def test_every_part_is_reachable():
    """In a new process: a part that something else has imported is an attribute in any case."""
    parts = sorted({path.parent.name for path in ROOT.glob("*/__init__.py")} - {"demo"})
    code = f"import sys, tgsage; [getattr(tgsage, part) for part in {parts}]; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_no_docstring_is_broken():
    """A literal that was split in the middle of a docstring shows as a quote, a line's end and a quote."""
    broken = [path for path in ROOT.glob("**/*.py") if '" \n' in path.read_text(encoding="utf-8")]
    for path in broken:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert '" \n' not in node.value, path
