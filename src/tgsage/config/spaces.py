"""Which architectures may be proposed."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import model_validator

from .base import Field, Section


class CellSpace(Section):
    """NASNet/PNAS-style cells: blocks of two inputs and two operations, stacked with reductions."""

    name: Literal["cell"]
    """Selects this one."""
    blocks: int = Field(default=5, ge=1, le=6)
    """Blocks per cell."""
    repeats: int = Field(default=1, ge=1)
    """Normal cells between reductions (N)."""
    width: int = Field(default=16, ge=4)
    """Channels of every operation in the first stack; doubled at each reduction that follows."""
    reductions: int = Field(default=2, ge=0, le=6)
    """Number of reduction cells between stacks."""
    stem_reductions: int = Field(default=0, ge=0, le=4)
    """Reduction cells between the stem and the first stack; the last has half of ``width``, the one before
    it a quarter (NASNet has two of them for ImageNet)."""
    drop_reductions: int = Field(default=0, ge=0)
    """Leave out the first reduction cells, counted from the stem: Bashivan et al. 2019 dropped the first two
    while searching on 64 x 64 pixels."""
    stem_stride: Literal[1, 2] = 1
    """Stride of the stem convolution."""
    separate_reduction: bool = False
    """Search the reduction cell apart (NASNet); otherwise it is the cell with stride 2 (PNAS)."""
    separable_twice: bool = False
    """Apply separable convolutions twice in a row, as NASNet and PNAS do; once is about half the cost."""

    @model_validator(mode="after")
    def _enough_reductions(self) -> CellSpace:
        if self.drop_reductions > self.reductions + self.stem_reductions:
            raise ValueError(
                f"drop_reductions: {self.drop_reductions} is more than the "
                f"{self.reductions + self.stem_reductions} reduction cells that there are"
            )
        return self


class NasBench201Space(Section):
    """The 15,625 cells of NAS-Bench-201 (Dong and Yang 2020) in the benchmark's macro skeleton."""

    name: Literal["nasbench201"]
    """Selects this one."""
    width: int = Field(default=16, ge=1)
    """Channels of the first stack (C); 16 in the published networks. Doubled twice."""
    repeats: int = Field(default=5, ge=1)
    """Cells per stack (N); 5 in the published networks."""
    probes: Literal["cells", "stages"] = "cells"
    """Probe every cell and residual block, or only the last cell of each of the three stacks."""


class ConvNetSpace(Section):
    """What the convnets of Zoph and Le 2017 have in common: options of every layer."""

    heights: tuple[int, ...] = (1, 3, 5, 7)
    """Filter heights, odd."""
    widths: tuple[int, ...] = (1, 3, 5, 7)
    """Filter widths, odd."""
    filters: tuple[int, ...] = (24, 36, 48, 64)
    """Numbers of filters."""
    strides: tuple[int, ...] = (1, 2, 3)
    """Strides to choose from."""

    @model_validator(mode="after")
    def _options(self) -> ConvNetSpace:
        for field in ("heights", "widths", "filters", "strides"):
            options = getattr(self, field)
            if not options or min(options) < 1 or len(set(options)) < len(options):
                raise ValueError(f"{field}: needs at least one option, all different and positive")
            if field in ("heights", "widths") and any(option % 2 == 0 for option in options):
                raise ValueError(f"{field}: filter sizes must be odd")
        return self

    layers: ClassVar[int]
    """Number of layers."""


class ConvNet10Space(ConvNetSpace):
    """Convnets of 10 layers with searched skip connections."""

    name: Literal["convnet10"]
    """Selects this one."""

    layers: ClassVar[int] = 10


class ConvNet20Space(ConvNetSpace):
    """Convnets of 20 layers with searched skip connections."""

    name: Literal["convnet20"]
    """Selects this one."""

    layers: ClassVar[int] = 20


ListedSpaceSource = Annotated[
    CellSpace | NasBench201Space | ConvNet10Space | ConvNet20Space, Field(discriminator="name")
]


class ListSpace(Section):
    """A list of architectures of another space."""

    name: Literal["list"]
    """Selects this one."""
    file: str
    """csv or JSON; a relative path is looked for in the working folder, then in the data folder."""
    column: str = "architecture"
    """Column of the csv, or key of the JSON objects, that holds the architecture."""
    of: ListedSpaceSource
    """The space that the listed architectures are of."""


SpaceSource = Annotated[
    CellSpace | NasBench201Space | ConvNet10Space | ConvNet20Space | ListSpace,
    Field(discriminator="name"),
]
