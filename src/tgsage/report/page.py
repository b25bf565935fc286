"""From a run's files to one HTML page."""

from __future__ import annotations

import base64
import json
import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from .. import plots
from ..errors import TgsageError, unknown
from ..plots import draw, style
from ..runs import search_files
from ..statistics import format_number
from ..store import write_text
from . import numbers as count

TEMPLATE = "template.html.j2"
MANY = 3
"""Checkpoints up to which the page shows similarity at each of them, and not only at the last."""


@dataclass(frozen=True)
class Picture:
    """A figure as the template needs it."""

    name: str
    uri: Markup
    width: float
    """Inches."""
    caption: str
    alt: str


def _picture(drawing: plots.Drawing) -> Picture:
    return Picture(
        drawing.name,
        _data_uri(style.svg(drawing.figure)),
        drawing.figure.get_figwidth(),
        drawing.caption,
        drawing.alt,
    )


def _data_uri(svg: bytes) -> Markup:
    return Markup("data:image/svg+xml;base64," + base64.b64encode(svg).decode("ascii"))


def build(
    run_folder: str | os.PathLike[str],
    arms: Sequence[str],
    title: str = "Teacher-guided architecture search",
    *,
    space: Any,
) -> str:
    """Return the page of a run as HTML.

    It reads what finished searches left under the run's folder, and nothing else. Of an arm with several
    search seeds, the tables show every seed; leaderboard and figures are of the seed whose winner had the
    highest validation accuracy as a finalist. Test images decide nothing.

    Parameters
    ----------
    run_folder
        ``results/<run>``.
    arms
        Arms to show, in this order.
    title
        Of the page.
    space
        The search space, or its settings: it draws the winning cells.

    Returns
    -------
    str
        A self-contained document: figures are data URIs, nothing is fetched. Every number on it is also in
        its ``<script type="application/json" id="numbers">``.

    Raises
    ------
    TgsageError
        If an arm, or a file of a finished search, is missing or broken.
    """
    run = Path(run_folder)
    if not arms:
        raise TgsageError("report.arms: is empty; name at least one arm")
    searches: list[search_files.SearchFiles] = []
    for arm in arms:
        folder = run / "search" / arm
        if not folder.is_dir():
            raise unknown(
                f"arm of {run}", arm, [path.name for path in (run / "search").glob("*") if path.is_dir()]
            )
        searches += [search_files.read_search(one) for one in search_files.search_folders(folder)]
    if not hasattr(space, "graph"):
        from .. import spaces

        space = spaces.get(space)
    task = count.task(run)
    teachers = {id(search): count.teacher_of(search, run) for search in searches}
    trees = {name: tree for found in teachers.values() if found is not None for name, tree in [found]}
    intervals = [
        {} if teachers[id(search)] is None else draw.similarity_intervals(search, teachers[id(search)][1])
        for search in searches
    ]
    told = [
        count.search(search, task["n_validation"], own)
        for search, own in zip(searches, intervals, strict=True)
    ]
    best = max(range(len(told)), key=lambda number: _mature(told[number]))
    shown = {
        arm: max(
            (n for n, search in enumerate(searches) if search.arm == arm), key=lambda n: _mature(told[n])
        )
        for arm in dict.fromkeys(search.arm for search in searches)
    }
    page = {
        "run": searches[0].final["run"],
        "title": title,
        "task": task,
        "teachers": {name: count.teacher(name, tree) for name, tree in trees.items()},
        "searches": told,
        "best": best,
        "shown": list(shown.values()),
        "simulated": {
            "recordings": any(draw.teacher_mark(tree) is True for tree in trees.values()),
            "images": task["simulated"],
        },
        "versions": count.versions(),
    }
    simulated = page["simulated"]["recordings"] or (draw.RENDERED if page["simulated"]["images"] else False)
    drawings = {}
    for number in shown.values():
        found = teachers[id(searches[number])]
        drawn = plots.search_drawings(
            searches[number],
            None if found is None else found[1],
            space,
            n_validation=task["n_validation"],
            intervals=intervals[number],
        )
        skipped = "layers" if searches[number].rsa.sizes["checkpoint"] <= MANY else "layers_over_training"
        drawings[number] = [_picture(drawing) for drawing in drawn if drawing.name != skipped]
    comparison = None
    if len(searches) > 1:
        comparison = _picture(
            plots.comparison_drawing(searches, n_validation=task["n_validation"], simulated=simulated)
        )
    template = _environment().get_template(TEMPLATE)
    return template.render(
        page=page,
        best=told[best],
        drawings=drawings,
        comparison=comparison,
        several=len(searches) > 1,
        of_teachers={name: _of_teacher(name, tree, run) for name, tree in trees.items()},
        numbers=_embedded(page),
    )


