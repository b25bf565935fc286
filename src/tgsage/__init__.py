"""tgsage: architecture search guided by recordings from the primate ventral stream."""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_PARTS = (
    "config", "store", "rdm", "recordings", "tasks", "spaces", "training", "teacher",
    "scoring", "runs", "guidance", "samplers", "search", "studies", "plots", "report",
)  # fmt: skip


def __getattr__(name: str) -> Any:
    # Parts are imported when they are first used: `import tgsage` must not cost a second of torch.
    if name in _PARTS:
        return importlib.import_module(f"tgsage.{name}")
    raise AttributeError(f"module 'tgsage' has no attribute {name!r}")
