"""Settings of the task of rendered objects."""

from typing import ClassVar, Literal

from ...plugins import Field, register
from ...tasks.settings import TaskSettings


@register
class RenderedObjects(TaskSettings):
    """Rendered objects of 8 categories on unrelated 1/f backgrounds, in the manner of HvM."""

    code: ClassVar[str] = "tgsage.demo.rendered_objects.reader"
    label: ClassVar[str] = "rendered objects"
    has_files: ClassVar[bool] = False

    source: Literal["rendered"]
    """Selects this layout."""
    n_train: int = Field(default=4000, ge=8)
    """Training images."""
    n_validation: int = Field(default=800, ge=1)
    """Images on which the search is rewarded."""
    n_test: int = Field(default=2000, ge=8)
    """Images that test the winner, once."""
    variation: Literal["low", "medium", "high"] = "high"
    """Range of position, size and pose."""
