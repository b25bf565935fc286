"""Reading the pickles in which CIFAR is published, without executing what they name."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import TgsageError
from .published import checked_labels

SIDE = 32

# What numpy arrays and scalars are rebuilt from; the first name is that of numpy 1, which wrote the files.
_ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy.core.multiarray", "scalar"),
    ("numpy._core.multiarray", "scalar"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
}

_DAMAGED = (
    *(OSError, EOFError, ValueError, TypeError, LookupError, AttributeError, MemoryError),
    pickle.UnpicklingError,
)


class _ArraysOnly(pickle.Unpickler):
    """An unpickler that allows the functions that rebuild numpy arrays, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"names {module}.{name}, which an image file has no need of")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def read_pickle(path: Path) -> dict[str, Any]:
    """Read a dictionary of plain values and arrays.

    Keys are text, whether they were written by Python 2 or 3.

    Raises
    ------
    TgsageError
        If the file is missing or truncated, names anything but numpy's array rebuilders, or is no dictionary.
    """
    try:
        with open(path, "rb") as handle:
            content = _ArraysOnly(handle, encoding="bytes").load()
    except FileNotFoundError:
        raise TgsageError(
            f"{path}: no such file; put the published python version there, or point TGSAGE_DATA to it"
        ) from None
    except _DAMAGED as error:
        reason = str(error) or type(error).__name__
        raise TgsageError(
            f"{path}: is truncated or not what was published ({reason}); download it again"
        ) from None
    if not isinstance(content, dict):
        raise TgsageError(f"{path}: holds a {type(content).__name__} and no dictionary; download it again")
    return {as_text(key): value for key, value in content.items()}


def field(content: dict[str, Any], name: str, path: Path) -> Any:
    """Return an entry of a pickled dictionary; raise if the file lacks it."""
    if name not in content:
        raise TgsageError(
            f"{path}: has no {name!r}; is it the python version? It holds: {', '.join(content)}"
        )
    return content[name]


def batch(path: Path, n_classes: int, labels: str = "labels") -> tuple[np.ndarray, np.ndarray]:
    """Read the images of a CIFAR file, uint8 (n, 32, 32, 3), and their labels, from 0 to ``n_classes`` - 1.

    Raises
    ------
    TgsageError
        If the file is missing, truncated or of the wrong shape, or a label is out of range.
    """
    content = read_pickle(path)
    data = np.asarray(field(content, "data", path))
    if data.dtype != np.uint8 or data.ndim != 2 or data.shape[1] != 3 * SIDE * SIDE:
        raise TgsageError(
            f"{path}: data are {data.dtype} {data.shape}, not uint8 (n, {3 * SIDE * SIDE}); download it again"
        )
    # The file has an image's channels one after the other.
    images = np.ascontiguousarray(data.reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1))
    return images, checked_labels(field(content, labels, path), len(images), n_classes, path)


def as_text(value: Any) -> str:
    """Return a text that may have been written by Python 2."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
