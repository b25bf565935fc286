"""Samplers: from a ledger to the next architectures. Same ledger, seed and round: same answer.

>>> proposals = get("tpe").propose(space, ledger, n=4, seed=0)
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from ..config import samplers as _settings
from ..errors import TgsageError, unknown
from ..settings import Section, checked, given
from .base import Sampler, Situation, Trial
from .evolution import EvolutionSampler
from .nsga2 import Nsga2Sampler
from .random import RandomSampler
from .reinforce import ReinforceSampler
from .tpe import TpeSampler

__all__ = ["NAMES", "Sampler", "Situation", "Trial", "get", "source_digest"]

_SAMPLERS: dict[str, tuple[type[_settings.SamplerSettings], type[Sampler]]] = {
    "random": (_settings.RandomSampler, RandomSampler),
    "tpe": (_settings.TpeSampler, TpeSampler),
    "evolution": (_settings.EvolutionSampler, EvolutionSampler),
    "reinforce": (_settings.ReinforceSampler, ReinforceSampler),
    "nsga2": (_settings.Nsga2Sampler, Nsga2Sampler),
}

NAMES = (*_SAMPLERS, "python")
"""Names of the samplers; ``python`` stands for those of the user's own."""


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
        If there is no such sampler, a setting is unknown or out of range, or the user's own file or class
        cannot be used.
    """
    values = given(settings, options)
    name = str(values.get("name"))
    if name == "python":
        return _from_file(checked("sampler python", _settings.PythonSampler, values))
    if name not in _SAMPLERS:
        raise unknown("sampler", name, NAMES)
    section, sampler = _SAMPLERS[name]
    return sampler(checked(f"sampler {name}", section, values))


def _from_file(section: Any) -> Sampler:
    source = _user_class().read(section.file, "sampler python")
    class_name = getattr(section, "class")
    made = _user_class().make(source, class_name, section.options, Sampler, "tgsage.samplers.Sampler")
    if not isinstance(getattr(made, "name", None), str) or not made.name:
        raise TgsageError(
            f"{source.what}: {source.file}: {class_name}: has no name; write `name = ...` in the class"
        )
    made.settings = section
    return made


def source_digest(settings: Section | Mapping[str, Any]) -> str:
    """Digest of the user's own file that a sampler is read from, and of what it imports of tgsage.

    Empty for the samplers of tgsage.

    Raises
    ------
    TgsageError
        If the file cannot be read.
    """
    values = given(settings, {})
    if values.get("name") != "python":
        return ""
    section = checked("sampler python", _settings.PythonSampler, values)
    return _user_class().read(section.file, "sampler python").digest


def _user_class() -> Any:
    # By name: only a sampler of the user's own needs it.
    return importlib.import_module("tgsage.spaces.user_class")
