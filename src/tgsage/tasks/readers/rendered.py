"""Rendered objects on unrelated backgrounds: the embedded default."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...rendering import CATEGORIES, render
from ..split import keep_classes
from ..task import Part, Task

if TYPE_CHECKING:
    from ...config.task import RenderedObjects


def read(settings: RenderedObjects, _data_root: Path, _scratch: Path | None = None) -> Task:
    """Render a task; each part is a stream of its own, so that no image is in two.

    Raises
    ------
    TgsageError
        If a class is unknown or named twice.
    """
    wanted = settings.classes
    per_block = len(CATEGORIES if wanted is None else wanted)

    def part(stream: str, n: int) -> Part:
        # Every block of 8 images of a stream has every category once.
        drawn = render(
            max(1, -(-n // max(1, per_block))) * len(CATEGORIES),
            resolution=settings.resolution,
            variation=settings.variation,
            seed=settings.seed,
            stream=stream,
        )
        whole = Part(drawn.images, drawn.category.astype(np.int64))
        kept = keep_classes(whole, CATEGORIES, wanted, "task.classes")
        return Part(kept.images[:n], kept.labels[:n])

    return Task(
        name="rendered",
        train=part("train", settings.n_train),
        validation=part("validation", settings.n_validation),
        test=part("test", settings.n_test),
        classes=tuple(wanted or CATEGORIES),
        simulated=True,
    )
