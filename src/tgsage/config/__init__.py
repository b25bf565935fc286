"""Typed configuration. Each part's settings have a module of their own, so that a part depends on its own only."""

from __future__ import annotations

from typing import Any

__all__ = ["RunConfig", "load"]


def __getattr__(name: str) -> Any:
    # Imported on demand: the digest of a stage must not contain the settings of every other stage.
    if name in __all__:
        from . import run

        return getattr(run, name)
    raise AttributeError(name)
