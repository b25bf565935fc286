"""All figures of a search, of a teacher, or of a comparison: what the workflow and the page ask for."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .. import plugins, recordings, spaces
from ..errors import TgsageError
from ..runs import search_files
from ..spaces.base import Space
from ..teacher import load as load_teacher
from . import gallery
from .data import ComparisonData, SearchData, TeacherData
from .settings import FigureSettings
from .style import Drawing

if TYPE_CHECKING:
    from ..spaces.settings import SpaceSettings

PathLike = str | os.PathLike[str]


def drawings(data: SearchData | TeacherData | ComparisonData) -> list[Drawing]:
    """Draw every registered figure of a search, of a teacher, or of a comparison.

    Returns
    -------
    list
        In the order in which the page shows them.

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
    figures.sort(key=lambda figure: (figure.position, figure.plugin_name()))
    drawn: dict[str, Drawing] = {}
    for figure in figures:
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
) -> list[Path]:
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

    Returns
    -------
    list
        The files of the figures.
    """
    teacher = None if teacher_file is None else load_teacher(teacher_file)
    built = space if isinstance(space, Space) else spaces.get(space)
    search = search_files.read_files(
        settings=settings,
        ledger=ledger,
        finalists=finalists,
        final=final,
        training=training,
        rsa=rsa,
        rdms=rdms,
    )
    data = SearchData(search, teacher, built, n_validation)
    return gallery.write(drawings(data), Path(figures))


def teacher_figures(
    figures: PathLike, *, teacher_file: PathLike, datasets: Sequence[PathLike] = ()
) -> list[Path]:
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

    Returns
    -------
    list
        The files of the figures.
    """
    assemblies = [Path(file) for file in datasets if Path(file).name == "assembly.nc"]
    loaded = {path.parent.name: recordings.load(path) for path in assemblies}
    return gallery.write(drawings(TeacherData(load_teacher(teacher_file), loaded)), Path(figures))
