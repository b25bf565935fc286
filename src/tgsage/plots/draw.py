"""All figures of a search, a teacher or a comparison, and a folder of them with their words."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import plugins, recordings, spaces
from ..errors import TgsageError
from ..runs import search_files
from ..runs.records import read_json
from ..spaces.base import Space
from ..store import write_json
from ..teacher import load as load_teacher
from . import style
from .data import ComparisonData, SearchData, TeacherData
from .settings import FigureSettings
from .style import Drawing

if TYPE_CHECKING:
    from ..spaces.settings import SpaceSettings

PathLike = str | os.PathLike[str]

LIST = "figures.json"
"""A folder's list: ``figures``, each with ``name``, ``caption``, ``alt``, ``width`` and ``on_page``."""


def drawings(data: SearchData | TeacherData | ComparisonData) -> list[Drawing]:
    """Draw every registered figure of a search, a teacher or a comparison, in the order of the page.

    Raises
    ------
    TgsageError
        If two figures have the same file name.
    """
    figures = [
        figure
        for figure in plugins.every("figure")
        if issubclass(figure, FigureSettings) and figure.of == data.of
    ]
    drawn: dict[str, Drawing] = {}
    for figure in sorted(figures, key=lambda figure: (figure.position, figure.plugin_name())):
        for drawing in figure.load()(data):
            if drawing.name in drawn:
                raise TgsageError(
                    f"figure {figure.plugin_name()}: another figure has the file name {drawing.name!r}; "
                    "choose another one"
                )
            drawn[drawing.name] = drawing
    return list(drawn.values())


def search_figures(  # noqa: PLR0913 - the files of a search
    figures: PathLike,
    *,
    settings: PathLike,
    ledger: PathLike,
    finalists: PathLike,
    final: PathLike,
    training: PathLike,
    rsa: PathLike,
    rdms: PathLike,
    space: Space | SpaceSettings,
    teacher_file: PathLike | None = None,
    n_validation: int | None = None,
) -> None:
    """Draw every figure of a finished search.

    Parameters
    ----------
    figures
        The folder to write: svg and png of each figure, and their list.
    settings, ledger, finalists, final, training, rsa, rdms
        The search's files: :meth:`tgsage.runs.layout.SearchFolder.finished`.
    space
        A space, or its settings: it draws the winning cell.
    teacher_file
        The teacher that guided, or was observed; None without one.
    n_validation
        Number of validation images; draws Wilson's intervals of accuracies.
    """
    search = search_files.read_files(
        settings=settings,
        ledger=ledger,
        finalists=finalists,
        final=final,
        training=training,
        rsa=rsa,
        rdms=rdms,
    )
    teacher = None if teacher_file is None else load_teacher(teacher_file)
    built = space if isinstance(space, Space) else spaces.get(space)
    write(drawings(SearchData(search, teacher, built, n_validation)), figures)


def teacher_figures(figures: PathLike, *, teacher_file: PathLike, datasets: Sequence[PathLike] = ()) -> None:
    """Draw every figure of a teacher.

    Parameters
    ----------
    figures
        The folder to write: svg and png of each figure, and their list.
    teacher_file
        The teacher.
    datasets
        Files of the data sets that it was made from. The reliability of sites is drawn from the recordings
        among them (``assembly.nc``), where stimuli were repeated.
    """
    assemblies = [Path(file) for file in datasets if Path(file).name == "assembly.nc"]
    loaded = {path.parent.name: recordings.load(path) for path in assemblies}
    write(drawings(TeacherData(load_teacher(teacher_file), loaded)), figures)


@dataclass(frozen=True)
class Picture:
    """A drawn figure with its words, as in :class:`tgsage.plots.Drawing`; the width is in inches."""

    name: str
    svg: bytes
    width: float
    caption: str
    alt: str
    on_page: bool


def picture(drawing: Drawing) -> Picture:
    """Return a drawing as SVG with its words."""
    return Picture(svg=style.svg(drawing.figure), **_entry(drawing))


def _entry(drawing: Drawing) -> dict[str, Any]:
    words = {name: getattr(drawing, name) for name in ("name", "caption", "alt", "on_page")}
    return {**words, "width": drawing.figure.get_figwidth()}


def write(drawn: Sequence[Drawing], folder: PathLike) -> None:
    """Write each drawing as svg and png, and the list of them."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    for drawing in drawn:
        style.save(drawing.figure, Path(folder) / drawing.name)
    write_json(Path(folder) / LIST, {"figures": [_entry(drawing) for drawing in drawn]})


def read(folder: PathLike) -> list[Picture]:
    """Read a folder of figures, in the order of its list.

    Raises
    ------
    TgsageError
        If the list or a figure is missing or broken.
    """
    path = Path(folder) / LIST
    try:
        return [
            Picture(svg=(path.parent / f"{entry['name']}.svg").read_bytes(), **entry)
            for entry in read_json(path)["figures"]
        ]
    except (KeyError, TypeError, FileNotFoundError) as error:
        raise TgsageError(f"{path}: does not fit the figures beside it ({error}); draw them again") from None
