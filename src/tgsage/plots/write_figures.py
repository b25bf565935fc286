"""The stages that draw figures, as folders of files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .. import plots

if TYPE_CHECKING:
    from ..spaces.settings import SpaceSettings

PathLike = str | os.PathLike[str]


def write_search_figures(
    figures: PathLike,
    *,
    final: PathLike,
    space: SpaceSettings,
    n_validation: int | None,
    teacher_file: PathLike | None = None,
) -> None:
    """Draw a finished search; ``final`` is its ``final.json``, beside which the other files are."""
    plots.arm_figures(Path(final).parent, teacher_file, space, figures, n_validation=n_validation)


def write_teacher_figures(
    figures: PathLike, *, teacher_file: PathLike, datasets: Sequence[PathLike] = ()
) -> None:
    """Draw a teacher, and the reliability of the recordings that it is made from."""
    assemblies = [file for file in datasets if Path(file).name == "assembly.nc"]
    plots.teacher_figures(teacher_file, assemblies=assemblies, out_folder=figures)
