"""Render a task."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...tasks.split import keep_classes
from ...tasks.task import Part, Task
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
    return Task(
        name="rendered",
        train=_part(settings, "train", settings.n_train),
        validation=_part(settings, "validation", settings.n_validation),
        test=_part(settings, "test", settings.n_test),
        classes=tuple(settings.classes or CATEGORIES),
        simulated=True,
    )


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
    part = keep_classes(Part(rendered.images, rendered.category), CATEGORIES, wanted, "task.classes")
    return Part(part.images[:n], part.labels[:n])
