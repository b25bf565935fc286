"""Settings of the space of NAS-Bench-201."""

from typing import ClassVar, Literal

from ...plugins import Field, register
from ..settings import SpaceSettings


@register
class NasBench201Settings(SpaceSettings):
    """The 15,625 cells of NAS-Bench-201 (Dong and Yang 2020) in the benchmark's macro skeleton."""

    code: ClassVar[str] = "tgsage.spaces.nasbench201.space:NasBench201Space"
    label: ClassVar[str] = "NAS-Bench-201"
    dense: ClassVar[bool] = True
    notation: ClassVar[str] = "|"

    name: Literal["nasbench201"]
    """Selects this one."""
    width: int = Field(default=16, ge=1)
    """Channels of the first stack (C); 16 in the published networks. Doubled twice."""
    repeats: int = Field(default=5, ge=1)
    """Cells per stack (N); 5 in the published networks."""
    probes: Literal["cells", "stages"] = "cells"
    """Probe every cell and residual block, or only the last cell of each of the three stacks."""
