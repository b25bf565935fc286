"""Figures of the package, in the order in which a page shows those of the same thing."""

from typing import ClassVar, Literal

from ...plugins import register
from ..settings import FigureSettings


@register
class Trajectory(FigureSettings):
    """Accuracy, teacher guidance and score of every candidate in order, and the best so far."""

    name: Literal["trajectory"]
    code: ClassVar = "tgsage.plots.figures.trajectory:trajectory_drawings"
    of: ClassVar = "search"
    position: ClassVar = 10


@register
class PAgainstTg(FigureSettings):
    """Accuracy against teacher guidance, one point a candidate."""

    name: Literal["p_against_tg"]
    code: ClassVar = "tgsage.plots.figures.p_against_tg:p_against_tg_drawings"
    of: ClassVar = "search"
    position: ClassVar = 20


@register
class Layers(FigureSettings):
    """Similarity of every layer with every target, after the final training and at each checkpoint."""

    name: Literal["layers"]
    code: ClassVar = "tgsage.plots.figures.layers:layers_drawings"
    of: ClassVar = "search"
    position: ClassVar = 30


@register
class Similarity(FigureSettings):
    """Similarity of the final network beside the teacher's noise ceilings."""

    name: Literal["similarity"]
    code: ClassVar = "tgsage.plots.figures.ceilings:similarity_drawings"
    of: ClassVar = "search"
    position: ClassVar = 50


@register
class SearchRdms(FigureSettings):
    """The teacher's RDMs above those of the final network."""

    name: Literal["rdms"]
    code: ClassVar = "tgsage.plots.figures.rdms:search_rdms_drawings"
    of: ClassVar = "search"
    position: ClassVar = 60


@register
class Cell(FigureSettings):
    """The cell that won."""

    name: Literal["cell"]
    code: ClassVar = "tgsage.plots.figures.cell:cell_drawings"
    of: ClassVar = "search"
    position: ClassVar = 70


@register
class TeacherRdms(FigureSettings):
    """A teacher's RDMs."""

    name: Literal["teacher_rdms"]
    code: ClassVar = "tgsage.plots.figures.rdms:teacher_rdms_drawings"
    of: ClassVar = "teacher"
    position: ClassVar = 10


@register
class Ceilings(FigureSettings):
    """Noise ceilings of a teacher."""

    name: Literal["ceilings"]
    code: ClassVar = "tgsage.plots.figures.ceilings:ceilings_drawings"
    of: ClassVar = "teacher"
    position: ClassVar = 20


@register
class Reliability(FigureSettings):
    """Split-half reliability of recorded sites."""

    name: Literal["reliability"]
    code: ClassVar = "tgsage.plots.figures.reliability:reliability_drawings"
    of: ClassVar = "teacher"
    position: ClassVar = 30


@register
class Stimuli(FigureSettings):
    """How each target arranges its stimuli."""

    name: Literal["stimuli"]
    code: ClassVar = "tgsage.plots.figures.stimuli:stimuli_drawings"
    of: ClassVar = "teacher"
    position: ClassVar = 40


@register
class Comparison(FigureSettings):
    """What each arm found after how many training examples."""

    name: Literal["comparison"]
    code: ClassVar = "tgsage.plots.figures.comparison:comparison_drawings"
    of: ClassVar = "comparison"
    position: ClassVar = 10
