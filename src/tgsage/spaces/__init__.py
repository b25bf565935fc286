"""Search spaces: named choices, architectures, and the torch modules they stand for.

>>> space = get("cell", blocks=3)
>>> arch = space.sample(numpy.random.default_rng(0))
>>> module = space.build(arch, n_classes=10)

What chooses among the spaces is loaded when it is first used, and by name: the digest of one space's code
(:func:`tgsage.store.stage_digest` of ``spaces.cell``) must not change with the list of all spaces.
"""

from __future__ import annotations

import importlib
from typing import Any

from .base import Architecture, Space

_REGISTRY = ("NAMES", "draw_graph", "get", "source_digest", "stage_modules", "with_overrides")

__all__ = ["Architecture", "Space", *_REGISTRY]


def __getattr__(name: str) -> Any:
    if name in _REGISTRY:
        return getattr(importlib.import_module(f"{__name__}.registry"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
