r"""Encoding models: recorded responses from features of a frozen network, cross-validated.

Ridge regression and partial least squares (Wold 1975; PLS2 by NIPALS as scikit-learn has it), all penalties
or numbers of components at once. For a fold :math:`f` of the stimuli, layer and penalty are chosen by the
squared error on the other folds :math:`g`, each predicted by a model fitted without :math:`f` and :math:`g`;
that model serves the pair :math:`\{f, g\}` both ways. Nothing of fold :math:`f` has a part in the choice of
what predicts it, so the held-out correlations are those of the whole procedure and not of its luckiest
setting.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ....errors import TgsageError
from ....store import seed_from

Model = Callable[..., list[torch.Tensor]]
"""(features, responses, *other features) -> for each of the others predictions (candidates, stimuli,
sites)."""

VARIANCE_FLOOR = 0.1
"""A feature's deviation counts as no less than this share of the root mean square over features."""
RANK_TOLERANCE = 1e-10
"""Principal components of less than this share of the largest one's variance are rounding errors."""


@dataclass(frozen=True)
class Fitted:
    """What cross-validation found for the sites of a target."""

    layer: str  # of all stimuli's cross-validation
    candidate: np.ndarray  # (sites,) number of each site's penalty, or number of components
    predictivity: np.ndarray  # (sites,) mean over folds of Pearson's r of held-out predictions and responses
    fold_layers: tuple[str, ...]  # layer that each fold was predicted from
    held_out: np.ndarray  # (stimuli, sites) predictions without the stimulus's fold, in units of responses


