"""Teachers: target RDMs, of recordings, a published RDM, a network, or predicted responses; controls.

What a teacher looks like (:func:`build`, :func:`load`), here with two regions of 256 stimuli::

    <xarray.DataTree>                  attrs: teacher, kind, simulated, rdm, metric, resolution, of, digest
    ├── V4   rdm           (pair)      float64, pairs in the order of numpy.triu_indices(n, 1)
    │        stimulus_id   (stimulus)  str
    │        category      (stimulus)  str, "" where unknown
    │        split         (stimulus)  "choose", "reward" or "report"
    │        images        (stimulus, y, x, rgb)  uint8, as a network gets them
    │        ceiling_lower (part)      noise ceiling on the stimuli of each part; NaN where it cannot be known
    │        ceiling_upper (part)
    │        part          (part)      coordinate: the splits in use
    │        category_rdm  (part, category_pair)  only where attrs["rdm"] == "category"
    └── IT   …

Names are imported on first use: the code digest of a stage must hold the kind of teacher that it runs and no
other.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOME = {
    "build": "recorded",
    "ceiling": "files",
    "load": "files",
    "save": "files",
    "make": "sources",
    "stage_modules": "sources",
    "shuffled": "controls",
    "image_teacher": "images",
    "noise_recordings": "surrogates",
    "subsample_sites": "surrogates",
    "network_teacher": "network",
    "pretrained_teacher": "pretrained",
    "encoded_teacher": "encoded",
    "encoded_control": "encoded_control",
    "noise_ceiling": "ceilings",
    "animal_bounds": "ceilings",
    "to_network_input": "geometry",
    "assign_splits": "splits",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
