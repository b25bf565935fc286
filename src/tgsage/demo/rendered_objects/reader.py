"""Render a task."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...tasks.split import renumbering
from ...tasks.task import PARTS, Part, Task
from ..rendering import CATEGORIES, render

if TYPE_CHECKING:
    from .plugin import RenderedObjects


def read(settings: RenderedObjects, _root: Path, _scratch: Path | None = None) -> Task:
    """Render a task; each part is a stream of its own, so that no image is in two.

    Raises
    ------
    TgsageError
        If a class is unknown or named twice.
    """
    classes = tuple(settings.classes or CATEGORIES)
    parts = {part: _part(settings, part, getattr(settings, f"n_{part}")) for part in PARTS}
    return Task("rendered", classes=classes, simulated=True, **parts)


def _part(settings: RenderedObjects, stream: str, n: int) -> Part:
    wanted = settings.classes
    # Each block of 8 images of a stream shows every category once.
    per_block = len(CATEGORIES if wanted is None else wanted)
    rendered = render(
        max(1, -(-n // max(1, per_block))) * len(CATEGORIES),
        resolution=settings.resolution,
        variation=settings.variation,
        seed=settings.seed,
        stream=stream,
    )
    labels = renumbering(CATEGORIES, wanted, "task.classes")[rendered.category]
    keep = np.flatnonzero(labels >= 0)[:n]
    return Part(rendered.images[keep], labels[keep])
