"""Controls made of the recordings themselves: fewer sites, and noise with the recordings' statistics."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from ....errors import TgsageError, unknown
from ....recordings.assembly import means_by_code, responses, stimulus_codes
from ....store import seed_from


def subsample_sites(
    assembly: xr.DataArray, n: int, *, regions: Sequence[str] | None = None, seed: int = 0
) -> xr.DataArray:
    """Keep n sites of every region, drawn at random, in their order.

    Parameters
    ----------
    assembly
        (neuroid, presentation[, time_bin]) with ``region`` on neuroid.
    n, seed
        Sites of each region, and the seed of the draw.
    regions
        Keep these regions only; None keeps all.

    Raises
    ------
    TgsageError
        If a region is absent or has fewer sites.
    """
    present = assembly["region"].values.astype(str)
    kept = []
    for region in np.unique(present) if regions is None else regions:
        sites = np.flatnonzero(present == region)
        if not len(sites):
            raise unknown("region", region, np.unique(present))
        if len(sites) < n:
            raise TgsageError(
                f"region {region!r} has {len(sites)} sites, of which {n} cannot be drawn; lower n_sites"
            )
        rng = np.random.default_rng(seed_from("subsampled sites", seed, str(region)))
        kept.append(rng.choice(sites, n, replace=False))
    return assembly.isel(neuroid=np.sort(np.concatenate(kept)))


def noise_recordings(assembly: xr.DataArray, *, seed: int = 0) -> xr.DataArray:
    """Replace responses by Gaussian noise with the recordings' mean, covariance spectrum and reliability.

    What the recordings and the stimuli have to do with each other is gone; how many dimensions the responses
    have, how strong they are and how well they repeat is kept. Per region, with M the stimulus means and R
    the numbers of repetitions:

    * the covariance of single responses around M, pooled over stimuli, is the noise covariance N;
    * the signal covariance is cov(M) - N · mean(1/R), with negative eigenvalues set to 0;
    * a random signal per stimulus is drawn and brought to exactly that covariance and to the mean of M (as
      far as there are more stimuli than sites), and noise of covariance N is added to every presentation.

    With averaged responses, which have no N, the responses have exactly the mean and covariance of M.

    Parameters
    ----------
    assembly
        (neuroid, presentation[, time_bin]); time bins are averaged.
    seed
        Of the draws.

    Returns
    -------
    xarray.DataArray
        (neuroid, presentation) with all coordinates, and attribute ``simulated`` = 1.
    """
    data = responses(assembly)
    index, _ = stimulus_codes(assembly)
    counts = np.bincount(index)
    noise_data = np.empty_like(data)
    regions = assembly["region"].values.astype(str)
    for region in np.unique(regions):
        sites = np.flatnonzero(regions == region)
        rng = np.random.default_rng(seed_from("noise recordings", seed, region))
        recorded = data[:, sites]
        means = means_by_code(recorded, index)
        degrees = len(index) - len(counts)
        residual = recorded - means[index]
        noise = residual.T @ residual / degrees if degrees else np.zeros((len(sites), len(sites)))
        signal = np.cov(means, rowvar=False) - noise * np.mean(1 / counts)
        drawn = means.mean(axis=0) + _exact(rng, len(counts), len(sites)) @ _root(signal).T
        noise_data[:, sites] = drawn[index]
        if degrees:
            noise_data[:, sites] += rng.standard_normal(recorded.shape) @ _root(noise).T
    template = assembly.isel(time_bin=0, drop=True) if "time_bin" in assembly.dims else assembly
    template = template.transpose("neuroid", "presentation")
    return template.copy(data=noise_data.T).assign_attrs(simulated=1)


def _root(covariance: np.ndarray) -> np.ndarray:
    """Return a matrix A with A Aᵀ = covariance, whose negative eigenvalues count as 0."""
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors * np.sqrt(np.clip(values, 0, None)))


def _exact(rng: np.random.Generator, n: int, k: int) -> np.ndarray:
    """Draw (n, k) normal values of mean 0 and, where n > k, of sample covariance exactly the identity."""
    draws = rng.standard_normal((n, k))
    draws -= draws.mean(axis=0)
    if n <= k:
        return draws
    orthogonal, triangle = np.linalg.qr(draws)
    return np.asarray(orthogonal * np.sign(np.diag(triangle)) * np.sqrt(n - 1))
