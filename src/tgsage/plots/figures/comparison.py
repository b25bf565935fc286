"""The arms of a run beside each other."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...runs.search_files import SearchFiles
from ...statistics import running_best, wilson_of_accuracy
from ...studies.similarity import inferred_alpha
from .. import style, words
from ..data import ComparisonData
from ..style import Drawing

LETTERS_BELOW = 27
"""Letters of the tick labels that have room below the panel of mature networks."""


def comparison_drawings(data: ComparisonData) -> list[Drawing]:
    """Draw the comparison of the arms."""
    arms: dict[str, list[SearchFiles]] = {}
    for search in data.searches:
        arms.setdefault(search.arm, []).append(search)
    tests = {
        arm: [
            dict(zip(("accuracy", "low", "high"), (test["accuracy"], *test["interval"]), strict=True))
            for test in (search.final["test"] for search in searches)
        ]
        for arm, searches in arms.items()
    }
    figure = comparison(
        {arm: [search.ledger for search in searches] for arm, searches in arms.items()},
        {arm: [search.finalists for search in searches] for arm, searches in arms.items()},
        tests=tests,
        n_validation=data.n_validation,
        chance=data.searches[0].final["chance"],
        mark=data.mark,
    )
    accuracies = "; ".join(
        f"{arm} " + ", ".join(f"{test['accuracy']:.3f}" for test in of_arm) for arm, of_arm in tests.items()
    )
    return [
        Drawing(
            "comparison",
            figure,
            "What each arm had found after how many training examples, and its mature networks.",
            f"Test accuracies: {accuracies}.",
        )
    ]


@style.styled
def comparison(
    ledgers: Mapping[str, Sequence[pd.DataFrame]],
    finalists: Mapping[str, Sequence[pd.DataFrame]],
    *,
    tests: Mapping[str, Sequence[Mapping[str, float]]] | None = None,
    n_validation: int | None = None,
    chance: float | None = None,
    mark: str = "",
) -> Figure:
    """Draw what each arm had found after how many training examples, and its mature networks.

    Parameters
    ----------
    ledgers, finalists
        Arm to one table per search seed.
    tests
        Arm to one mapping per seed: ``accuracy``, ``low`` and ``high`` of the network that was tested.
    n_validation, chance, mark
        As for :func:`tgsage.plots.trajectory`.
    """
    colours = style.colours_of(ledgers)
    looks: dict[str, dict[str, Any]] = {
        arm: {"color": colours[arm], "linestyle": style.DASHES[number % len(style.DASHES)]}
        for number, arm in enumerate(ledgers)
    }
    figure = style.new(3.3)
    panels = figure.subplots(1, 3, gridspec_kw={"width_ratios": [1, 1, 0.9]})
    for arm, tables in ledgers.items():
        for table in tables:
            _best_so_far(panels, table, {**looks[arm], "linewidth": 1.5 if len(tables) == 1 else 1.1})
    formulas = {words.score_formula(inferred_alpha(pd.concat(list(tables)))) for tables in ledgers.values()}
    panels[0].set_title("best P so far")
    panels[0].set_ylabel("validation accuracy, premature")
    panels[1].set_title("best score so far")
    formula = min(formulas)
    common = f"score = {formula}" if formula else "score of the arm's own guidance"
    panels[1].set_ylabel(common if len(formulas) == 1 else "score, each arm's own")
    for panel in panels[:2]:
        panel.set_xlabel("training examples (thousands)")
        panel.set_xlim(left=0)
    lows: list[float] = []
    for position, (arm, tables) in enumerate(finalists.items()):
        of_arm = (tests or {}).get(arm, ())
        lows += _mature(panels[2], position, tables, of_arm, colours[arm], n_validation)
    _arm_names(panels[2], list(finalists))
    if chance is not None and lows and min(lows) < chance + 0.15:
        panels[2].axhline(chance, color=style.GREY, linewidth=0.8, linestyle=":")
    handles = [style.handle(arm, linewidth=1.6, **look) for arm, look in looks.items()]
    handles.append(style.handle("finalist (validation)", "o", markersize=3.5))
    if tests:
        handles.append(style.handle("trained in full (test)", "D", markersize=5.5, markerfacecolor="white"))
    figure.legend(handles=handles, loc=style.LEGEND, ncols=len(handles), columnspacing=1.1)
    footnote = [
        _n_seeds({arm: len(tables) for arm, tables in ledgers.items()}),
        "Examples count every candidate, failed ones too.",
        "Scores of arms with different guidance are not comparable with each other." * (len(formulas) > 1),
        "Bars: Wilson 95 % intervals over images; they do not contain the variation between searches.",
    ]
    style.annotate(figure, footnote, mark)
    return figure


def _best_so_far(panels: Sequence[Axes], ledger: pd.DataFrame, look: Mapping[str, Any]) -> None:
    """Draw the best accuracy and the best score of one search after how many training examples."""
    ledger = ledger.sort_values(["round", "slot"], kind="stable")
    examples = np.nancumsum(ledger["examples"].to_numpy(dtype=float))
    for panel, column in zip(panels[:2], ("accuracy", "score"), strict=True):
        values = np.where(ledger["status"] == "ok", ledger[column].to_numpy(dtype=float), np.nan)
        panel.step(examples / 1e3, running_best(values), where="post", **look)


def _mature(
    panel: Axes,
    position: int,
    finalists: Sequence[pd.DataFrame],
    tests: Sequence[Mapping[str, float]],
    colour: str,
    n_validation: int | None,
) -> list[float]:
    """Draw the accuracies of one arm's mature networks; return the lower ends of what is drawn."""
    values = np.concatenate(
        [table.loc[table["status"] == "ok", "accuracy"].to_numpy(dtype=float) for table in finalists]
    )
    lows: list[float] = values.tolist()
    places = position + np.linspace(-0.26, 0.1 if tests else 0.26, max(len(values), 2))[: len(values)]
    if n_validation and len(values):
        low, high = wilson_of_accuracy(values, n_validation)
        panel.vlines(places, low, high, color=colour, linewidth=0.9, alpha=0.6)
        lows += low.tolist()
    panel.plot(places, values, "o", color=colour, markersize=3.5)
    tested: dict[str, Any] = {"markersize": 5.5, "markerfacecolor": "white", "markeredgewidth": 1.3}
    for number, test in enumerate(tests):
        x = position + 0.24 + 0.08 * (number - (len(tests) - 1) / 2)
        panel.vlines(x, test["low"], test["high"], color=colour, linewidth=1.4)
        panel.plot(x, test["accuracy"], "D", color=colour, **tested)
        lows.append(test["low"])
    return lows


def _arm_names(panel: Axes, names: list[str]) -> None:
    """Write the names below their networks, slanted where neighbours would touch."""
    room = LETTERS_BELOW / len(names)
    touch = any((len(one) + len(two)) / 2 + 1 > room for one, two in itertools.pairwise(names))
    slant: dict[str, Any] = {"rotation": 25, "ha": "right", "rotation_mode": "anchor"} if touch else {}
    panel.set_xticks(range(len(names)), names, **slant)
    panel.set_xlim(-0.5, len(names) - 0.5)
    panel.tick_params(axis="x", length=0)
    panel.set_title("mature networks")
    panel.set_ylabel("accuracy")


def _n_seeds(seeds: Mapping[str, int]) -> str:
    if len(set(seeds.values())) > 1:
        counts = ", ".join(f"{arm} {number}" for arm, number in seeds.items())
        return f"Search seeds: {counts}; a line each."
    n = next(iter(seeds.values()))
    return f"{n} search seed{'s' * (n != 1)} per arm, a line each."
