"""Reliability and stimulus means, against loops that anyone can read."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from tgsage import recordings
from tgsage.errors import TgsageError
from tgsage.recordings.split_half import halvings
from tgsage.store import seed_from


def slow_reliability(assembly, n_splits, seed):
    """The same splits, one site, one split and one stimulus at a time."""
    values = assembly.values.astype(float)
    values = values if values.ndim == 2 else values.mean(axis=2)
    stimuli = list(dict.fromkeys(assembly.stimulus_id.values))
    codes = np.array([stimuli.index(name) for name in assembly.stimulus_id.values])
    labels = list(halvings(codes, n_splits, np.random.default_rng(seed_from("reliability", seed))))
    result = []
    for site in values:
        correlations = []
        for split in labels:
            first, second = [], []
            for code in range(len(stimuli)):
                a = [x for x, c, half in zip(site, codes, split, strict=True) if c == code and half == 0]
                b = [x for x, c, half in zip(site, codes, split, strict=True) if c == code and half == 1]
                if a:
                    first.append(sum(a) / len(a))
                    second.append(sum(b) / len(b))
            correlations.append(scipy.stats.pearsonr(first, second).statistic)
        r = sum(correlations) / n_splits
        result.append(2 * r / (1 + r))
    return np.array(result)


@pytest.mark.parametrize("bins", [None, 3])
@pytest.mark.parametrize("repeats", [[4] * 12, [1, 2, 3, 4, 5, 6, 7, 2, 2, 3, 1, 9]])
def test_reliability_is_that_of_a_slow_loop(small_assembly, repeats, bins):
    assembly = small_assembly(repeats, bins=bins)
    fast = recordings.reliability(assembly, n_splits=7, seed=5)
    assert fast.dims == ("neuroid",)
    assert list(fast.neuroid_id.values) == list(assembly.neuroid_id.values)
    np.testing.assert_allclose(fast.values, slow_reliability(assembly, 7, 5), rtol=1e-10)


def test_blocks_of_splits_change_nothing(small_assembly, monkeypatch):
    assembly = small_assembly()
    whole = recordings.reliability(assembly, n_splits=9)
    monkeypatch.setattr("tgsage.recordings.split_half._CHUNK", 1)
    np.testing.assert_array_equal(recordings.reliability(assembly, n_splits=9), whole)


def test_halves_are_equal_disjoint_and_random():
    codes = np.repeat(np.arange(5), [1, 2, 3, 6, 7])
    generator = np.random.default_rng(0)
    codes = generator.permutation(codes)
    labels = np.stack(list(halvings(codes, 400, generator)))
    for code, n in enumerate([1, 2, 3, 6, 7]):
        mine = labels[:, codes == code]
        assert ((mine == 0).sum(axis=1) == n // 2).all()
        assert ((mine == 1).sum(axis=1) == n // 2).all()
        # Every presentation is as often in the first half as any other: n // 2 of n times.
        share = (mine == 0).mean(axis=0)
        assert np.abs(share - (n // 2) / n).max() < 0.12
    assert len({row.tobytes() for row in labels}) > 300


def test_same_seed_same_values(small_assembly):
    assembly = small_assembly()
    once, again = (recordings.reliability(assembly, 5, seed=1) for _ in range(2))
    np.testing.assert_array_equal(once, again)
    assert not np.array_equal(once, recordings.reliability(assembly, 5, seed=2))


def test_estimates_the_reliability_of_the_mean(small_assembly):
    """With Poisson noise the reliability of an n-repeat mean is known: var(rate) / (var(rate) + rate / n)."""
    generator = np.random.default_rng(0)
    n_stimuli, n = 400, 8
    rates = generator.gamma(3.0, 2.0, n_stimuli)
    assembly = small_assembly([n] * n_stimuli, n_sites=4)
    codes = np.array([int(name[6:]) for name in assembly.stimulus_id.values])
    assembly = assembly.copy(data=generator.poisson(rates[codes], assembly.shape))
    expected = rates.var() / (rates.var() + rates.mean() / n)
    np.testing.assert_allclose(recordings.reliability(assembly, 20), expected, atol=0.03)


def test_a_site_that_never_varies_has_no_reliability(small_assembly):
    assembly = small_assembly([4] * 12).astype(np.float64)
    assembly[1] = 0.1
    values = recordings.reliability(assembly, 10).values
    assert np.isnan(values[1])
    assert np.isfinite(np.delete(values, 1)).all()


def test_offset_and_gain_do_not_matter(small_assembly):
    assembly = small_assembly([4] * 12).astype(np.float64)
    plain = recordings.reliability(assembly, 10)
    np.testing.assert_allclose(recordings.reliability(assembly * 1e-9, 10), plain, rtol=1e-8)
    np.testing.assert_allclose(recordings.reliability(assembly + 1e6, 10), plain, rtol=1e-6)


@pytest.mark.parametrize("averaged", [True, False])
def test_single_repeats_are_one_line(small_assembly, averaged):
    assembly = small_assembly([1] * 12)
    if averaged:
        assembly.attrs["repeats_averaged"] = 12
    with pytest.raises(TgsageError, match="12 repetitions are published averaged" if averaged else "0 of 12"):
        recordings.reliability(assembly)


@pytest.mark.parametrize("bins", [None, 2])
def test_stimulus_means_are_those_of_a_slow_loop(small_assembly, bins):
    assembly = small_assembly(bins=bins)
    means = recordings.stimulus_means(assembly)
    names = list(dict.fromkeys(assembly.stimulus_id.values))
    assert means.dims == ("neuroid", "stimulus")
    assert means.dtype == np.float64
    assert list(means.stimulus_id.values) == names
    for column, name in enumerate(names):
        shown = assembly.values[:, assembly.stimulus_id.values == name].astype(float)
        assert means.n_repeats.values[column] == shown.shape[1]
        np.testing.assert_allclose(means.values[:, column], shown.reshape(len(shown), -1).mean(axis=1))
        assert means.object_name.values[column] == f"object_{int(name[6:]) // 4}"
    assert "repetition" not in means.coords
    assert list(means.subregion.values) == list(assembly.subregion.values)
    assert recordings.repeats(assembly).sum() == assembly.sizes["presentation"]


UNEQUAL = [1, 2, 3, 4, 5, 6, 7, 2, 2, 3, 1, 9]


@pytest.mark.parametrize("bins", [None, 2])
def test_stimulus_means_are_those_of_groupby(small_assembly, bins):
    """xarray as the referee, in another order of stimuli."""
    assembly = small_assembly(UNEQUAL, bins=bins).astype(np.float64)
    theirs = assembly.groupby("stimulus_id").mean("presentation")
    theirs = theirs.mean("time_bin") if bins else theirs
    means = recordings.stimulus_means(assembly)
    order = np.argsort(means.stimulus_id.values)
    np.testing.assert_array_equal(theirs.stimulus_id.values, means.stimulus_id.values[order])
    np.testing.assert_allclose(theirs.transpose("neuroid", ...).values, means.values[:, order], rtol=1e-12)


def test_a_stimulus_that_was_shown_more_often_counts_no_more(small_assembly):
    """Every stimulus is the mean over its own repetitions, however often it or others were shown."""
    assembly = small_assembly(UNEQUAL)
    means = recordings.stimulus_means(assembly)
    for stimulus in ("image_00", "image_11"):
        here = assembly["stimulus_id"].values == stimulus
        rows = np.concatenate([np.arange(len(here)), np.repeat(np.flatnonzero(here), 3)])
        more = assembly.isel(presentation=rows)
        again = recordings.stimulus_means(more)
        np.testing.assert_array_equal(again.stimulus_id.values, means.stimulus_id.values)
        np.testing.assert_allclose(again.values, means.values, rtol=1e-12)
        times = np.where(means.stimulus_id.values == stimulus, 4, 1)
        np.testing.assert_array_equal(again.n_repeats.values, means.n_repeats.values * times)
        # The wrong mean, over presentations, does move.
        assert not np.allclose(more.mean("presentation"), assembly.mean("presentation"))


def test_reliability_with_unequal_repeats_is_what_their_noise_says(small_assembly):
    """Halves of n // 2 Poisson counts: r = var(rate) / (var(rate) + mean over stimuli of rate / (n // 2))."""
    generator = np.random.default_rng(1)
    n_stimuli = 500
    repeats = generator.choice([2, 3, 9, 12], n_stimuli)
    rates = generator.gamma(3.0, 2.0, n_stimuli)
    assembly = small_assembly(repeats.tolist(), n_sites=4)
    codes = np.array([int(name[6:]) for name in assembly.stimulus_id.values])
    assembly = assembly.copy(data=generator.poisson(rates[codes], assembly.shape))
    r = rates.var() / (rates.var() + (rates / (repeats // 2)).mean())
    np.testing.assert_allclose(recordings.reliability(assembly, 30), 2 * r / (1 + r), atol=0.03)
    # Taken for equal, at their mean number, the repetitions would promise more than they hold.
    equal = rates.var() / (rates.var() + rates.mean() / repeats.mean())
    assert equal > 2 * r / (1 + r) + 0.05


def test_stimuli_shown_once_do_not_enter_the_reliability(small_assembly):
    assembly = small_assembly([1, 1, 1] + [4] * 9)
    values = recordings.reliability(assembly, 20)
    wild = assembly.copy(deep=True)
    once = np.isin(wild["stimulus_id"].values, ["image_00", "image_01", "image_02"])
    wild[:, once] = wild[:, once] * 7 + 3
    np.testing.assert_allclose(recordings.reliability(wild, 20), values, rtol=1e-8)
