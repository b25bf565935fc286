"""Typed configuration; each part has a module of its own, so that it depends on its own settings only."""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["RunConfig", "load"]


def __getattr__(name: str) -> Any:
    # On demand, and not by an import statement: the digest of a stage, which reads those, must not contain
    # the settings of every other stage.
    if name in __all__:
        return getattr(importlib.import_module(f"{__name__}.run"), name)
    raise AttributeError(name)
