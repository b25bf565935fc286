"""From weights and a teacher to the similarity of every probe layer with every target.

Names are loaded when they are first used: who only reads ``rsa.nc`` must not wait for torch.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOME = {
    "CANDIDATE_METRIC": "similarity", "score": "similarity",
    "score_candidate": "candidate", "trained_module": "candidate",
}  # fmt: skip

__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
