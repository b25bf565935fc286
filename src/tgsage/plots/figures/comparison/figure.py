"""Arms of a study beside each other."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..statistics import running_best, wilson_of_accuracy
from . import style
from .candidates import formula, inferred_alpha

LETTERS_BELOW = 27
"""Letters of the tick labels that have room below the panel of mature networks."""


@style.styled
def comparison(
    ledgers: Mapping[str, Sequence[pd.DataFrame]],
    finalists: Mapping[str, Sequence[pd.DataFrame]],
    *,
    tests: Mapping[str, Sequence[Mapping[str, float]]] | None = None,
    n_validation: int | None = None,
    chance: float | None = None,
    simulated: bool | str = False,
) -> Figure:
    """Draw what each arm had found after how many training examples, and its mature networks.

    Parameters
    ----------
    ledgers, finalists
        Arm to one table per search seed.
    tests
        Arm to one mapping per seed: ``accuracy``, ``low`` and ``high`` of the network that was tested.
    n_validation
        Validation images: draws Wilson's 95 % intervals of the finalists' accuracies.
    chance
        Accuracy of a guess.
    """
    colours = style.colours_of(ledgers)
    figure = style.new(3.3, style.WIDTH)
    panels = figure.subplots(1, 3, gridspec_kw={"width_ratios": [1, 1, 0.9]})
    dashes = {arm: style.DASHES[number % len(style.DASHES)] for number, arm in enumerate(ledgers)}
    for arm, tables in ledgers.items():
        for table in tables:
            table = table.sort_values(["round", "slot"], kind="stable")
            examples = np.nancumsum(table["examples"].to_numpy(dtype=float))
            fine = (table["status"] == "ok").to_numpy()
            for panel, column in zip(panels, ("accuracy", "score"), strict=False):
                values = running_best(np.where(fine, table[column].to_numpy(dtype=float), np.nan))
                panel.step(
                    examples / 1e3,
                    values,
                    where="post",
                    color=colours[arm],
                    linewidth=1.5 if len(tables) == 1 else 1.1,
                    linestyle=dashes[arm],
                )
    forms = {arm: formula(inferred_alpha(pd.concat(list(tables)))) for arm, tables in ledgers.items()}
    panels[0].set_title("best P so far")
    panels[0].set_ylabel("validation accuracy, premature")
    panels[1].set_title("best score so far")
    panels[1].set_ylabel(
        next(iter(set(forms.values()))) if len(set(forms.values())) == 1 else "score, each arm's own"
    )
    for panel in panels[:2]:
        panel.set_xlabel("training examples (thousands)")
        panel.set_xlim(left=0)
    lows = _mature(panels[2], finalists, tests or {}, colours, n_validation)
    if chance is not None and lows and min(lows) < chance + 0.15:
        panels[2].axhline(chance, color=style.GREY, linewidth=0.8, linestyle=":")
    handles = [
        Line2D([], [], color=colour, label=arm, linewidth=1.6, linestyle=dashes[arm])
        for arm, colour in colours.items()
    ]
    handles += [
        Line2D(
            [], [], color=style.INK, marker="o", linewidth=0, markersize=3.5, label="finalist (validation)"
        ),
    ]
    if tests:
        handles.append(
            Line2D([], [], color=style.INK, marker="D", markersize=5.5, linewidth=0, markerfacecolor="white",
                   label="trained in full (test)")
        )  # fmt: skip
    figure.legend(handles=handles, loc=style.LEGEND, ncols=len(handles), columnspacing=1.1)
    seeds = {arm: len(tables) for arm, tables in ledgers.items()}
    counts = set(seeds.values())
    count = (
        f"{(one := counts.pop())} search seed{'s' * (one != 1)} per arm, a line each."
        if len(counts) == 1
        else "Search seeds: "
        + ", ".join(f"{arm} {number}" for arm, number in seeds.items())
        + "; a line each."
    )
    style.annotate(
        figure,
        [
            count,
            "Examples count every candidate, failed ones too.",
            "Scores of arms with different guidance are not comparable with each other."
            if len(set(forms.values())) > 1
            else "",
            "Bars: Wilson 95 % intervals over images; they do not contain the variation between searches.",
        ],
        simulated,
    )
    return figure


def _mature(
    panel: object,
    finalists: Mapping[str, Sequence[pd.DataFrame]],
    tests: Mapping[str, Sequence[Mapping[str, float]]],
    colours: Mapping[str, str],
    n_validation: int | None,
) -> list[float]:
    """Accuracies of mature networks, arm by arm; returns all lower ends."""
    lows: list[float] = []
    for position, (arm, tables) in enumerate(finalists.items()):
        values = np.concatenate(
            [table.loc[table["status"] == "ok", "accuracy"].to_numpy(dtype=float) for table in tables]
        )
        tested = list(tests.get(arm, ()))
        places = position + np.linspace(-0.26, 0.1 if tested else 0.26, max(len(values), 2))[: len(values)]
        if n_validation and len(values):
            low, high = wilson_of_accuracy(values, n_validation)
            panel.vlines(places, low, high, color=colours[arm], linewidth=0.9, alpha=0.6)
            lows += low.tolist()
        panel.plot(places, values, "o", color=colours[arm], markersize=3.5)
        lows += values.tolist()
        for number, one in enumerate(tested):
            x = position + 0.24 + 0.08 * (number - (len(tested) - 1) / 2)
            panel.vlines(x, one["low"], one["high"], color=colours[arm], linewidth=1.4)
            panel.plot(
                x,
                one["accuracy"],
                "D",
                color=colours[arm],
                markersize=5.5,
                markerfacecolor="white",
                markeredgewidth=1.3,
            )
            lows.append(one["low"])
    names = list(finalists)
    # About as many letters fit below the panel; names that would touch are slanted.
    room = LETTERS_BELOW / len(names)
    slanted = any((len(one) + len(two)) / 2 + 1 > room for one, two in itertools.pairwise(names))
    slant = {"rotation": 25, "ha": "right", "rotation_mode": "anchor"} if slanted else {}
    panel.set_xticks(range(len(names)), names, **slant)
    panel.set_xlim(-0.5, len(finalists) - 0.5)
    panel.tick_params(axis="x", length=0)
    panel.set_title("mature networks")
    panel.set_ylabel("accuracy")
    return lows
