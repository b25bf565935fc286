"""How well a site agrees with itself over repetitions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
import scipy.sparse
import xarray as xr
from numpy.typing import NDArray

from ..errors import TgsageError
from ..store import seed_from
from .assembly import responses, stimulus_codes

MINIMAL_STIMULI = 3
_CHUNK = 20_000_000
"""Numbers in memory at once: splits are computed in blocks of this size."""


def reliability(assembly: xr.DataArray, n_splits: int = 100, seed: int = 0) -> xr.DataArray:
    """Split-half reliability of every site, Spearman-Brown corrected.

    In every split the repetitions of each stimulus are divided at random into two halves of equal size (an
    odd one is left out; stimuli shown once are left out), the halves are averaged, and the two
    profiles over stimuli are correlated (Pearson). The mean r over splits is corrected to the full number
    of repetitions, 2 r / (1 + r) (Spearman 1910; Brown 1910). Averaging comes before correcting, because
    the correction of a single very negative r diverges.

    Parameters
    ----------
    assembly
        (neuroid, presentation[, time_bin]); stimuli may differ in their number of repetitions.
    n_splits
        Random splits.
    seed
        Of the splits, which are the same for all sites.

    Returns
    -------
    xarray.DataArray
        (neuroid) float64, with the coordinates of the sites. At most 1; NaN for a site that does not vary
        over stimuli in one of the halves of some split, and for a site with a non-finite response.

    Raises
    ------
    TgsageError
        If fewer than 3 stimuli were shown more than once.
    """
    if n_splits < 1:
        raise TgsageError(f"reliability: n_splits is {n_splits}; ask for at least one split")
    codes, identifiers = stimulus_codes(assembly)
    counts = np.bincount(codes, minlength=len(identifiers))
    check_repeated(assembly, counts)
    values = responses(assembly)
    # Centred and scaled first: sums of squares of large rates would cancel, and "constant" gets a meaning.
    varies = np.ptp(values, axis=0) > 0
    values = np.where(varies, values - values.mean(axis=0), 0.0)
    values /= np.where(varies, values.std(axis=0), 1.0)
    generator = np.random.default_rng(seed_from("reliability", seed))
    n_sites = values.shape[1]
    used = np.flatnonzero(counts >= 2)
    position = np.full(len(identifiers), -1)
    position[used] = np.arange(len(used))
    halves_size = (counts[used] // 2).astype(np.float64)
    block = max(1, _CHUNK // (2 * len(used) * n_sites))
    total = np.zeros(n_sites)
    for done in range(0, n_splits, block):
        n = min(block, n_splits - done)
        labels = np.stack(list(halvings(codes, n, generator)))
        split, presentation = np.nonzero(labels >= 0)
        row = (split * 2 + labels[split, presentation]) * len(used) + position[codes[presentation]]
        sums = scipy.sparse.csr_matrix(
            (np.ones(len(row)), (row, presentation)), shape=(n * 2 * len(used), len(codes))
        )
        means = (sums @ values).reshape(n, 2, len(used), n_sites) / halves_size[:, None]
        total += _pearson(means[:, 0], means[:, 1]).sum(axis=0)
    r = total / n_splits
    # r = -1 exactly would divide by zero; its limit says the same: no reliability whatever.
    with np.errstate(divide="ignore"):
        corrected = 2 * r / (1 + r)
    coords = {str(name): coord for name, coord in assembly.coords.items() if coord.dims == ("neuroid",)}
    attrs = {"n_splits": n_splits, "seed": seed, "correction": "Spearman-Brown"}
    return xr.DataArray(corrected, coords, "neuroid", name="reliability", attrs=attrs)


def check_repeated(assembly: xr.DataArray, counts: np.ndarray) -> None:
    """Raise unless at least three stimuli were shown more than once."""
    repeated = int((counts >= 2).sum())
    if repeated >= MINIMAL_STIMULI:
        return
    averaged = assembly.attrs.get("repeats_averaged")
    why = (
        f"its {averaged} repetitions are published averaged"
        if averaged
        else f"only {repeated} of {len(counts)} stimuli were shown more than once"
    )
    raise TgsageError(
        f"recordings {assembly.attrs.get('stimulus_set_identifier', '')}: reliability and noise ceilings "
        f"need repetitions, but {why}; use the raw responses, or ask for no reliability"
    )


def random_ranks(codes: NDArray[np.int64], generator: np.random.Generator) -> NDArray[np.int64]:
    """Number the presentations of every stimulus, (presentation,) codes, from 0 on in a random order."""
    counts = np.bincount(codes)
    order = np.lexsort((generator.random(len(codes)), codes))
    ranks = np.empty(len(codes), dtype=np.int64)
    ranks[order] = np.arange(len(codes)) - (np.cumsum(counts) - counts)[codes[order]]
    return ranks


def halvings(
    codes: NDArray[np.int64],
    n_splits: int,
    generator: np.random.Generator,
    *,
    odd: Literal["leave out", "coin"] = "leave out",
) -> Iterator[NDArray[np.int8]]:
    """Halve the presentations of every stimulus at random, ``n_splits`` times.

    Parameters
    ----------
    codes
        (presentation,): number of each presentation's stimulus.
    n_splits, generator
        Number of halvings, and the source of their random numbers.
    odd
        What happens to the last of an odd number of presentations: it is left out, or a coin decides which
        half gets it.

    Yields
    ------
    numpy.ndarray
        (presentation,) int8: 0 or 1, the half; -1, left out.
    """
    counts = np.bincount(codes)
    for _ in range(n_splits):
        ranks = random_ranks(codes, generator)
        if odd == "coin":
            first, end = (counts + generator.integers(0, 2, len(counts))) // 2, counts
        else:
            first, end = counts // 2, counts // 2 * 2
        yield np.where(ranks < first[codes], 0, np.where(ranks < end[codes], 1, -1)).astype(np.int8)


def _pearson(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Correlate two arrays (splits, stimuli, sites) over the stimuli, which gives (splits, sites)."""
    a = a - a.mean(axis=1, keepdims=True)
    b = b - b.mean(axis=1, keepdims=True)
    norm = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    # Rounding leaves a constant profile of standardised values with a norm of about 1e-30, not 0.
    norm[norm < 1e-20] = np.nan
    r: NDArray[np.float64] = np.clip((a * b).sum(axis=1) / norm, -1, 1)
    return r
