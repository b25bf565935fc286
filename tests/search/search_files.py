"""Files of a small search, made without training anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from tgsage import spaces
from tgsage.runs import rsa as rsa_file
from tgsage.runs.layout import PackFolder, StageFolder
from tgsage.runs.records import Proposal, read_proposals, write_trainings
from tgsage.runs.rsa import as_observed
from tgsage.runs.settings import Maturing, Measuring, Scoring, SearchIdentity
from tgsage.spaces.cell.plugin import CellSettings

SPACE = CellSettings(name="cell", blocks=2, width=4, reductions=1)
TARGETS = ("V4", "IT")
LAYERS = ("a", "b", "c")
SEARCH = SearchIdentity(run="r", arm="monkey", seed=3)
MEASURING = Measuring(scoring=Scoring(), targets=list(TARGETS))
MATURING = Maturing(space=SPACE, transform=None)


def training_and_rsa(
    proposal: Proposal,
    round: int,
    status: str = "ok",
    *,
    examples: int = 512,
    observed: bool = False,
    processor: dict[str, Any] | None = None,
    rsa: np.ndarray | None = None,
) -> tuple[dict[str, Any], xr.Dataset]:
    """What became of one candidate; its numbers are drawn from its key."""
    key = spaces.get(SPACE).key(spaces.get(SPACE).parse(proposal["architecture"]))
    rng = np.random.default_rng(int(key, 16))
    ok = status == "ok"
    training = {
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
    }
    if processor is not None:
        training["processor"] = processor
    checkpoints = 2 if status in ("ok", "invalid") else 0
    values = rng.uniform(0, 0.5, (checkpoints, 3, len(TARGETS), len(LAYERS)))
    values[:, 0] = np.nan
    if status == "invalid":
        values[-1, :, 1] = np.nan
    if rsa is not None:
        values[-1, 1] = rsa
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
    return training, scored


def measure_all(
    folder: Path, statuses: dict[int, str] | None = None, *, size: int = 3, **changes: Any
) -> list[PackFolder]:
    """Measure every proposal of a stage, in packs of ``size``; return the packs."""
    stage = StageFolder(str(folder))
    proposals = read_proposals(stage.proposals)
    candidates = [
        training_and_rsa(
            proposal, proposals["round"], (statuses or {}).get(proposal["slot"], "ok"), **changes
        )
        for proposal in proposals["proposals"]
    ]
    for number, start in enumerate(range(0, len(candidates), size)):
        pack = stage.pack(number)
        write_trainings(pack.training, [training for training, _ in candidates[start : start + size]])
        rsa_file.save([rsa for _, rsa in candidates[start : start + size]], pack.rsa)
    return stage.packs()


def files_of(packs: list[PackFolder]) -> dict[str, list[str]]:
    """The packs' files as stages take them."""
    return {"trainings": [pack.training for pack in packs], "rsas": [pack.rsa for pack in packs]}
