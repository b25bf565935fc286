"""From a run's files to one HTML page."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Sequence
from pathlib import Path

import jinja2
from markupsafe import Markup

from .. import plots, tasks
from ..errors import TgsageError
from ..plots import draw, words
from ..runs import search_files
from ..statistics import format_number
from ..store import write_text
from . import numbers

PathLike = str | os.PathLike[str]


def write(  # noqa: PLR0913 - the files of several searches
    page: PathLike,
    *,
    title: str,
    task: PathLike,
    settings: Sequence[PathLike],
    ledger: Sequence[PathLike],
    finalists: Sequence[PathLike],
    final: Sequence[PathLike],
    training: Sequence[PathLike],
    rsa: Sequence[PathLike],
    rdms: Sequence[PathLike],
    search_figures: Sequence[PathLike],
    teachers: Sequence[PathLike] = (),
    teacher_figures: Sequence[PathLike] = (),
) -> None:
    """Write the page of a run: one HTML file, whole or not at all.

    Of an arm with several search seeds, the tables show every seed; leaderboard and figures are of the seed
    whose winner had the highest validation accuracy as a finalist. Test images decide nothing. Nothing is
    fetched: figures are data URIs. Every number on the page is also in its
    ``<script type="application/json" id="numbers">``.

    Parameters
    ----------
    page
        The file to write.
    title
        Of the page.
    task
        File of the run's task.
    settings, ledger, finalists, final, training, rsa, rdms
        Files of the searches to show (:meth:`tgsage.runs.layout.SearchFolder.finished`), all in one order.
    search_figures
        The folders of their figures.
    teachers, teacher_figures
        The teachers that guided or were observed, and the folders of their figures.

    Raises
    ------
    TgsageError
        If there is no search to show, or a file is missing or broken.
    """
    if not settings:
        raise TgsageError("report.arms: is empty; name at least one arm")
    names = ("settings", "ledger", "finalists", "final", "training", "rsa", "rdms")
    files = zip(settings, ledger, finalists, final, training, rsa, rdms, strict=True)
    searches = [search_files.read_files(**dict(zip(names, of_one, strict=True))) for of_one in files]
    trees = numbers.read_teachers({Path(file).stem: os.fspath(file) for file in teachers}, searches)
    content = numbers.page(title, tasks.load(task), searches, trees)
    folders = {Path(folder).name: folder for folder in teacher_figures}
    html = _template().render(
        page=content,
        best=content["searches"][content["best"]],
        several=len(searches) > 1,
        comparison=_comparison(searches, content) if len(searches) > 1 else [],
        of_searches={number: _on_page(search_figures[number]) for number in content["shown"]},
        of_teachers={name: _on_page(folders[name]) for name in trees},
        numbers=_embedded(content),
    )
    write_text(page, html)


def _comparison(searches: Sequence[search_files.SearchFiles], page: numbers.Numbers) -> list[draw.Picture]:
    simulated = page["simulated"]
    mark = words.SIMULATED if simulated["recordings"] else words.RENDERED if simulated["images"] else ""
    data = plots.ComparisonData(searches, page["task"]["n_validation"], mark)
    return [draw.picture(drawing) for drawing in plots.drawings(data) if drawing.on_page]


def _on_page(folder: PathLike) -> list[draw.Picture]:
    """Return the figures of a folder that a page shows."""
    return [picture for picture in draw.read(folder) if picture.on_page]


def _data_uri(svg: bytes) -> Markup:
    return Markup("data:image/svg+xml;base64," + base64.b64encode(svg).decode("ascii"))


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": percent,
        "decimal": decimal,
        "integer": integer,
        "short": short,
        "duration": duration,
        "method": words.method,
        "data_uri": _data_uri,
    }
    return environment.get_template("template.html.j2")


MISSING = "–"


def percent(value: float | None, digits: int = 1) -> str:
    """Return a fraction as per cent."""
    return MISSING if value is None else f"{100 * value:.{digits}f} %"


def decimal(value: float | None, digits: int = 3) -> str:
    """Return a number with a real minus sign, and none before zero."""
    return MISSING if value is None else format_number(value, digits)


def integer(value: float | None) -> str:
    """Return a whole number with its thousands apart."""
    return MISSING if value is None else f"{round(value):,}"


def short(value: float | None) -> str:
    """Return a count with k, M or G."""
    if value is None:
        return MISSING
    for limit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:.3g} {letter}"
    return f"{value:.0f}"


def duration(seconds: float | None) -> str:
    """Return seconds as people write them."""
    if seconds is None:
        return MISSING
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02d} min"


def _embedded(page: numbers.Numbers) -> Markup:
    """Return JSON that no value can break out of."""
    text = json.dumps(page, allow_nan=False, indent=1)
    for character, escape in (("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026")):
        text = text.replace(character, escape)
    return Markup(text)