def standardise(recorded: torch.Tensor, shown: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Centre and scale features (n, features) and (m, features) by their values for the recorded stimuli.

    A deviation counts as no less than a tenth of the deviations' root mean square: a unit that hardly
    answered to the recorded stimuli must not rule what is predicted for others. Returns float32 on the CPU.

    Raises
    ------
    TgsageError
        If no feature varies, or some are not finite.
    """
    recorded, shown = recorded.float().cpu(), shown.float().cpu()
    if not (recorded.isfinite().all() and shown.isfinite().all()):
        raise TgsageError("features are not all finite; check the weights of the feature network")
    mean = recorded.mean(0, dtype=torch.float64).float()
    variance = (recorded - mean).square_().mean(0, dtype=torch.float64)
    scale = variance.sqrt().clamp_min(VARIANCE_FLOOR * float(variance.mean().sqrt())).float()
    if not scale.min() > 0:
        raise TgsageError(
            "features are the same for all recorded stimuli; check the feature network's weights"
        )
    return (recorded - mean).div_(scale), (shown - mean).div_(scale)


def reduce(
    recorded: torch.Tensor, shown: torch.Tensor, reduction: str, n_features: int, seed: int = 0
) -> tuple[torch.Tensor, torch.Tensor]:
    """Bring features to fewer dimensions, and to a mean squared length of 1 over the recorded stimuli.

    ``recorded`` (n, features) and ``shown`` (m, features) are standardised; the result is float64.
    ``reduction`` is ``pca``, the leading principal components of the recorded stimuli, or ``projection``,
    Gaussian random. No more than ``n_features`` stay; a layer that has no more stays as it is.
    """
    n, size = recorded.shape
    if size > n_features and reduction == "pca":
        # Through the smaller of the two Gram matrices; the features may be a hundred times as many.
        if size > n:
            values, left = torch.linalg.eigh(_inner(recorded, recorded))
            values, left = _leading(values, left, n_features)
            shown = _inner(shown, recorded) @ left / values.sqrt()
            recorded = left * values.sqrt()
        else:
            values, right = torch.linalg.eigh(recorded.double().T @ recorded.double())
            _, right = _leading(values, right, n_features)
            recorded, shown = recorded.double() @ right, shown.double() @ right
    elif size > n_features:
        rng = np.random.default_rng(seed_from("projected features", seed, size, n_features))
        matrix = torch.from_numpy(rng.standard_normal((size, n_features)))
        recorded, shown = _inner(recorded, matrix.T), _inner(shown, matrix.T)
    recorded, shown = recorded.double(), shown.double()
    length = recorded.square().sum(1).mean().sqrt()
    return recorded / length, shown / length


def _inner(a: torch.Tensor, b: torch.Tensor, block: int = 8192) -> torch.Tensor:
    """Return products (n, m) in float64, a block of features at a time: a layer may have 100,000."""
    total = torch.zeros((len(a), len(b)), dtype=torch.float64)
    for start in range(0, a.shape[1], block):
        columns = slice(start, start + block)
        total += a[:, columns].double() @ b[:, columns].double().T
    return total


def _leading(values: torch.Tensor, vectors: torch.Tensor, n: int) -> tuple[torch.Tensor, torch.Tensor]:
    values, vectors = values.flip(0)[:n], vectors.flip(1)[:, :n]
    kept = values > RANK_TOLERANCE * values[0]
    return values[kept], vectors[:, kept]


def ridge(penalties: Sequence[float]) -> Model:
    r"""Ridge regression with an intercept, for all penalties :math:`\lambda` > 0 from one decomposition.

    Minimises :math:`\|y - Xw - b\|^2 + \lambda n \|w\|^2` for each site, n the number of stimuli: the
    ``Ridge(alpha=λ n)`` of scikit-learn. With features of mean squared length 1, :math:`\lambda` is a share
    of their total variance.
    """

    def predict(x: torch.Tensor, y: torch.Tensor, *others: torch.Tensor) -> list[torch.Tensor]:
        middle, level = x.mean(0), y.mean(0)
        x, y = x - middle, y - level
        if x.shape[1] <= x.shape[0]:
            values, basis = torch.linalg.eigh(x.T @ x)
        else:
            values, left = torch.linalg.eigh(x @ x.T)
            values, left = _leading(values, left, len(values))
            basis = x.T @ left / values.sqrt()
        aligned = basis.T @ (x.T @ y)
        shrunk = torch.stack([aligned / (values + p * len(x))[:, None] for p in penalties])
        return [((other - middle) @ basis) @ shrunk + level for other in others]

    return predict


def pls(components: Sequence[int]) -> Model:
    """Partial least squares of all sites together (PLS2, NIPALS), for all numbers of components at once.

    Each component is the direction of the features whose covariance with the responses is largest in norm,
    and is taken out of the features before the next: the ``PLSRegression(scale=False)`` of scikit-learn.
    Fitting raises a TgsageError if there are not as many dimensions.
    """
    most = max(components)

    def predict(x: torch.Tensor, y: torch.Tensor, *others: torch.Tensor) -> list[torch.Tensor]:
        limit = min(x.shape[0] - 1, x.shape[1])
        if most > limit:
            raise TgsageError(
                f"components: {most} are more than the {limit} dimensions of {x.shape[0]} stimuli's "
                f"{x.shape[1]} features; lower components or fold fewer"
            )
        middle, level = x.mean(0), y.mean(0)
        rest, y = x - middle, y - level
        covariance = rest.T @ y
        # What rounding leaves of a covariance that is used up.
        smallest = 1e-28 * float(rest.square().sum() * y.square().sum())
        weights, loadings, answers = [], [], []
        for _ in range(most):
            # The leading left singular vector of the covariance, through its small side.
            values, right = torch.linalg.eigh(covariance.T @ covariance)
            if values[-1] <= smallest:
                break
            weight = covariance @ right[:, -1]
            weight = weight / weight.norm()
            score = rest @ weight
            power = score @ score
            loading = rest.T @ score / power
            answer = y.T @ score / power
            rest = rest - torch.outer(score, loading)
            covariance = covariance - power * torch.outer(loading, answer)
            weights.append(weight)
            loadings.append(loading)
            answers.append(answer)
        predictions = [y.new_zeros((len(components), len(other), y.shape[1])) + level for other in others]
        if not weights:
            return predictions
        w, p, q = torch.stack(weights, 1), torch.stack(loadings, 1), torch.stack(answers)
        # PᵀW is upper triangular: the first k rotations are those of a model of k components.
        rotation = w @ torch.linalg.inv(torch.triu(p.T @ w))
        for prediction, other in zip(predictions, others, strict=True):
            scores = (other - middle) @ rotation
            for row, n in enumerate(components):
                prediction[row] += scores[:, :n] @ q[:n]
        return predictions

    return predict


def fold_labels(n: int, n_folds: int, seed: int, pictures: Sequence[str] | None = None) -> np.ndarray:
    """Assign n stimuli at random to folds of equal size, (n,) int from 0 to n_folds - 1.

    Stimuli whose ``pictures`` (n,) are equal share a fold.

    Raises
    ------
    TgsageError
        If a fold would have fewer than 4 stimuli.
    """
    keys = [str(index) for index in range(n)] if pictures is None else list(pictures)
    _, unit = np.unique(keys, return_inverse=True)
    count = int(unit.max()) + 1
    if count < 4 * n_folds:
        raise TgsageError(
            f"folds: {n_folds} folds of {count} different stimuli have fewer than 4 stimuli each; lower folds"
        )
    order = np.random.default_rng(seed_from("encoding folds", seed, n, n_folds)).permutation(count)
    place = np.empty(count, int)
    place[order] = np.arange(count) % n_folds
    return place[unit]


def cross_validate(
    features: Mapping[str, torch.Tensor],
    responses: np.ndarray,
    fold: np.ndarray,
    model: Model,
    choose_per: str = "site",
) -> Fitted:
    """Choose layer and penalty, and measure how well the procedure predicts stimuli that it has not seen.

    ``features`` (stimuli, features) of each layer are fitted to ``responses`` (stimuli, sites); ``fold`` is
    (stimuli,) of int. Each ``site`` or ``region`` has a penalty (``choose_per``). The layer is one for all
    sites: that with the largest median over sites of explained variance.
    """
    y = torch.from_numpy(np.ascontiguousarray(responses, np.float64))
    level, scale = y.mean(0), y.std(0, correction=0)
    y = (y - level) / scale
    n_folds = int(fold.max()) + 1
    rows = [torch.from_numpy(np.flatnonzero(fold == number)) for number in range(n_folds)]
    held: dict[str, list[torch.Tensor]] = {}
    inner: dict[str, list[torch.Tensor]] = {}
    for layer, x in features.items():
        held[layer] = [
            model(x[kept], y[kept], x[rows[number]])[0]
            for number in range(n_folds)
            for kept in [_others(rows, {number})]
        ]
        losses = [torch.zeros_like(held[layer][0][:, 0]) for _ in range(n_folds)]
        for one in range(n_folds):
            for two in range(one + 1, n_folds):
                kept = _others(rows, {one, two})
                of_one, of_two = model(x[kept], y[kept], x[rows[one]], x[rows[two]])
                losses[one] += (of_two - y[rows[two]]).square().sum(1)
                losses[two] += (of_one - y[rows[one]]).square().sum(1)
        inner[layer] = losses
    correlations = np.empty((n_folds, y.shape[1]))
    held_out = torch.empty_like(y)
    fold_layers = []
    for number in range(n_folds):
        rest = y[_others(rows, {number})]
        total = (rest - rest.mean(0)).square().sum(0)
        layer, candidate = _choose({name: inner[name][number] for name in features}, total, choose_per)
        predicted = held[layer][number][candidate, :, torch.arange(y.shape[1])].T
        held_out[rows[number]] = predicted * scale + level
        correlations[number] = pearson(predicted.numpy(), y[rows[number]].numpy())
        fold_layers.append(layer)
    outer = {
        name: sum((held[name][number] - y[rows[number]]).square().sum(1) for number in range(n_folds))
        for name in features
    }
    layer, candidate = _choose(outer, torch.full((y.shape[1],), float(len(y)), dtype=y.dtype), choose_per)
    # A fold in which a site never varied tells nothing of it.
    defined = np.isfinite(correlations)
    sums = np.where(defined, correlations, 0).sum(0)
    predictivity = sums / np.maximum(defined.sum(0), 1)
    return Fitted(layer, candidate.numpy(), predictivity, tuple(fold_layers), held_out.numpy())


def predict(
    features: torch.Tensor, responses: np.ndarray, others: torch.Tensor, model: Model, candidate: np.ndarray
) -> np.ndarray:
    """Fit features (stimuli, features) to responses (stimuli, sites) and predict those to others.

    ``others`` is (others, features), the prediction (others, sites) in the units of the responses;
    ``candidate`` (sites,) is the number of the penalty, or of the number of components, of each site.
    """
    y = torch.from_numpy(np.ascontiguousarray(responses, np.float64))
    level, scale = y.mean(0), y.std(0, correction=0)
    predictions = model(features, (y - level) / scale, others)[0]
    chosen = predictions[torch.from_numpy(np.asarray(candidate)), :, torch.arange(y.shape[1])].T
    return (chosen * scale + level).numpy()


def noise_corrected(predictivity: np.ndarray, reliability: np.ndarray) -> np.ndarray:
    r"""Correlation with what the site would answer without noise, (sites,): :math:`r / \sqrt{\rho}`.

    :math:`\rho` is the reliability of the site's mean responses (split half, Spearman-Brown corrected); a
    noiseless prediction that is right has :math:`r = \sqrt{\rho}` with them (Spearman 1904, Am. J. Psychol.
    15; in use for encoding models since Yamins et al. 2014, PNAS 111, and Schrimpf et al. 2018, bioRxiv
    407007, whose ceiling it is). Values above 1 are estimation errors and stay as they are. NaN where the
    reliability is not known (responses averaged over repetitions) or not positive.
    """
    reliability = np.asarray(reliability, np.float64)
    with np.errstate(invalid="ignore"):
        usable = reliability > 0
    return np.where(usable, predictivity / np.sqrt(np.where(usable, reliability, 1)), np.nan)


def pearson(predicted: np.ndarray, measured: np.ndarray) -> np.ndarray:
    """Correlation of columns: 0 where a prediction is constant, NaN where a response is."""
    a, b = predicted - predicted.mean(0), measured - measured.mean(0)
    lengths = np.sqrt((a**2).sum(0)), np.sqrt((b**2).sum(0))
    flat = lengths[0] <= 1e-12 * np.maximum(np.abs(predicted).max(0), 1e-300) * np.sqrt(len(a))
    silent = lengths[1] <= 1e-12 * np.maximum(np.abs(measured).max(0), 1e-300) * np.sqrt(len(b))
    product = np.where(flat | silent, 1, lengths[0] * lengths[1])
    r = np.where(flat, 0.0, (a * b).sum(0) / product)
    return np.where(silent, np.nan, r)


def _others(rows: Sequence[torch.Tensor], left_out: set[int]) -> torch.Tensor:
    return torch.cat([members for number, members in enumerate(rows) if number not in left_out]).sort()[0]


def _choose(losses: Mapping[str, Any], total: torch.Tensor, choose_per: str) -> tuple[str, torch.Tensor]:
    """Return the layer whose median site is explained best, and each site's candidate there."""
    best: tuple[float, str, torch.Tensor] | None = None
    for layer, loss in losses.items():
        share = loss / total
        if choose_per == "region":
            candidate = share.mean(1).argmin().expand(share.shape[1])
        else:
            candidate = share.argmin(0)
        explained = float(torch.quantile(1 - share.gather(0, candidate[None])[0], 0.5))
        if best is None or explained > best[0]:
            best = (explained, layer, candidate)
    assert best is not None
    return best[1], best[2]
