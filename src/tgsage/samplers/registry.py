"""All samplers by name: from settings to a sampler."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .. import plugins

if TYPE_CHECKING:
    from .base import Sampler
    from .settings import SamplerSettings


def get(settings: SamplerSettings | Mapping[str, Any] | str, **options: Any) -> Sampler:
    """Return a sampler.

    Parameters
    ----------
    settings
        The settings of a sampler, the same as a mapping, or a sampler's name.
    **options
        Settings that differ from the default, or from ``settings``.

    Raises
    ------
    TgsageError
        If there is no such sampler, or a setting is unknown or out of range.
    """
    section: SamplerSettings = plugins.settings("sampler", settings, **options)
    sampler: Sampler = section.load()(section)
    return sampler
