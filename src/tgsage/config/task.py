"""Which labelled images the candidates learn."""

from __future__ import annotations

from typing import Annotated, Literal

from .base import Field, Section


class Task(Section):
    """What every task has. Its three parts are disjoint and stratified by class."""

    resolution: int = Field(default=32, ge=8)
    """Side of the images in pixels; other sizes are resized."""
    seed: int = Field(default=0, ge=0)
    """Seed of the split (and of the rendering, where images are rendered)."""
    classes: list[str] | None = None
    """Keep these classes only; null keeps all."""
    n_train: int | None = Field(default=None, ge=1)
    """Training images; null takes what the other parts leave."""
    n_validation: int = Field(default=800, ge=1)
    """Images on which the search is rewarded."""
    n_test: int | None = Field(default=None, ge=1)
    """Test images; null takes all that are published as test images."""


class RenderedObjects(Task):
    """Rendered objects of 8 categories on unrelated 1/f backgrounds, in the manner of HvM."""

    source: Literal["rendered"]
    """Selects this layout."""
    n_train: int = Field(default=4000, ge=8)
    """Training images."""
    n_test: int = Field(default=2000, ge=8)
    """Images that test the winner, once."""
    variation: Literal["low", "medium", "high"] = "high"
    """Range of position, size and pose."""


class Cifar10(Task):
    """CIFAR-10 from its standard python pickles."""

    source: Literal["cifar10"]
    """Selects this layout."""
    folder: str = "cifar-10-batches-py"
    """Folder of the published files; relative paths are looked for in the data folder."""
    n_validation: int = Field(default=2000, ge=1)
    """Images on which the search is rewarded."""


TaskSource = Annotated[RenderedObjects | Cifar10, Field(discriminator="source")]
