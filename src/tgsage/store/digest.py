"""Digests of logical content: of values, of arrays, and of the code of a stage."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

PACKAGE = "tgsage"


def digest(*values: Any) -> str:
    """Return a hexadecimal SHA-256 of values, independent of how any file stores them.

    Parameters
    ----------
    *values
        JSON-like values, numpy arrays (dtype kind, item size, shape and content count; byte order does
        not), bytes, or nested mappings and sequences of these. Keys of mappings are sorted.
    """
    state = hashlib.sha256()
    for value in values:
        _feed(state, value)
    return state.hexdigest()


def _feed(state: Any, value: Any) -> None:
    if isinstance(value, np.ndarray):
        array = value
        if array.dtype.kind in "OUT":
            _feed(state, [str(item) for item in array.ravel()])
            state.update(f"shape{array.shape}".encode())
            return
        array = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"), copy=False))
        state.update(f"array:{array.dtype.kind}{array.dtype.itemsize}{array.shape}:".encode())
        state.update(array.tobytes() if array.size == 0 else memoryview(array).cast("B"))
    elif isinstance(value, np.generic):
        _feed(state, value.item())
    elif isinstance(value, bytes):
        state.update(b"bytes:%d:" % len(value) + value)
    elif isinstance(value, Mapping):
        state.update(b"{")
        for key in sorted(value, key=str):
            _feed(state, str(key))
            _feed(state, value[key])
        state.update(b"}")
    elif isinstance(value, list | tuple):
        state.update(b"[")
        for item in value:
            _feed(state, item)
        state.update(b"]")
    else:
        state.update(json.dumps(value, allow_nan=True).encode() + b";")


def seed_from(*values: Any) -> int:
    """Return a seed (63 bits) that is a hash of the values: independent streams for independent purposes."""
    return int(digest(*values)[:16], 16) >> 1


def stage_digest(*stages: str) -> str:
    """Digest the code that a stage runs, so that a workflow can see when it changed.

    The syntax trees, without docstrings and comments, of the stage's modules and of every module of this
    package that they import, directly or not. The import graph is read, nothing is executed.

    Parameters
    ----------
    *stages
        Dotted names under this package, e.g. ``"training"`` or ``"recordings.simulated"``.

    Raises
    ------
    ModuleNotFoundError
        If there is no such module.
    """
    modules: dict[str, str] = {}
    todo = [f"{PACKAGE}.{stage}" for stage in stages]
    while todo:
        name = todo.pop()
        if name in modules:
            continue
        path = _module_file(name)
        if path is None:
            raise ModuleNotFoundError(name)
        modules[name], imported = _read_module(name, path)
        # Importing a.b.c runs a and a.b as well.
        parents = [name.rsplit(".", depth)[0] for depth in range(1, name.count(".") + 1)]
        todo += [*imported, *parents]
    return digest(sorted(modules.items()))[:16]


def _module_file(name: str) -> Path | None:
    root = _package_root()
    base = root.joinpath(*name.split(".")[1:])
    for candidate in (base / "__init__.py", base.with_suffix(".py")):
        if candidate.is_file():
            return candidate
    return None


@functools.cache
def _package_root() -> Path:
    specification = importlib.util.find_spec(PACKAGE)
    assert specification is not None and specification.origin is not None
    return Path(specification.origin).parent


def _read_module(name: str, path: Path) -> tuple[str, set[str]]:
    return _parse_module(name, path, path.stat().st_mtime_ns, path.stat().st_size)


@functools.cache
def _parse_module(name: str, path: Path, _mtime: int, _size: int) -> tuple[str, set[str]]:
    """Return the digest of a module's syntax tree, and the modules of the package that it imports."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    imported: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names if alias.name.split(".")[0] == PACKAGE}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.rsplit(".", node.level - 1)[0] if node.level > 1 else package
                base = f"{above}.{base}" if base else above
            if base.split(".")[0] != PACKAGE:
                continue
            imported.add(base)
            # `from package import name`: the name may be a module.
            imported |= {f"{base}.{alias.name}" for alias in node.names}
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and node.body
            and _is_docstring(node.body[0])
        ):
            node.body = node.body[1:]
        # Documentation of attributes: a bare string below the assignment.
        if isinstance(node, ast.ClassDef):
            node.body = [statement for statement in node.body if not _is_docstring(statement)]
    found = {module for module in imported if _module_file(module) is not None}
    return digest(ast.dump(tree)), found


def _is_docstring(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )
