"""All spaces by name: from settings to a space."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .. import plugins
from ..errors import TgsageError
from .base import Space

if TYPE_CHECKING:
    from .settings import SpaceSettings


def get(settings: SpaceSettings | Mapping[str, Any] | str, **options: Any) -> Space:
    """Return a search space; parameters are as for :func:`tgsage.plugins.settings`.

    Raises
    ------
    TgsageError
        As there, and if a file cannot be read, or the choices of the space are not valid.
    """
    section: SpaceSettings = plugins.settings("space", settings, **options)
    if section.files():  # their content may change
        return _make(section)
    return _remembered(type(section), section.model_dump_json())


@functools.lru_cache(maxsize=32)
def _remembered(kind: type[SpaceSettings], settings: str) -> Space:
    """Make one object per settings, so that its canonical forms are remembered."""
    return _make(kind.model_validate_json(settings))


def _make(section: SpaceSettings) -> Space:
    """Make a space and check its choices, which may be those of a third party."""
    space: Space = section.load()(section)
    where = f"space {section.plugin_name()}"
    choices = getattr(space, "choices", None)
    if not isinstance(choices, Mapping) or not choices:
        raise TgsageError(f"{where}: sets no choices; its constructor must set `self.choices`, a dict")
    for choice, options in choices.items():
        if (
            not isinstance(choice, str)
            or not isinstance(options, list | tuple)
            or not options
            or any(isinstance(option, bool) or not isinstance(option, str | int) for option in options)
            or len(set(options)) < len(options)
        ):
            raise TgsageError(
                f"{where}: choice {choice!r} needs a list of different options, each a text or an integer"
            )
    space.choices = {choice: tuple(options) for choice, options in choices.items()}
    return space


def with_overrides(
    settings: SpaceSettings | Mapping[str, Any] | str, overrides: Mapping[str, Any]
) -> SpaceSettings:
    """Return the settings of a space with some of them changed, in which the same architectures can be built.

    Architectures have the same text and canonical form in both spaces, but different keys, since width,
    repeats and reductions are part of the function.

    Parameters
    ----------
    settings
        The settings of a space.
    overrides
        Settings that differ, such as ``{"width": 32, "drop_reductions": 0}``; of a list ``{"of": {...}}``.

    Raises
    ------
    TgsageError
        If an override is unknown or out of range, or changes the choices.
    """
    section: SpaceSettings = plugins.settings("space", settings)
    result = section.overridden(overrides)
    choices = get(section).choices
    if get(result).choices != choices:
        keys = [key for key in overrides if get(section.overridden({key: overrides[key]})).choices != choices]
        raise TgsageError(
            f"{', '.join(keys or overrides)}: changes the choices of space {section.plugin_name()}, so that "
            "architectures of the search would not be architectures here; leave it out"
        )
    return result


def as_in_ledgers(text: str) -> str:
    """Return the text of an architecture as ledgers write it, whichever notation it is written in.

    A TgsageError if it is written in the notation of a benchmark, but is no architecture of it.
    """
    kinds: tuple[Any, ...] = plugins.every("space")
    for kind in kinds:
        if kind.notation and text.startswith(kind.notation):
            space = get(kind.plugin_name())
            return space.format(space.parse(text))
    return text
