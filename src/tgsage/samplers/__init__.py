"""Samplers: from a ledger to the next architectures. Same ledger, seed and round: same answer.

>>> proposals = get("tpe").propose(space, ledger, n=4, seed=0)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..config import samplers as _settings
from ..config.base import Section
from ..config.validate import checked, given
from ..errors import unknown
from .base import Sampler, Situation, Trial
from .evolution import EvolutionSampler
from .nsga2 import Nsga2Sampler
from .random import RandomSampler
from .reinforce import ReinforceSampler
from .tpe import TpeSampler

__all__ = ["NAMES", "Sampler", "Situation", "Trial", "get"]

_SAMPLERS: dict[str, tuple[type[_settings.SamplerSettings], type[Sampler]]] = {
    "random": (_settings.RandomSampler, RandomSampler),
    "tpe": (_settings.TpeSampler, TpeSampler),
    "evolution": (_settings.EvolutionSampler, EvolutionSampler),
    "reinforce": (_settings.ReinforceSampler, ReinforceSampler),
    "nsga2": (_settings.Nsga2Sampler, Nsga2Sampler),
}

NAMES = tuple(_SAMPLERS)
"""Names of the samplers."""


def get(settings: Section | Mapping[str, Any] | str, **options: Any) -> Sampler:
    """Return a sampler.

    Parameters
    ----------
    settings
        The settings of a sampler (``tgsage.config.samplers``), the same as a mapping, or a sampler's name.
    **options
        Settings that differ from the default, or from ``settings``.

    Raises
    ------
    TgsageError
        If there is no such sampler, or a setting is unknown or out of range.
    """
    values = given(settings, options)
    name = values.get("name")
    if name not in _SAMPLERS:
        raise unknown("sampler", str(name), _SAMPLERS)
    section, sampler = _SAMPLERS[name]
    return sampler(checked(f"sampler {name}", section, values))
