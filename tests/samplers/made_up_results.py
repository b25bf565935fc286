"""Spaces and made-up results for the tests of samplers."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np

from tgsage import samplers, spaces
from tgsage.runs import ledger

OWN = str(Path(__file__).parent / "own_classes.py")
"""A file of plugins, with the space ``columns`` and the sampler ``climber``."""

SMALL = {
    "random": {},
    "tpe": {"startup": 4},
    "evolution": {"population": 4, "tournament": 2},
    "reinforce": {"learning_rate": 0.05},
    "nsga2": {"population": 4},
    "climber": {"steps": 3},
}
"""Settings with which every sampler has left its random phase after two rounds of four."""


def reward(space, arch):
    """A made-up score in [0, 1] that depends on the function only."""
    return int(space.key(arch)[:6], 16) / 16**6


def small_spaces(folder):
    """One small space of every kind, while OWN is registered; ``folder`` takes the file of the list."""
    cell = spaces.get("cell", blocks=3, width=4, reductions=1)
    file = folder / "pool.json"
    rng = np.random.default_rng(7)
    file.write_text(json.dumps([cell.format(cell.sample(rng)) for _ in range(60)]))
    return {
        "cell": cell,
        "nasbench201": spaces.get("nasbench201", width=4, repeats=1),
        "convnet10": spaces.get("convnet10", filters=(2, 3)),
        "convnet20": spaces.get("convnet20", filters=(2, 3)),
        "list": spaces.get("list", file=str(file), of=cell.settings.plain()),
        "columns": spaces.get("columns"),
    }


def rows_of(space, archs, round_, *, failed=(), score=reward):
    """Ledger rows of a round: slots in ``failed`` failed, the others are ok."""
    rows = []
    for slot, arch in enumerate(archs):
        status = "failed" if slot in failed else "ok"
        rows.append(
            {
                "round": round_,
                "slot": slot,
                "candidate": space.key(arch),
                "status": status,
                "architecture": space.format(space.canonical(arch)),
                "parameters": 100 + int(space.key(arch)[6:8], 16),
                "flops": 1000 + int(space.key(arch)[8:10], 16),
                "score": score(space, arch) if status == "ok" else math.nan,
            }
        )
    return rows


def search(space, sampler, rounds, n, seed, *, lag=0, failed=(), score=reward):
    """Run a whole search with made-up results; returns the proposals per round, and the ledger."""
    proposals, rows = [], []
    for round_ in range(rounds):
        known = ledger.build([row for row in rows if row["round"] < round_ - lag], [])
        pending = [arch for archs in proposals[max(0, round_ - lag) :] for arch in archs]
        archs = sampler.propose(space, known, n, seed, round=round_, pending=pending)
        proposals.append(archs)
        rows += rows_of(space, archs, round_, failed=failed, score=score)
    return proposals, ledger.build(rows, [])


def small(name, **options):
    return samplers.get(name, **{**SMALL[name], **options})
