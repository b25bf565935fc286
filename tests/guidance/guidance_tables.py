"""Made-up ledgers and profiles: random numbers in the layout of real ones."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from tgsage.runs import ledger

TARGETS = ("V4", "IT")


def made_up(
    n: int = 30,
    *,
    seed: int = 0,
    targets: tuple[str, ...] = TARGETS,
    depth: int = 6,
    architectures: list[str] | None = None,
    quality: np.ndarray | None = None,
    failing: bool = True,
    untrained: bool = True,
    observed: bool = False,
) -> tuple[pd.DataFrame, xr.Dataset]:
    """A ledger of rounds of ten, and its profiles.

    Candidates have 2 to ``depth`` layers, some of them dead; every seventh failed if ``failing``.
    Measurements follow ``quality`` (mature accuracy) with noise of their own.
    """
    rng = np.random.default_rng(seed)
    quality = rng.uniform(0.3, 0.9, n) if quality is None else quality
    numbers = rng.integers(2, depth + 1, n)
    trained = np.full((n, len(targets), depth), np.nan)
    before = np.full_like(trained, np.nan)
    rows = []
    for k in range(n):
        status = "failed" if failing and k % 7 == 3 else "ok"
        row = {
            "round": k // 10, "slot": k % 10, "candidate": f"{k:04x}", "status": status,
            "architecture": architectures[k] if architectures else f'{{"made up":{k}}}',
            "parameters": int(np.exp(10 + 2 * quality[k] + rng.normal(0, 0.4))),
            "probes": numbers[k], "examples": 1000 * (1 + k % 4),
        }  # fmt: skip
        if status == "ok":
            live = rng.random((len(targets), numbers[k])) > 0.15
            live[:, rng.integers(numbers[k])] = True
            before[k, :, : numbers[k]] = rng.normal(0.1, 0.03, live.shape)
            gain = 0.3 * quality[k] * np.linspace(0.5, 1, numbers[k]) + rng.normal(0, 0.04, live.shape)
            trained[k, :, : numbers[k]] = np.where(live, before[k, :, : numbers[k]] + gain, np.nan)
            best = np.nanmax(trained[k], axis=1)
            row |= {
                "accuracy": float(np.clip(0.6 * quality[k] + rng.normal(0, 0.06), 0, 1)),
                "loss": float(2.5 - 2 * quality[k] + rng.normal(0, 0.2)),
                "training_loss_sum": float(100 - 60 * quality[k] + rng.normal(0, 8)),
                "tg": float(best.mean()),
                **{f"tg_{name}": float(best[t]) for t, name in enumerate(targets)},
                **{f"layer_{name}": f"cells.{np.nanargmax(trained[k, t])}" for t, name in enumerate(targets)},
            }
            if observed:
                row |= {"observed_tg": float(rng.normal(0.4, 0.1)), "observed_tg_real": 0.0}
        rows.append(row)
    profiles = xr.Dataset(
        {
            "rsa": (("row", "target", "layer"), trained),
            "untrained": (("row", "target", "layer"), before if untrained else np.full_like(before, np.nan)),
            "ceiling_lower": ("target", np.linspace(0.5, 0.7, len(targets))),
            "ceiling_upper": ("target", np.linspace(0.7, 0.9, len(targets))),
        },
        coords={
            "round": ("row", np.arange(n) // 10),
            "slot": ("row", np.arange(n) % 10),
            "target": np.array(targets, dtype=str),
            "weight": ("target", np.ones(len(targets))),
        },
    )
    return ledger.build(rows, list(targets), ["real"] if observed else []), profiles


def mature_of(quality: np.ndarray, table: pd.DataFrame) -> pd.Series:
    """Known mature accuracies of a made-up ledger's architectures."""
    return pd.Series(quality, index=table["architecture"].to_numpy(), name="accuracy")
