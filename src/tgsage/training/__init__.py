"""From an architecture, a recipe and a task to weights, a learning curve and activations.

Names are loaded when they are first used, and by name: the digest of the training code
(:func:`tgsage.store.stage_digest` of ``training.loop``) must hold what decides the weights and nothing else.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOME = {
    "Checkpoint": "loop", "Diverged": "loop", "Paused": "loop", "Trained": "loop", "candidate_seed": "loop",
    "initial_module": "loop", "train": "loop",
    "device_class": "devices", "resolve_device": "devices", "resolve_precision": "devices",
    "recompute_batchnorm": "batchnorm",
    "count_flops": "counts", "count_parameters": "counts",
    "Evaluation": "probes", "activations": "probes", "evaluate": "probes",
    "feature_counts": "probes", "logits": "probes",
    "OutOfMemory": "trained", "Stored": "trained", "candidate_key": "trained", "ensure_trained": "trained",
    "stored_candidate": "trained",
    "Failure": "isolation", "Outcome": "isolation", "run_isolated": "isolation",
    "train_candidate": "candidate",
}  # fmt: skip

__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
