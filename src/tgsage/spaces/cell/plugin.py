"""Settings of the space of cells."""

from typing import ClassVar, Literal, Self

from pydantic import model_validator

from ...plugins import Field, register
from ..settings import SpaceSettings


@register
class CellSettings(SpaceSettings):
    """NASNet/PNAS-style cells: blocks of two inputs and two operations, stacked with reductions."""

    code: ClassVar[str] = "tgsage.spaces.cell.space:CellSpace"
    label: ClassVar[str] = "cells"

    name: Literal["cell"]
    """Selects this one."""
    blocks: int = Field(default=5, ge=1, le=6)
    """Blocks per cell."""
    repeats: int = Field(default=1, ge=1)
    """Normal cells between reductions (N)."""
    width: int = Field(default=16, ge=4)
    """Channels of every operation in the first stack; doubled at each reduction cell after it."""
    reductions: int = Field(default=2, ge=0, le=6)
    """Number of reduction cells between stacks."""
    stem_reductions: int = Field(default=0, ge=0, le=4)
    """Reduction cells between the stem and the first stack. The last has half of ``width``, the one before it
    a quarter; NASNet has two of them for ImageNet."""
    drop_reductions: int = Field(default=0, ge=0)
    """Leave out this many reduction cells, counted from the stem: Bashivan et al. 2019 dropped the first two
    while searching on 64 x 64 pixels."""
    stem_stride: Literal[1, 2] = 1
    """Stride of the stem convolution."""
    separate_reduction: bool = False
    """Search the reduction cell separately (NASNet); otherwise it is the normal cell with stride 2 (PNAS)."""
    separable_twice: bool = False
    """Apply separable convolutions twice in a row, as NASNet and PNAS do; once is about half the cost."""

    @model_validator(mode="after")
    def _enough_reductions(self) -> Self:
        if self.drop_reductions > self.reductions + self.stem_reductions:
            raise ValueError(
                f"drop_reductions: {self.drop_reductions} is more than the "
                f"{self.reductions + self.stem_reductions} reduction cells that there are"
            )
        return self
