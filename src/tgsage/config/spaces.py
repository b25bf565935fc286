"""Which architectures may be proposed."""

from __future__ import annotations

from typing import Literal

from .base import Field, Section


class CellSpace(Section):
    """NASNet/PNAS-style cells: blocks of two inputs and two operations, stacked with reductions."""

    name: Literal["cell"]
    blocks: int = Field(default=5, ge=1, le=5)
    """Blocks per cell."""
    repeats: int = Field(default=1, ge=1)
    """Normal cells between reductions (N)."""
    width: int = Field(default=16, ge=4)
    """Channels of every operation in the first stack; doubled at each reduction."""
    reductions: int = Field(default=2, ge=0)
    """Number of reduction cells."""
    stem_stride: Literal[1, 2] = 1
    """Stride of the stem convolution."""
    separate_reduction: bool = False
    """Search the reduction cell apart (NASNet); otherwise it is the cell with stride 2 (PNAS)."""


