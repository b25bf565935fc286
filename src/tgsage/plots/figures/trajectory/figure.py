"""Figures of a ledger: how a search went, and whether accuracy and teacher guidance agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..statistics import format_number, running_best, spearman, wilson_of_accuracy
from . import style

AXIS_NAMES = {
    "accuracy": "P\nvalidation accuracy",
    "tg": "TG\nmean RDM correlation",
    "score": "score",
}


def inferred_alpha(ledger: pd.DataFrame) -> float | None:
    """The α with which every score of a ledger is P + α·TG; None where no α fits.

    Zero where scores are accuracies; infinite where they are TG alone.
    """
    whole = ledger[["accuracy", "tg", "score"]].astype(float)
    whole = whole[whole["score"].notna() & whole["accuracy"].notna()]
    if whole.empty:
        return None
    accuracy, tg, score = (whole[name].to_numpy() for name in ("accuracy", "tg", "score"))
    if np.allclose(score, accuracy, atol=1e-6, rtol=0):
        return 0.0
    if not np.isfinite(tg).all():
        return None
    if np.allclose(score, tg, atol=1e-6, rtol=0):
        return np.inf
    squared = float((tg * tg).sum())
    alpha = float(((score - accuracy) * tg).sum() / squared) if squared else np.nan
    return alpha if np.allclose(score, accuracy + alpha * tg, atol=1e-6, rtol=0) else None


def formula(alpha: float | None) -> str:
    """The score in words: ``P + α·TG``, ``P``, ``TG``, or that it is of another form."""
    if alpha is None:
        return "score of the arm's own guidance"
    if alpha == 0:
        return "score = P"
    if np.isinf(alpha):
        return "score = TG"
    return "score = P + TG" if np.isclose(alpha, 1) else f"score = P + {alpha:.3g}·TG"


@style.styled
def trajectory(
    ledgers: Mapping[str, pd.DataFrame],
    *,
    n_validation: int | None = None,
    chance: float | None = None,
    winners: Mapping[str, str] | None = None,
    note: str = "",
    simulated: bool | str = False,
) -> Figure:
    """Draw P, TG and score of every candidate in order of round and slot, and the best so far.

    Parameters
    ----------
    ledgers
        Name of an arm to its ledger; several are drawn on top of each other. TG and its panel are left out
        where no arm has any.
    n_validation
        Images on which P was measured: draws Wilson's 95 % intervals.
    chance
        Accuracy of a guess: draws a dotted line.
    winners
        Name of an arm to the key of the candidate that was trained in full: it is ringed.
    note
        A sentence for the footnote, e.g. the noise ceiling of TG.
    """
    ledgers = {name: table.sort_values(["round", "slot"], kind="stable") for name, table in ledgers.items()}
    columns = ["accuracy", "tg", "score"]
    if not any(table["tg"].notna().any() for table in ledgers.values()):
        columns = ["accuracy"]
    figure = style.new(1.75 * len(columns) + 0.75)
    panels = np.atleast_1d(figure.subplots(len(columns), 1, sharex=True))
    colours = style.colours_of(ledgers)
    failures = 0
    for panel, column in zip(panels, columns, strict=True):
        for number, (name, table) in enumerate(ledgers.items()):
            failures += _one_trajectory(
                panel, table, column, colours[name], number, n_validation, (winners or {}).get(name)
            )
        label = AXIS_NAMES[column]
        if column == "score":
            forms = {formula(inferred_alpha(table)) for table in ledgers.values()}
            label = "score\n" + (
                forms.pop().removeprefix("score = ") if len(forms) == 1 else "each arm's own"
            )
        panel.set_ylabel(label)
        low, high = panel.get_ylim()
        if column == "accuracy" and chance is not None:
            low, high = min(low, chance), max(high, chance)
        panel.set_ylim(low - 0.12 * (high - low), high + 0.04 * (high - low))
        if column == "accuracy" and chance is not None:
            panel.axhline(chance, color=style.GREY, linewidth=0.8, linestyle=":", zorder=1)
            panel.annotate(
                "chance", (1, chance), xycoords=("axes fraction", "data"), xytext=(3, 0),
                textcoords="offset points", va="center", fontsize=7, color=style.GREY, annotation_clip=False,
            )  # fmt: skip
    longest = max(len(table) for table in ledgers.values())
    panels[-1].set_xlim(0.25, longest + 0.75)
    panels[-1].set_xlabel("candidate, in order of round and slot")
    panels[-1].xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
    _rounds(panels, next(iter(ledgers.values())), list(ledgers.values()))
    _trajectory_legend(figure, ledgers, colours, bool(failures), winners)
    counts = "; ".join(
        f"{name}: n = {len(table)}, {int((table['status'] == 'ok').sum())} ok"
        for name, table in ledgers.items()
    )
    intervals = f"Bars: Wilson 95 % intervals, {n_validation} validation images." if n_validation else ""
    style.annotate(figure, [counts + ".", intervals, note], simulated)
    return figure


def _one_trajectory(
    panel: Axes,
    table: pd.DataFrame,
    column: str,
    colour: str,
    number: int,
    n_validation: int | None,
    winner: str | None,
) -> int:
    """One arm in one panel; returns the number of candidates that did not end well."""
    order = np.arange(1, len(table) + 1)
    fine = (table["status"] == "ok").to_numpy()
    values = np.where(fine, table[column].to_numpy(dtype=float), np.nan)
    if column == "accuracy" and n_validation:
        low, high = wilson_of_accuracy(values, n_validation)
        panel.vlines(order, low, high, color=colour, alpha=0.35, linewidth=0.8, zorder=2)
    panel.plot(
        order, values, style.MARKERS[number % len(style.MARKERS)], color=colour, alpha=0.75,
        markersize=3.6, markeredgewidth=0, zorder=3,
    )  # fmt: skip
    if np.isfinite(values).any():
        panel.step(
            order,
            running_best(values),
            where="post",
            color=colour,
            linewidth=1.4,
            zorder=2.5,
            linestyle=style.DASHES[number % len(style.DASHES)],
        )
    if winner is not None:
        ringed = (table["candidate"] == winner).to_numpy() & np.isfinite(values)
        panel.plot(
            order[ringed], values[ringed], "o", markersize=9, markerfacecolor="none", markeredgecolor=colour,
            markeredgewidth=1.2, zorder=4,
        )  # fmt: skip
    missing = order[~fine]
    panel.plot(
        missing,
        np.full(len(missing), 0.035 + 0.03 * number),
        "x",
        color=colour,
        markersize=4,
        markeredgewidth=1.1,
        transform=panel.get_xaxis_transform(),
        zorder=3,
    )
    return len(missing)


def _rounds(panels: Sequence[Axes], table: pd.DataFrame, tables: list[pd.DataFrame]) -> None:
    """Shade every second round and number the rounds, if all arms share them."""
    rounds = table["round"].to_numpy()
    if any(len(other) != len(table) or (other["round"].to_numpy() != rounds).any() for other in tables):
        return
    different = np.unique(rounds)
    every = max(1, -(-len(different) // 15))
    for number, name in enumerate(different):
        inside = np.flatnonzero(rounds == name) + 1
        if number % 2:
            for panel in panels:
                panel.axvspan(inside[0] - 0.5, inside[-1] + 0.5, color="#f3f3f3", linewidth=0, zorder=0)
        if number % every == 0:
            panels[0].annotate(
                f"round {name}" if number == 0 else f"{name}", (inside.mean(), 1),
                xycoords=("data", "axes fraction"), xytext=(0, 3), textcoords="offset points", ha="center",
                fontsize=7, color=style.GREY,
            )  # fmt: skip


def _trajectory_legend(
    figure: Figure, ledgers: Mapping[str, pd.DataFrame], colours: Mapping[str, str], failures: bool,
    winners: Mapping[str, str] | None,
) -> None:  # fmt: skip
    several = len(ledgers) > 1
    handles = [
        Line2D(
            [], [], color=colours[name], marker=style.MARKERS[number % len(style.MARKERS)], markersize=3.6,
            linewidth=1.4, linestyle=style.DASHES[number % len(style.DASHES)],
            label=name if several else "candidate, and best so far",
        )
        for number, name in enumerate(ledgers)
    ]  # fmt: skip
    neutral = style.INK if several else next(iter(colours.values()))
    if winners:
        handles.append(
            Line2D([], [], color=neutral, marker="o", markersize=8, markerfacecolor="none", linewidth=0,
                   label="trained in full and tested")
        )  # fmt: skip
    if failures:
        handles.append(
            Line2D(
                [],
                [],
                color=neutral,
                marker="x",
                markersize=4,
                linewidth=0,
                label="failed, invalid or timed out",
            )
        )
    figure.legend(handles=handles, loc=style.LEGEND, ncols=len(handles), columnspacing=1.4)


@style.styled
def p_against_tg(
    ledger: pd.DataFrame,
    *,
    alpha: float | None = None,
    finalists: Sequence[str] = (),
    winner: str | None = None,
    n_validation: int | None = None,
    note: str = "",
    simulated: bool | str = False,
) -> Figure:
    """Draw accuracy against teacher guidance, one point a candidate, with lines of equal score.

    Parameters
    ----------
    ledger
        Of one arm; candidates that are not ok, or lack P or TG, are counted and not drawn.
    alpha
        Weight of TG in the score; None takes the α that the ledger's scores have, if any.
    finalists, winner
        Keys of the candidates that were retrained, and of the one that was tested.
    n_validation
        Images on which P was measured: draws Wilson's 95 % intervals.
    note
        A sentence for the footnote, e.g. the noise ceiling of TG.
    """
    alpha = inferred_alpha(ledger) if alpha is None else alpha
    whole = ledger[(ledger["status"] == "ok") & ledger["accuracy"].notna() & ledger["tg"].notna()]
    tg, accuracy = whole["tg"].to_numpy(dtype=float), whole["accuracy"].to_numpy(dtype=float)
    rounds = whole["round"].to_numpy()
    figure = style.new(4.0, 5.2)
    panel = figure.subplots()
    if n_validation and len(whole):
        low, high = wilson_of_accuracy(accuracy, n_validation)
        panel.vlines(tg, low, high, color=style.PALE, linewidth=0.8, zorder=1)
    different = np.unique(ledger["round"])
    limits = (
        np.arange(different.min() - 0.5, different.max() + 1) if len(different) else np.array([-0.5, 0.5])
    )
    points = panel.scatter(
        tg, accuracy, c=rounds, cmap="viridis", norm=BoundaryNorm(limits, 256) if len(limits) > 2 else None,
        s=26, edgecolors="white", linewidths=0.5, zorder=3,
    )  # fmt: skip
    for keys, size, label in ((finalists, 70, "finalist"), ((winner,), 130, "trained in full and tested")):
        chosen = whole["candidate"].isin([key for key in keys if key]).to_numpy()
        if chosen.any():
            panel.scatter(
                tg[chosen], accuracy[chosen], s=size, facecolors="none",
                edgecolors=style.PALETTE["vermillion"] if label != "finalist" else style.INK,
                linewidths=1.1, zorder=4, label=label,
            )  # fmt: skip
    panel.margins(0.07)
    panel.set_xlabel("TG: mean over targets of the best layer's RDM correlation")
    panel.set_ylabel("P: validation accuracy after premature training")
    lines = _equal_scores(panel, alpha)
    if len(different) > 1:
        step = max(1, len(different) // 10)
        bar = figure.colorbar(
            points, ax=panel, ticks=different[::step], pad=0.1 if lines else 0.02, aspect=30
        )
        bar.set_label("round")
        bar.outline.set_visible(False)
        bar.ax.tick_params(length=0)
    if panel.get_legend_handles_labels()[0]:
        figure.legend(loc=style.LEGEND, ncols=2)
    correlation = spearman(tg, accuracy)
    left_out = len(ledger) - len(whole)
    style.annotate(
        figure,
        [
            f"Spearman correlation of P and TG {correlation}; in brackets the bootstrap 95 % interval."
            if np.isfinite(correlation.low)
            else f"Spearman correlation of P and TG {correlation}.",
            f"{left_out} candidate{'s' * (left_out != 1)} without both values left out." if left_out else "",
            f"Grey lines: equal score ({formula(alpha).removeprefix('score = ')})." if lines else "",
            f"Bars: Wilson 95 % intervals, {n_validation} validation images." if n_validation else "",
            note,
        ],
        simulated,
    )
    return figure


def _equal_scores(panel: Axes, alpha: float | None) -> bool:
    """Lines of equal P + α·TG, labelled where they enter the axes from above or leave them on the right."""
    if alpha is None or not np.isfinite(alpha):
        return False
    (left, right), (bottom, top) = panel.get_xlim(), panel.get_ylim()
    corners = [y + alpha * x for x in (left, right) for y in (bottom, top)]
    low, high = min(corners), max(corners)
    step = _round_step((high - low) / 9)
    for score in np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step:
        panel.plot(
            [left, right],
            [score - alpha * left, score - alpha * right],
            color="#bdbdbd",
            linewidth=0.7,
            zorder=0.5,
        )
        at_right = score - alpha * right
        at_top = (score - top) / alpha if alpha > 0 else np.nan
        if bottom < at_right < top:
            position, offset, align = (right, at_right), (3, 0), {"ha": "left", "va": "center"}
        elif left < at_top < right:
            position, offset, align = (at_top, top), (0, 2), {"ha": "center", "va": "bottom"}
        elif bottom < score - alpha * left < top:
            position, offset, align = (left, score - alpha * left), (3, 1), {"ha": "left", "va": "bottom"}
        else:
            continue
        panel.annotate(
            format_number(score, max(1, -int(np.floor(np.log10(step))))), position, xytext=offset,
            textcoords="offset points", fontsize=6.5, color=style.GREY, annotation_clip=False, **align,
        )  # fmt: skip
    panel.set_xlim(left, right)
    panel.set_ylim(bottom, top)
    return True


def _round_step(step: float) -> float:
    """The next 1, 2 or 5 times a power of ten."""
    power = 10.0 ** np.floor(np.log10(step))
    return float(next(factor * power for factor in (1, 2, 5, 10) if factor * power >= step * 0.999))
