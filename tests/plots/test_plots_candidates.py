"""Figures of a ledger show the ledger's numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from tgsage.plots import p_against_tg, style, trajectory


def words(figure: Figure) -> str:
    """All text of a figure."""
    figure.draw_without_rendering()
    found = [item.get_text() for item in figure.findobj(lambda item: hasattr(item, "get_text"))]
    return "\n".join(text for text in found if text).replace("\n", " ")


def test_trajectory_draws_every_value_and_the_running_best(search):
    figure = trajectory(search.ledger, "monkey", chance=0.125, mark="Simulated recordings")
    assert [panel.get_ylabel().split("\n")[0] for panel in figure.axes] == ["P", "TG", "score"]
    for panel, column in zip(figure.axes, ("accuracy", "tg", "score"), strict=True):
        points, steps, failed = panel.lines[:3]
        expected = search.ledger[column].to_numpy()
        np.testing.assert_array_equal(points.get_ydata(), expected)
        best, so_far = np.nan, []
        for value in expected:
            best = value if not value <= best and not np.isnan(value) else best
            so_far.append(best)
        np.testing.assert_array_equal(steps.get_ydata(), so_far)
        assert steps.get_drawstyle() == "steps-post"
        np.testing.assert_array_equal(failed.get_xdata() - 1, np.flatnonzero(search.ledger["status"] != "ok"))
    text = words(figure)
    assert (
        "Simulated recordings" in text and "n = 36, 34 ok" in text and "failed" in text and "P + TG" in text
    )


def test_trajectory_rings_the_tested_candidate_and_shows_intervals(search):
    winner = search.final["candidate"]
    figure = trajectory(search.ledger, "monkey", n_validation=800, winner=winner)
    ring = next(line for line in figure.axes[0].lines if line.get_markerfacecolor() == "none")
    row = search.ledger[search.ledger["candidate"] == winner].iloc[0]
    assert ring.get_ydata() == pytest.approx([row["accuracy"]])
    assert "Wilson" in words(figure) and "800" in words(figure) and "Simulated" not in words(figure)


def test_trajectory_without_teacher_has_no_panel_of_tg(search):
    without = search.ledger.assign(tg=np.nan, score=search.ledger["accuracy"])
    assert len(trajectory(without, "none").axes) == 1


def test_trajectory_does_not_depend_on_the_order_of_rows(search):
    shuffled = search.ledger.sample(frac=1, random_state=0)
    figure = trajectory(shuffled, "monkey")
    np.testing.assert_array_equal(figure.axes[0].lines[0].get_ydata(), search.ledger["accuracy"].to_numpy())


def test_p_against_tg_draws_whole_candidates_along_lines_of_equal_score(search):
    figure = p_against_tg(
        search.ledger, finalists=list(search.finalists["candidate"]), winner=search.final["candidate"]
    )
    panel = figure.axes[0]
    fine = search.ledger[search.ledger["status"] == "ok"]
    np.testing.assert_array_equal(panel.collections[0].get_offsets(), fine[["tg", "accuracy"]].to_numpy())
    assert len(panel.collections[1].get_offsets()) == len(search.finalists)
    for line in panel.lines:
        x, y = line.get_data()
        assert x[0] + y[0] == pytest.approx(x[1] + y[1])
    text = words(figure)
    assert (
        "n = 34" in text
        and "2 candidates without both values left out" in text
        and "equal score (P + TG)" in text
    )


def test_a_score_of_another_form_has_no_formula(search):
    score = search.ledger["accuracy"] * search.ledger["tg"]
    figure = trajectory(search.ledger.assign(score=score), "monkey")
    assert figure.axes[2].get_ylabel() == "score\nof the arm’s own guidance"


def test_figures_of_one_candidate(search):
    one = search.ledger.head(1)
    assert trajectory(one, "monkey").axes
    assert "not defined (n = 1)" in words(p_against_tg(one))


@pytest.mark.parametrize(
    "draw", [lambda ledger: trajectory(ledger, "monkey", n_validation=800), p_against_tg]
)
def test_svgs_of_many_candidates_do_not_grow_with_their_number(search, draw):
    files = [style.svg(draw(pd.concat([search.ledger] * times))) for times in (1, 30, 120)]
    few, many, more = ([file.count(element) for element in (b"<image", b"<use", b"<path")] for file in files)
    assert few[0] == 0 < many[0]
    assert more == pytest.approx(many, abs=60)  # letters and ticks
    assert len(files[2]) < 400_000
