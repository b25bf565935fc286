"""A search as files: proposals, measurements, ledgers, finalists and the one that is tested.

Each function is one stage: it reads the files of earlier stages and writes its own. They need no workflow
engine; a notebook may call them in turn.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "propose_round": "propose",
    "propose_finalists": "propose",
    "propose_best": "propose",
    "collect_round": "collect",
    "promote": "halving",
    "collect_finalists": "collect",
    "measurement": "collect",
    "finish": "winner",
    "fit_guidance": "fitting",
    "announce": "progress",
    "leaderboard": "progress",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    # On demand, so that the code digest of proposing does not contain the code of training.
    if name in _HOMES:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
