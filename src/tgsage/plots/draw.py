"""All figures of a search, of a teacher, or of a comparison: what the workflow and the page ask for."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from .. import plugins, recordings, spaces
from ..errors import TgsageError
from ..netcdf import read_tree
from ..plugin_bases import SpaceSettings
from ..runs import search_files
from ..spaces.base import Space
from . import gallery
from .data import ComparisonData, SearchData, TeacherData
from .settings import FigureSettings
from .style import Drawing

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


def arm_figures(
    arm_folder: PathLike,
    teacher_path: PathLike | None,
    space: Space | SpaceSettings,
    out_folder: PathLike,
    *,
    n_validation: int | None = None,
) -> list[Path]:
    """Draw every figure of a finished search and write each as svg and png.

    Parameters
    ----------
    arm_folder
        ``results/<run>/search/<arm>/seed_<s>``, or ``…/<arm>``: then each seed has a folder in
        ``out_folder``.
    teacher_path
        The teacher that guided, or was observed; None without one.
    space
        A space, or its settings: it draws the winning cell.
    out_folder
        Is made.
    n_validation
        Number of validation images; draws Wilson's intervals of accuracies.

    Returns
    -------
    list
        The files of the figures.
    """
    teacher = None if teacher_path is None else read_tree(teacher_path)
    built = space if isinstance(space, Space) else spaces.get(space)
    written: list[Path] = []
    for folder in search_files.search_folders(arm_folder):
        out = Path(out_folder) if folder == Path(arm_folder) else Path(out_folder) / folder.name
        data = SearchData(search_files.read_search(folder), teacher, built, n_validation)
        written += gallery.write(drawings(data), out)
    return written


def teacher_figures(
    teacher_path: PathLike, *, assemblies: Sequence[PathLike] = (), out_folder: PathLike
) -> list[Path]:
    """Draw every figure of a teacher and write each as svg and png.

    Parameters
    ----------
    teacher_path
        ``teachers/<teacher>.nc``.
    assemblies
        Recordings it was made from: their sites' reliabilities are drawn, where stimuli were repeated.
    out_folder
        Is made.
    """
    loaded = {Path(path).parent.name: recordings.load(path) for path in assemblies}
    return gallery.write(drawings(TeacherData(read_tree(teacher_path), loaded)), Path(out_folder))
