"""Variables of MATLAB files from outside, read by scipy in a process of its own.

A damaged file can make ``scipy.io.loadmat`` (1.17.1) end its process with a segmentation fault or ask for
more memory than there is. The child process is limited in time, memory and the size of what it writes. It
hands over plain arrays in an npz file and their arrangement as JSON. Nothing that comes back is unpickled.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from ..errors import TgsageError

MAX_SECONDS = 120
MAX_MEMORY_BYTES = 4 * 2**30
"""Address space of the child, and the size of what it may write."""
MAX_DEPTH = 16
"""Levels of nested structs and cells."""

Variable: TypeAlias = "NDArray[Any] | list[Variable] | dict[str, Variable]"
"""Numbers or text; a cell array as the list of its elements; a struct array as a list of dictionaries."""

_COMMAND = f"from {__name__} import convert; convert()"


def read_variables(content: bytes, names: Sequence[str], where: str) -> dict[str, Variable]:
    """Read some variables of a MATLAB file up to version 7, of its bytes; messages call it ``where``.

    Returns
    -------
    dict
        Number arrays in their type and shape, and text as an array (rows,) of str. A struct array is the list
        of its elements in C order, each a dictionary, and a cell array the list of its elements.

    Raises
    ------
    TgsageError
        If the file is of version 7.3 (HDF5), is truncated or damaged, lacks a variable, or has one that is
        neither numbers nor text nor made of these; if reading it takes too long or too much memory.
    """
    if b"\x89HDF" in (content[:4], content[512:516]):
        raise TgsageError(
            f"{where}: is a MATLAB 7.3 file (HDF5), not the MATLAB 5 file that was published; save it again "
            "with save(..., '-v7')"
        )
    with tempfile.TemporaryDirectory() as folder:
        problem = _run(content, names, Path(folder))
        if not problem:
            try:
                answer = json.loads((Path(folder) / "answer.json").read_text(encoding="utf-8"))
                problem = answer["problem"]
                with np.load(Path(folder) / "arrays.npz", allow_pickle=False) as file:
                    arrays = [file[f"arr_{index}"] for index in range(len(file.files))]
                if not problem:
                    return {name: _arranged(answer["variables"][name], arrays) for name in names}
            except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
                problem = f"cannot be read as a MATLAB file, truncated or damaged ({error})"
    raise TgsageError(f"{where}: {' '.join(problem.split())}")


def convert() -> None:
    """Read a file from stdin and write ``arrays.npz`` and ``answer.json``. The child process runs this."""
    import resource

    import scipy.io

    folder, limit, *names = sys.argv[1:]
    for kind in (resource.RLIMIT_AS, resource.RLIMIT_FSIZE):
        resource.setrlimit(kind, (int(limit), int(limit)))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    arrays: list[NDArray[Any]] = []
    variables: dict[str, Any] = {}
    problem = ""
    try:
        stream = io.BytesIO(sys.stdin.buffer.read())
        content = scipy.io.loadmat(stream, variable_names=names)
        missing = next((name for name in names if name not in content), None)
        if missing is not None:
            stream.seek(0)
            names_there = ", ".join(row[0] for row in scipy.io.whosmat(stream)) or "none"
            problem = f"has no {missing}; is this the published file? Its variables are {names_there}"
        else:
            variables = {name: _flattened(content[name], name, arrays) for name in names}
    except MemoryError:
        problem = f"cannot be read as a MATLAB file: needs more than {int(limit) >> 20} MiB of memory"
    except _UnusableVariable as error:
        problem = str(error)
    except Exception as error:  # whatever scipy's parser stumbles over
        problem = f"cannot be read as a MATLAB file, truncated or damaged ({error})"
    np.savez(Path(folder, "arrays.npz"), *arrays)
    answer = {"problem": problem, "variables": variables}
    Path(folder, "answer.json").write_text(json.dumps(answer), encoding="utf-8")


class _UnusableVariable(Exception):
    """A variable that was read and is not made of plain arrays."""


def _run(content: bytes, names: Sequence[str], folder: Path) -> str:
    """Run the child and return what went wrong with it, or an empty text."""
    # Each thread of a BLAS would reserve address space.
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    command = [sys.executable, "-P", "-c", _COMMAND, str(folder), str(MAX_MEMORY_BYTES), *names]
    try:
        done = subprocess.run(
            command, input=content, capture_output=True, env=environment, timeout=MAX_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return f"cannot be read as a MATLAB file, damaged: it takes more than {MAX_SECONDS} s"
    if done.returncode:
        last = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        reason = last or f"its reader ended with status {done.returncode}"
        return f"cannot be read as a MATLAB file, truncated or damaged ({reason})"
    return ""


def _flattened(value: Any, name: str, arrays: list[NDArray[Any]], depth: int = 0) -> Any:
    """Append the arrays in a variable to a list, and return its structure with their indices instead."""
    # Objects and functions are subclasses, and sparse matrices are no arrays.
    if type(value) is not np.ndarray or depth > MAX_DEPTH:
        raise _UnusableVariable(f"{name} is a {type(value).__name__}, not a plain array")
    if value.dtype.names is not None:
        fields = [(field, f"{name}.{field}") for field in value.dtype.names]
        return [
            {field: _flattened(row[field], full, arrays, depth + 1) for field, full in fields}
            for row in value.ravel()
        ]
    if value.dtype == object:
        return [_flattened(item, f"{name}{{}}", arrays, depth + 1) for item in value.ravel()]
    arrays.append(value)
    return len(arrays) - 1


def _arranged(structure: Any, arrays: list[NDArray[Any]]) -> Variable:
    if isinstance(structure, list):
        return [_arranged(item, arrays) for item in structure]
    if isinstance(structure, dict):
        return {key: _arranged(item, arrays) for key, item in structure.items()}
    return arrays[cast(int, structure)]
