"""A folder of drawn figures, with a list that says what each one shows."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import TgsageError
from ..runs.records import read_json
from ..store import write_json
from . import style

LIST = "figures.json"
"""Name of the list: ``figures``, each with ``name``, ``caption``, ``alt``, ``width`` and ``on_page``."""


@dataclass(frozen=True)
class Picture:
    """A drawn figure with the words that go with it."""

    name: str
    svg: bytes
    width: float
    """Inches."""
    caption: str
    alt: str
    on_page: bool


def picture(drawing: style.Drawing) -> Picture:
    """Return a drawing as SVG with its words."""
    return Picture(
        drawing.name,
        style.svg(drawing.figure),
        drawing.figure.get_figwidth(),
        drawing.caption,
        drawing.alt,
        drawing.on_page,
    )


def write(drawings: Sequence[style.Drawing], folder: Path) -> list[Path]:
    """Write each drawing as svg and png, and the list of them.

    Returns
    -------
    list
        The files of the figures, without the list.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = [path for drawing in drawings for path in style.save(drawing.figure, folder / drawing.name)]
    texts = ("name", "caption", "alt", "on_page")
    entries = [
        {**{name: getattr(drawing, name) for name in texts}, "width": drawing.figure.get_figwidth()}
        for drawing in drawings
    ]
    write_json(folder / LIST, {"figures": entries})
    return written


def read(folder: str | os.PathLike[str]) -> list[Picture]:
    """Read a folder of figures, in the order of its list.

    Raises
    ------
    TgsageError
        If the list or a figure is missing or broken.
    """
    path = Path(folder) / LIST
    try:
        return [
            Picture(svg=(Path(folder) / f"{entry['name']}.svg").read_bytes(), **entry)
            for entry in read_json(path)["figures"]
        ]
    except (KeyError, TypeError, FileNotFoundError) as error:
        raise TgsageError(f"{path}: does not fit the figures beside it ({error}); draw them again") from None
