r"""Ridge regression, its predictive uncertainty, and how well it predicts.

Known mature accuracies y are regressed on features X (Hoerl and Kennard 1970). Features are standardised with
the mean and population standard deviation of the n fitted rows, and y is centred:

.. math:: w = (X^T X + \lambda I)^{-1} X^T (y - \bar y), \qquad \hat y_i = \bar y + x_i^T w .

:math:`\lambda` is the value among ``n * PENALTIES`` with the least squared error in K-fold cross-validation,
the largest of several. Each fold is standardised separately. The quality of the fit is estimated by a second
K-fold cross-validation around the first, so that no penalty is chosen on the rows that judge it.

The predictive standard deviation is that of the Bayesian linear model whose posterior mean is ridge
regression (prior :math:`w \sim N(0, \sigma^2 / \lambda)`, flat prior of the intercept; Bishop 2006, equations
3.53-3.59):

.. math:: s_i^2 = \sigma^2 (1 + 1 / n + x_i^T (X^T X + \lambda I)^{-1} x_i),

with :math:`\sigma^2 = RSS / (n - 1 - d)`, where d are the effective degrees of freedom
:math:`\mathrm{tr}\, X (X^T X + \lambda I)^{-1} X^T` (Hastie, Tibshirani and Friedman 2009, equation 3.50). If
fewer than one degree is left, :math:`\sigma` is the cross-validated error. It holds for candidates that are
drawn as those of known accuracy were. Finalists are not, for they are chosen by their score.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from ...store import seed_from
from ..base import EQUAL, Array
from .fitted import Performance

PENALTIES = tuple(10.0 ** (half / 2) for half in range(-10, 5))
"""Ridge penalties per fitted row that cross-validation chooses from, 1e-5 to 100."""


def random_folds(n: int, k: int, seed: int) -> NDArray[np.int_]:
    """Return a random fold, 0 to k - 1, for each of n rows; sizes of folds differ by at most one."""
    fold = np.empty(n, dtype=int)
    fold[np.random.default_rng(seed).permutation(n)] = np.arange(n) % k
    return fold


def _moments(x: Array) -> tuple[Array, Array]:
    """Return means and population standard deviations; the latter are 1 for features that do not vary."""
    deviation = x.std(axis=0)
    return x.mean(axis=0), np.where(np.ptp(x, axis=0) > 0, deviation, 1.0)


def regress(x: Array, y: Array, penalty: float) -> tuple[Array, Array, Array, float]:
    """Return means, standard deviations and weights of the (standardised) features, and the intercept."""
    means, sds = _moments(x)
    z = (x - means) / sds
    intercept = float(y.mean())
    weights: Array = np.linalg.solve(z.T @ z + penalty * np.eye(z.shape[1]), z.T @ (y - intercept))
    return means, sds, weights, intercept


def best_penalty(x: Array, y: Array, fold: NDArray[np.int_]) -> float:
    """Return the penalty with the least squared error over all folds; the largest of several."""
    penalties = len(y) * np.array(PENALTIES)
    errors = np.zeros(len(penalties))
    for left_out in np.unique(fold):
        test = fold == left_out
        means, sds = _moments(x[~test])
        u, s, vt = np.linalg.svd((x[~test] - means) / sds, full_matrices=False)
        centre = y[~test].mean()
        # All penalties at once: w = V s / (s^2 + lambda) U'y.
        weights = vt.T @ ((s / (s**2 + penalties[:, None])) * (u.T @ (y[~test] - centre))).T
        predicted = centre + ((x[test] - means) / sds) @ weights
        errors += ((y[test][:, None] - predicted) ** 2).sum(axis=0)
    return float(penalties[np.flatnonzero(errors == errors.min())[-1]])


def predict_held_out(x: Array, y: Array, fold: NDArray[np.int_], k: int, seed: int) -> Array:
    """Predict every row by a regression on the other folds, whose penalty is chosen within those."""
    predicted = np.empty(len(y))
    for left_out in np.unique(fold):
        test = fold == left_out
        inner = random_folds(int((~test).sum()), k, seed_from("calibrated guidance", seed, int(left_out)))
        penalty = best_penalty(x[~test], y[~test], inner)
        means, sds, weights, intercept = regress(x[~test], y[~test], penalty)
        predicted[test] = intercept + ((x[test] - means) / sds) @ weights
    return predicted


def performance(y: Array, predicted: Array) -> Performance:
    """Compare predictions with what they predict."""
    squared = float(((y - predicted) ** 2).sum())
    total = float(((y - y.mean()) ** 2).sum())
    return Performance(
        n=len(y),
        rmse=math.sqrt(squared / len(y)),
        r2=1 - squared / total if total > 0 else None,
        spearman=_spearman(y, predicted),
    )


def _spearman(a: Array, b: Array) -> float | None:
    """Return the rank correlation; None if either is constant."""
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return None
    return float(spearmanr(a, b).statistic)


def partial_spearman(a: Array, b: Array, given: Array) -> float | None:
    """Return the rank correlation of a and b given a third variable; None if it is undefined.

    It is the correlation of the residuals of the ranks after regression on the ranks of ``given``.
    """
    if not np.isfinite(given).all():
        return None
    ab, ag, bg = _spearman(a, b), _spearman(a, given), _spearman(b, given)
    if ab is None or ag is None or bg is None:
        return None
    left = (1 - ag**2) * (1 - bg**2)
    return float((ab - ag * bg) / math.sqrt(left)) if left > EQUAL else None


def uncertainty(x: Array, y: Array, penalty: float, fallback: float) -> tuple[Array, float]:
    r"""Return :math:`(X^T X + \lambda I)^{-1}` and :math:`\sigma` of a regression.

    :math:`\sigma` is ``fallback`` if fewer than one degree of freedom is left.
    """
    means, sds, weights, intercept = regress(x, y, penalty)
    z = (x - means) / sds
    inverse: Array = np.linalg.inv(z.T @ z + penalty * np.eye(x.shape[1]))
    freedom = len(y) - 1 - float((inverse * (z.T @ z)).sum())
    residual = y - intercept - z @ weights
    return inverse, math.sqrt(float(residual @ residual) / freedom) if freedom >= 1 else fallback
