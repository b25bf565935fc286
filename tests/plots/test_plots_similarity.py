"""Layers, RDMs, ceilings and stimuli show the files' numbers."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from matplotlib.offsetbox import AnnotationBbox
from matplotlib.patches import Rectangle
from scipy.spatial.distance import squareform
from test_plots_candidates import words as text_of

from tgsage.errors import TgsageError
from tgsage.plots import ceilings, layers, rdms, reliability, stimuli, style, words
from tgsage.plots.figures import rdms as rdms_figure
from tgsage.studies.similarity import ceilings as ceilings_of
from tgsage.teacher import targets_of


@pytest.fixture(scope="module")
def groups(teacher):
    return targets_of(teacher)


def bounds(groups):
    return {name: ceilings_of(group) for name, group in groups.items()}


def test_layers_writes_every_value_and_frames_the_chosen_layer(search, groups):
    chosen = {target: told["layer"] for target, told in search.final["similarity"].items()}
    figure = layers(search.rsa, bounds(groups), chosen=chosen, mark="Simulated recordings")
    maps = [panel for panel in figure.axes if panel.images]
    for panel, split in zip(maps, ("reward", "report"), strict=True):
        values = search.rsa["rsa"].isel(checkpoint=-1).sel(split=split)
        written = {text.get_position(): text.get_text() for text in panel.texts}
        for column, target in enumerate(values["target"].values):
            for row, layer in enumerate(values["layer"].values):
                value = float(values.sel(target=target, layer=layer))
                assert written.get((column, row)) == (None if np.isnan(value) else f"{value:.2f}")
        frames = [p for p in panel.patches if isinstance(p, Rectangle) and not p.get_fill()]
        names = list(values["layer"].values)
        assert {(round(f.get_x() + 0.5), round(f.get_y() + 0.5)) for f in frames} == {
            (column, names.index(chosen[str(target)]))
            for column, target in enumerate(values["target"].values)
        }
        below = figure.axes[list(figure.axes).index(panel) + 2]
        assert [label.get_text() for label in below.get_xticklabels()] == [
            f"{target}\nn = {int(search.rsa['n_stimuli'].sel(split=split, target=target)):,}"
            for target in values["target"].values
        ]
    text = text_of(figure)
    assert "n: stimuli." in text
    # aIT has no ceiling on report images.
    assert "0.43 to 0.62" in text and text.count("not available") == 1 and "Hatched" in text
    # Below every map the framed layer's raw similarity stands as a share of upper and lower bound.
    for split in ("reward", "report"):
        for target, (lower, upper) in ((t, bounds(groups)[t][split]) for t in groups):
            raw = float(
                search.rsa["rsa"].isel(checkpoint=-1).sel(split=split, target=target, layer=chosen[target])
            )
            if np.isfinite(lower):
                assert f"{100 * raw / upper:.0f} to {100 * raw / lower:.0f} %" in text
    assert "Simulated recordings" in text and "Spearman" in text


def test_layers_at_all_checkpoints(search, groups):
    figure = layers(search.rsa, bounds(groups), chosen={}, checkpoints="all")
    assert len([panel for panel in figure.axes if panel.images]) == 4
    assert "untrained" in text_of(figure) and "120,000 examples" in text_of(figure)


def test_layers_of_nothing_is_refused(search, groups):
    with pytest.raises(TgsageError, match="nothing to draw"):
        layers(search.rsa.isel(checkpoint=slice(0)), {}, chosen={})


def test_ranked_square_equals_a_loop(groups):
    target = groups["aIT"].isel(pair=slice(None))
    drawn = rdms_figure.order_of_stimuli(target)
    order, spans = drawn.order, drawn.spans
    n = target.sizes["stimulus"]
    square = squareform(target["rdm"].values)
    shown = rdms_figure.ranked_square(target["rdm"].values, order)
    pairs = sorted(square[i, j] for i in range(n) for j in range(i))
    for i, j in [(0, 1), (5, 40), (95, 3)]:
        value = square[order[i], order[j]]
        assert shown[i, j] == pytest.approx(pairs.index(value) / (len(pairs) - 1))
    assert np.isnan(np.diag(shown)).all()
    category = target["category"].values
    assert [str(c) for c in category[order]] == sorted(category)
    for name, first, last in spans:
        assert set(category[order[first:last]]) == {name}
    assert spans[-1][2] == n


def test_order_without_categories_is_a_clustering(groups):
    target = groups["aIT"].assign(category=("stimulus", [""] * groups["aIT"].sizes["stimulus"]))
    drawn = rdms_figure.order_of_stimuli(target)
    order = drawn.order
    assert sorted(order) == list(range(len(order))) and drawn.spans == [] and "clustering" in drawn.name
    # Neighbours in a clustering are nearer than any two stimuli are on average.
    square = squareform(target["rdm"].values)
    assert square[order[:-1], order[1:]].mean() < 0.7 * target["rdm"].values.mean()


def test_rdms_shows_teacher_and_network_in_one_order(search, groups):
    network = targets_of(search.rdms)
    figure = rdms(groups, network, scores={"V4": "0.12"}, mark="Simulated recordings")
    shown = [panel.images[0].get_array() for panel in figure.axes if panel.images]
    order = rdms_figure.order_of_stimuli(groups["V4"]).order
    np.testing.assert_allclose(shown[0], rdms_figure.ranked_square(groups["V4"]["rdm"].values, order))
    np.testing.assert_allclose(shown[3], rdms_figure.ranked_square(network["V4"]["rdm"].values, order))
    text = text_of(figure)
    assert "faces" in text and "n = 96 stimuli, ordered by category" in text and "ranks" in text
    assert "0.12" in text and f"network: {network['V4'].attrs['layer']}" in text and "V4, 60 sites" in text


def test_ceilings_draws_bounds_and_says_where_there_are_none(groups):
    told = {"V4": {"reward": 0.3, "report": 0.25}, "pIT": {"reward": None, "report": None}}
    figure = ceilings(groups, similarity=told, method="spearman")
    text = text_of(figure)
    assert "0.43 to 0.62" in text and "0.45 to 0.65" in text and text.count("ceiling not available") == 1
    bars = figure.axes[0].containers
    assert [(bar[0].get_x(), bar[0].get_x() + bar[0].get_width()) for bar in bars][:2] == [
        pytest.approx((0.45, 0.65)), pytest.approx((0.43, 0.63), abs=0.011),
    ]  # fmt: skip
    for raw, (lower, upper) in ((0.3, (0.45, 0.65)), (0.25, (0.43, 0.62))):
        assert f"{raw:.2f} is {100 * raw / upper:.0f} to {100 * raw / lower:.0f} % of it" in text
    assert "n = 58" in text and "n = 38" in text
    diamonds = [line for line in figure.axes[0].lines if line.get_marker() == "D"]
    assert [float(line.get_xdata()[0]) for line in diamonds] == [0.3, 0.25]


def test_ceilings_of_a_teacher_alone_show_the_raw_agreement_of_halves(groups):
    target = groups["V4"].assign(split_half=("part", [0.21, 0.33]))
    figure = ceilings({"V4": target, "pIT": groups["pIT"]}, method="spearman")
    circles = [float(line.get_xdata()[0]) for line in figure.axes[0].lines if line.get_marker() == "o"]
    assert circles == [0.21, 0.33]
    assert "agreement of two halves" in text_of(figure) and "Spearman" in text_of(figure)
    # Beside a network's similarity, only the bounds.
    beside = ceilings({"V4": target}, similarity={"V4": {"report": 0.1}})
    assert not [line for line in beside.axes[0].lines if line.get_marker() == "o"]


def test_a_reason_is_told_once(groups):
    nothing = np.full(2, np.nan)
    target = groups["V4"].assign(ceiling_lower=("part", nothing), ceiling_upper=("part", nothing))
    target["ceiling_lower"].attrs["reason"] = "reward: it is a network; report: it is a network"
    figure = ceilings({"stack_1": target, "stack_2": target})
    assert text_of(figure).count("it is a network") == 1 and "stack_1, stack_2: it is a network" in text_of(
        figure
    )
    assert text_of(figure).count("ceiling not available") == 4
    assert figure.axes[0].get_xlim() == (0, 1)
    other = target.copy()
    other["ceiling_lower"].attrs["reason"] = "reward: too few; report: it is a network"
    assert "IT: reward: too few; report: it is a network" in text_of(ceilings({"IT": other}))


def test_ceilings_repeat_the_files_reason(groups):
    target = groups["aIT"].copy()
    target["ceiling_lower"].attrs["reason"] = "report: only an RDM is published"
    assert "aIT: report: only an RDM is published" in text_of(ceilings({"aIT": target}))


def test_reliability_counts_sites_and_tells_medians():
    values = xr.DataArray(
        [0.1, 0.5, 0.9, np.nan, 0.3, 0.7],
        dims="neuroid",
        coords={
            "region": ("neuroid", ["V4", "V4", "V4", "V4", "IT", "IT"]),
            "animal": ("neuroid", ["a", "a", "b", "b", "a", "a"]),
        },
    )
    text = text_of(reliability(values))
    assert "a: n = 2, median 0.30" in text and "b: n = 1, median 0.90" in text
    assert "a: n = 2, median 0.50" in text
    assert "n = 5 sites" in text and "1 sites without" in text
    assert "range 0.10 to 0.50" in text and "halvings" not in text
    assert "7 random halvings" in text_of(reliability(values.assign_attrs(n_splits=7)))
    with pytest.raises(TgsageError, match="no site"):
        reliability(values * np.nan)


def test_stimuli_shows_every_stimulus_as_thumbnail_or_dot(groups):
    figure = stimuli("aIT", groups["aIT"], most=20, mark="Simulated recordings")
    panel = figure.axes[0]
    thumbnails = [artist for artist in panel.artists if isinstance(artist, AnnotationBbox)]
    dots = panel.collections[0].get_offsets()
    assert len(thumbnails) == 20 and len(dots) == 76
    assert "two dimensions carry" in text_of(figure) and "n = 96" in text_of(figure)
    assert "Kruskal's stress-1 is" in text_of(figure) and "32 × 32 pixels" in text_of(figure)
    broken = groups["aIT"].copy(deep=True)
    broken["rdm"][3] = np.nan
    with pytest.raises(TgsageError, match="undefined"):
        stimuli("aIT", broken)


def test_stimuli_of_more_categories_than_colours_stay_apart(groups):
    kinds = [f"kind {i % 10}" for i in range(96)]
    figure = stimuli("aIT", groups["aIT"].assign(category=("stimulus", kinds)), most=20)
    (legend,) = figure.legends
    looks = [(line.get_color(), line.get_marker()) for line in legend.get_lines()]
    assert len(looks) == len(set(looks)) == 10
    dots, triangles = figure.axes[0].collections
    assert len(dots.get_offsets()) + len(triangles.get_offsets()) == 76
    dashed = [
        a for a in figure.axes[0].artists if isinstance(a, AnnotationBbox) and a.patch.get_linestyle() != "-"
    ]
    assert len(dashed) + len(triangles.get_offsets()) == kinds.count("kind 8") + kinds.count("kind 9")


def test_a_large_rdm_is_drawn_as_means_over_blocks(groups, monkeypatch):
    target = groups["V4"]
    order = rdms_figure.order_of_stimuli(target).order
    whole = rdms_figure.ranked_square(target["rdm"].values, order)
    blocks = rdms_figure.in_blocks(whole, 7)
    for row, column in [(0, 0), (3, 9), (13, 13)]:  # 96 = 13 blocks of 7 and one of 5
        part = whole[7 * row : 7 * row + 7, 7 * column : 7 * column + 7]
        assert blocks[row, column] == pytest.approx(np.nanmean(part))
    assert blocks.shape == (14, 14) and rdms_figure.in_blocks(whole, 1) is whole
    assert np.isnan(rdms_figure.in_blocks(np.full((2, 2), np.nan), 2)).all()
    monkeypatch.setattr(rdms_figure, "MAX_CELLS", 32)
    figure = rdms({"V4": target})
    np.testing.assert_allclose(figure.axes[0].images[0].get_array(), rdms_figure.in_blocks(whole, 3))
    # Lines between categories stay where they were.
    assert figure.axes[0].images[0].get_extent() == [-0.5, 95.5, 95.5, -0.5]
    text = text_of(figure)
    assert (
        "mean ranks of 3 × 3 pairs" in text and "(1 − Pearson's r)" in text and "Median dissimilarity" in text
    )


def test_units_of_a_network_are_not_sites(groups):
    target = groups["V4"].assign_attrs(n_sites=16384, subsamples=10)
    assert "V4, 16,384 units" in text_of(rdms({"V4": target}))
    assert words.n_channels(groups["V4"]) == "60 sites"
    assert words.n_channels(groups["V4"].assign_attrs(n_sites=0)) == ""


def test_colours_stay_with_their_arms():
    assert (
        style.colours_of(["shuffled", "mine"])["shuffled"]
        == style.colours_of(["monkey", "shuffled"])["shuffled"]
    )
    assert style.colours_of(["random"])["random"] == style.colours_of(["monkey", "random"])["random"]
    many = style.colours_of(["monkey", "none", "a", "b", "c", "network"])
    assert len(set(many.values())) == 6


def test_categories_of_another_stimulus_set_get_labels_of_their_own(groups):
    other = groups["aIT"].copy()
    other["category"] = ("stimulus", [f"kind {i % 3}" for i in range(other.sizes["stimulus"])])
    figure = rdms({"V4": groups["V4"], "pIT": groups["pIT"], "IT": other})
    named = [[label.get_text() for label in panel.get_xticklabels()] for panel in figure.axes[:3]]
    assert named == [[], [], ["kind 0", "kind 1", "kind 2"]]
