"""Settings of teachers from recordings."""

from __future__ import annotations

from typing import ClassVar, Literal

from ....plugins import Field, register
from ...settings import Geometry, RdmMetric, RecordedTargets, Splits


@register
class RecordedTeacher(RecordedTargets):
    """Target RDMs from recordings."""

    code: ClassVar[str] = "tgsage.teacher.kinds.recordings.teacher:make"

    kind: Literal["recordings"]
    """Selects this kind."""
    metric: RdmMetric = "correlation"
    """Dissimilarity of two response patterns."""
    zscore: bool = True
    """Z-score every site over stimuli, so that the gain of a site does not weight it."""
    rdm: Literal["image", "category"] = "image"
    """One RDM entry per pair of images, or per pair of categories (patterns are averaged first)."""
    geometry: Geometry = Geometry()
    """How stimuli reach a network's input."""
    splits: Splits = Splits()
    """Which stimuli choose, reward and report."""
    ceiling_splits: int = Field(default=20, ge=2)
    """Random halvings of the repetitions that a noise ceiling averages."""
    n_sites: int | None = Field(default=None, ge=3)
    """Control: use this many sites of every region, drawn by ``control_seed``; null uses all."""
    noise: bool = False
    """Control: replace the responses by noise that has their mean, covariance and reliability."""
    control_seed: int = Field(default=0, ge=0)
    """Seed of the two controls above."""
