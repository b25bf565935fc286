"""Figures: each a function from data to a matplotlib ``Figure``, and functions that draw all of a stage.

No figure touches matplotlib's global state or pyplot; every file is the same, byte for byte, for the same
data and the same versions.
"""

from .arms import comparison
from .candidates import p_against_tg, trajectory
from .cells import cell
from .draw import (
    arm_figures,
    comparison_drawing,
    search_drawings,
    similarity_intervals,
    teacher_drawings,
    teacher_figures,
)
from .similarity import layers, rdms
from .style import Drawing, save
from .teachers import ceilings, reliability, stimuli

__all__ = [
    "Drawing",
    "arm_figures",
    "ceilings",
    "cell",
    "comparison",
    "comparison_drawing",
    "layers",
    "p_against_tg",
    "rdms",
    "reliability",
    "save",
    "search_drawings",
    "similarity_intervals",
    "stimuli",
    "teacher_drawings",
    "teacher_figures",
    "trajectory",
]
