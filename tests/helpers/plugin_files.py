"""Plugins in files, registered for the time of a test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tgsage.config import run
from tgsage.plugins import registry


@contextmanager
def registered(*files: str) -> Iterator[None]:
    """Register the plugins in these files, and forget them afterwards."""
    registry.every("space")
    before = {kind: dict(names) for kind, names in registry._REGISTRY.items()}
    schema = run.RunConfig.__pydantic_core_schema__
    try:
        registry.load_files(files)
        yield
    finally:
        for kind, names in before.items():
            registry._REGISTRY[kind].clear()
            registry._REGISTRY[kind].update(names)
        registry._FILES.clear()
        registry._rebuild_choices()
        if run.RunConfig.__pydantic_core_schema__ is not schema:
            run._rebuild(run.RunConfig)
