"""The stage that writes a page of a run."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .. import report
from ..store import write_text

if TYPE_CHECKING:
    from ..spaces.settings import SpaceSettings


def write_page(
    page: str | os.PathLike[str],
    *,
    run_folder: str | os.PathLike[str],
    arms: Sequence[str],
    title: str,
    space: SpaceSettings,
) -> None:
    """Write the page that :func:`tgsage.report.build` makes."""
    write_text(page, report.build(run_folder, arms, title, space=space))
