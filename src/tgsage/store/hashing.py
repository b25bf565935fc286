"""Digests of logical content: of values and of arrays."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np


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
        state.update(array.tobytes() if array.size == 0 else array.view(np.uint8).data)
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
