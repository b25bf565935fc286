"""On simulated recordings with known truth, the interval of the ceiling covers the score of the true "
"model."""

from __future__ import annotations

import numpy as np
import pytest

from tgsage.rdm import compare, rdm
from tgsage.teacher.ceilings import noise_ceiling
from tgsage.teacher.patterns import standardised

SIMULATIONS = 200
RECORDINGS = 16
"""Fresh recordings per simulation over which the true model's score is averaged."""


class Simulation:
    """A population of sites with Gaussian or Poisson noise, and stimuli with or without categories."""

    def __init__(self, seed: int):
        rng = np.random.default_rng([20240, seed])
        self.n, self.sites = int(rng.choice([28, 60, 100])), int(rng.choice([15, 40, 90]))
        self.repeats = int(rng.choice([2, 3, 4, 6, 10]))
        strength = float(np.exp(rng.uniform(np.log(0.02), np.log(3))))
        dimensions = int(rng.choice([3, 8, 30]))
        centres = rng.normal(size=(8, dimensions)) * rng.integers(0, 2)
        latent = rng.normal(size=(self.n, dimensions)) + centres[np.arange(self.n) % 8]
        drive = latent @ rng.normal(size=(dimensions, self.sites))
        drive /= drive.std(axis=0)
        counts = np.full(self.n, self.repeats)
        if rng.random() < 0.5:
            counts = np.maximum(2, counts + rng.integers(-1, 2, self.n))
        self.stimulus = np.repeat(np.arange(self.n), counts)
        self.poisson = bool(rng.integers(0, 2))
        if self.poisson:
            self.truth = np.log1p(np.exp(drive)) * 3 * strength * np.exp(rng.normal(size=self.sites) / 2)
        else:
            self.truth = drive
            shared = 0.5 * rng.normal(size=(self.sites, self.sites)) / np.sqrt(self.sites)
            self.mixing = (np.eye(self.sites) + shared) / np.sqrt(strength)

    def record(self, rng: np.random.Generator) -> np.ndarray:
        if self.poisson:
            return rng.poisson(self.truth[self.stimulus]).astype(float)
        return self.truth[self.stimulus] + rng.normal(size=(len(self.stimulus), self.sites)) @ self.mixing

    def rdm_of(self, presentations: np.ndarray) -> np.ndarray:
        means = np.zeros((self.n, self.sites))
        np.add.at(means, self.stimulus, presentations)
        return rdm(standardised(means / np.bincount(self.stimulus)[:, None]))

    def true_score(self, rng: np.random.Generator, method: str) -> float:
        true = rdm(standardised(self.truth))
        measured = np.array([self.rdm_of(self.record(rng)) for _ in range(RECORDINGS)])
        return float(compare(true, measured, method).mean())


@pytest.mark.slow
def test_the_interval_covers_the_score_of_the_true_model() -> None:
    rows = []
    for seed in range(SIMULATIONS):
        simulation, rng = Simulation(seed), np.random.default_rng([7, seed])
        method = ("spearman", "pearson")[seed % 2]
        truth = simulation.true_score(rng, method)
        everything = {"all": np.arange(simulation.n)}
        result = noise_ceiling(
            simulation.record(rng), simulation.stimulus, everything, method=method, seed=seed
        )["all"]
        rows.append((truth, result.lower, result.upper))
    truth, lower, upper = np.array(rows).T
    covered = (lower <= truth) & (truth <= upper)
    print(
        f"\ncovered {covered.mean():.3f}, truth below {np.mean(truth < lower):.3f}, above "
        f"{np.mean(truth > upper):.3f}, "
        f"mean width {np.mean(upper - lower):.3f}, mean truth {truth.mean():.3f}"
    )
    assert covered.mean() >= 0.9
    # Not by being wide: where recordings are good, the interval is narrow; and the bounds follow the truth.
    good = truth > 0.9
    assert good.sum() >= 30
    assert np.mean((upper - lower)[good]) < 0.15
    assert np.corrcoef(truth, upper)[0, 1] > 0.9
    assert np.corrcoef(truth, lower)[0, 1] > 0.9
