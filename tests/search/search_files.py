"""Files of a small search, made without training anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from tgsage import spaces
from tgsage.runs import rsa as rsa_file
from tgsage.runs.files import read_json
from tgsage.runs.rsa import as_observed
from tgsage.spaces.cell.plugin import CellSpace
from tgsage.store import write_json

SPACE = CellSpace(name="cell", blocks=2, width=4, reductions=1)
TARGETS = ("V4", "IT")
LAYERS = ("a", "b", "c")


def measured_slot(
    folder: Path,
    proposal: dict[str, Any],
    round: int,
    status: str = "ok",
    *,
    position: int | None = None,
    examples: int = 512,
    observed: bool = False,
    **changes: Any,
) -> None:
    """Write ``training.json`` and ``rsa.nc`` of one candidate; its numbers are drawn from its key."""
    key = spaces.get(SPACE).key(spaces.get(SPACE).parse(proposal["architecture"]))
    rng = np.random.default_rng(int(key, 16))
    slot = folder / f"slot_{proposal['slot'] if position is None else position}"
    ok = status == "ok"
    write_json(
        slot / "training.json",
        {
            "status": "ok" if status == "invalid" else status,
            "reason": None if ok or status == "invalid" else "Diverged: the loss is not finite",
            "candidate": key,
            "architecture": proposal["architecture"],
            "round": round,
            "slot": proposal["slot"],
            "parameters": int(rng.integers(1000, 9000)),
            "flops": int(rng.integers(10_000, 90_000)),
            "probes": list(LAYERS),
            "n_probes": len(LAYERS),
            "examples": examples,
            "seconds": 1.5,
            "training_loss_sum": float(rng.random()),
            "curve": [],
            "checkpoints": [],
            "store_key": "0" * 16,
            "device": "cpu",
            "recipe": {"images": "train"},
        },
    )
    checkpoints = 2 if status in ("ok", "invalid") else 0
    values = rng.uniform(0, 0.5, (checkpoints, 3, len(TARGETS), len(LAYERS)))
    values[:, 0] = np.nan
    if status == "invalid":
        values[-1, :, 1] = np.nan
    for name, value in changes.items():
        if name == "rsa":
            values[-1, 1] = value
    bounds = np.full((3, len(TARGETS)), np.nan)
    scored = xr.Dataset(
        {
            "rsa": (("checkpoint", "split", "target", "layer"), values),
            "accuracy": ("checkpoint", rng.random(checkpoints)),
            "loss": ("checkpoint", rng.random(checkpoints)),
            "ceiling_lower": (("split", "target"), bounds),
            "ceiling_upper": (("split", "target"), bounds),
            "n_stimuli": (("split", "target"), np.array([[0, 0], [60, 50], [30, 20]])),
        },
        coords={
            "share": ("checkpoint", np.array([0.0, 1.0])[:checkpoints]),
            "split": ["choose", "reward", "report"],
            "target": list(TARGETS),
            "layer": list(LAYERS),
            "weight": ("target", np.ones(len(TARGETS))),
        },
        attrs={"status": status, "reason": "" if ok else "some reason"},
    )
    if observed:
        second = scored[["rsa", "ceiling_lower", "ceiling_upper", "n_stimuli", "weight"]].copy(deep=True)
        second["rsa"] = second["rsa"] / 2
        scored.update(as_observed(second))
        scored.attrs |= {"observed_teacher": "monkey", "observed_digest": "abc"}
    rsa_file.save(scored, slot / "rsa.nc")


def measure_all(folder: Path, statuses: dict[int, str] | None = None, **changes: Any) -> list[dict[str, Any]]:
    """Measure every proposal of a round's folder."""
    told = read_json(folder / "proposals.json")
    for position, proposal in enumerate(told["proposals"]):
        status = (statuses or {}).get(proposal["slot"], "ok")
        measured_slot(folder, proposal, told["round"], status, position=position, **changes)
    return told["proposals"]