def write(path: str | os.PathLike[str], *args: Any, **options: Any) -> None:
    """Write the page of :func:`build`, whole or not at all; further arguments are those of ``build``."""
    write_text(path, build(*args, **options))


def _mature(told: dict[str, Any]) -> float:
    accuracy = told["winner"]["finalist"]["accuracy"]
    return -math.inf if accuracy is None else accuracy


def _of_teacher(name: str, tree: Any, run: Path) -> list[Picture]:
    """Of a teacher's figures, those that no search's figures show.

    The reliability of its sites, as drawn from the recordings in ``figures/teachers/`` (where they were
    repeated), and how its last target arranges the stimuli.
    """
    shown = []
    for path in sorted((run / "figures" / "teachers" / name).glob("reliability_*.svg")):
        content = path.read_bytes()
        points = re.search(rb'<svg[^>]* width="([0-9.]+)pt"', content)
        if points is None:
            raise TgsageError(f"{path}: is not a figure of tgsage; delete it and run again")
        recordings = path.stem.removeprefix("reliability_")
        words = f"Split-half reliability of the sites of {recordings}, by region and animal."
        shown.append(Picture(path.stem, _data_uri(content), float(points[1]) / 72, words, words))
    for target in reversed(list(tree.children)):
        drawing = draw.stimuli_drawing(tree, target)
        if drawing is not None:
            return [*shown, _picture(drawing)]
    return shown


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": percent, "decimal": decimal, "integer": integer, "short": short, "duration": duration,
        "method": style.method_name, "sampler": sampler, "guidance": guidance,
    }  # fmt: skip
    return environment


MISSING = "–"


def percent(value: float | None, digits: int = 1) -> str:
    """A fraction as per cent."""
    return MISSING if value is None else f"{100 * value:.{digits}f} %"


def decimal(value: float | None, digits: int = 3) -> str:
    """A number with a real minus sign, and none before zero."""
    return MISSING if value is None else format_number(value, digits)


def integer(value: float | None) -> str:
    """A whole number, thousands apart."""
    return MISSING if value is None else f"{round(value):,}"


def short(value: float | None) -> str:
    """Large counts with k, M or G."""
    if value is None:
        return MISSING
    for limit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:.3g} {letter}"
    return f"{value:.0f}"


def duration(seconds: float | None) -> str:
    """Seconds as a person says them."""
    if seconds is None:
        return MISSING
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02d} min"


def sampler(name: str | None) -> str:
    """A sampler's name as people write it."""
    names = {
        "tpe": "TPE",
        "random": "random search",
        "evolution": "regularised evolution",
        "reinforce": "REINFORCE",
        "nsga2": "NSGA-II",
        None: "the sampler",
    }
    return names.get(name, str(name))


def guidance(told: dict[str, Any]) -> str:
    """What a search ranked its candidates by."""
    alpha = told["alpha"]
    if told["scheduled"]:
        return "P + α·TG, α by the amount of training"
    if told["guidance"] == "p_plus_tg":
        return "P + TG" if alpha in (1, None) else f"P + {alpha:g}·TG"
    names = {
        "p_only": "P alone",
        "tg_only": "TG alone",
        "rank": "the sum of the ranks of P and TG",
        "ceiled": "P + TG over its noise ceiling",
        "profile": "P and the profile of similarities over layers",
        "calibrated": "the mature accuracy that a fitted regression predicts",
    }
    return names.get(told["guidance"], str(told["guidance"]))


def _embedded(page: dict[str, Any]) -> Markup:
    """JSON that no value can break out of."""
    text = json.dumps(page, allow_nan=False, indent=1)
    for character, escape in (("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026")):
        text = text.replace(character, escape)
    return Markup(text)
