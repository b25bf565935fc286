"""What turns the measurements of candidates into scores."""

from __future__ import annotations

from typing import Literal

from .base import Field, Section


class Guidance(Section):
    """What turns a candidate's measurements into its score."""

    name: Literal["p_plus_tg", "p_only", "tg_only"] = "p_plus_tg"
    """Selects this one."""
    alpha: float = Field(default=1.0, ge=0)
    """Weight of teacher guidance in P + alpha * TG (Bashivan et al. 2019 use 1)."""
