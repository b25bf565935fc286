"""Search spaces: named choices, architectures, and the torch modules they stand for.

>>> space = get("cell", blocks=3)
>>> arch = space.sample(numpy.random.default_rng(0))
>>> module = space.build(arch, n_classes=10)
"""

from __future__ import annotations

import functools
import importlib
from typing import TYPE_CHECKING, Any

from ..config import spaces as _settings
from ..config.base import Section
from ..config.validate import checked, given
from ..errors import TgsageError, unknown
from .base import Architecture, Space

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["NAMES", "Architecture", "Space", "draw_graph", "get", "stage_modules"]

_SETTINGS: dict[str, type[Section]] = {
    "cell": _settings.CellSpace,
    "nasbench201": _settings.NasBench201Space,
    "convnet10": _settings.ConvNet10Space,
    "convnet20": _settings.ConvNet20Space,
    "list": _settings.ListSpace,
}

_CLASSES = {
    "cell": ("cell", "CellSpace"),
    "nasbench201": ("nasbench201", "NasBench201Space"),
    "convnet10": ("convnet", "ConvNetSpace"),
    "convnet20": ("convnet", "ConvNetSpace"),
    "list": ("listed", "ListSpace"),
}

NAMES = tuple(_SETTINGS)
"""Names of the spaces."""


def get(settings: Section | Mapping[str, Any] | str, **options: Any) -> Space:
    """Return a search space.

    Parameters
    ----------
    settings
        The settings of a space (``tgsage.config.spaces``), the same as a mapping, or a space's name.
    **options
        Settings that differ from the default, or from ``settings``.

    Raises
    ------
    TgsageError
        If there is no such space, or a setting is unknown or out of range.
    """
    values = given(settings, options)
    name = values.get("name")
    if name not in _SETTINGS:
        raise unknown("search space", str(name), _SETTINGS)
    section = checked(f"space {name}", _SETTINGS[name], values)
    if isinstance(section, _settings.ListSpace):
        # Not remembered: the file may have changed.
        return _module("list").ListSpace(section, get(section.of))
    return _make(name, section.model_dump_json())


@functools.lru_cache(maxsize=32)
def _make(name: str, settings: str) -> Space:
    """One object per settings, so that its canonical forms are remembered."""
    section = _SETTINGS[name].model_validate_json(settings)
    return getattr(_module(name), _CLASSES[name][1])(section)


def _module(name: str) -> Any:
    # By name, not by import: the digest of a stage follows imports, and editing one space must not retrain
    # the networks of another.
    return importlib.import_module(f"{__name__}.{_CLASSES[name][0]}")


def stage_modules(settings: Section | Mapping[str, Any]) -> tuple[str, ...]:
    """Dotted names (under tgsage) of the modules that build a space's networks, for ``stage_digest``."""
    values = given(settings, {})
    name = str(values.get("name"))
    if name not in _CLASSES:
        raise unknown("search space", name, _SETTINGS)
    inner = stage_modules(values["of"]) if "of" in values else ()
    return (f"spaces.{_CLASSES[name][0]}", *inner)


def draw_graph(space: Space, arch: Architecture) -> dict[str, list[dict[str, Any]]]:
    """Nodes and edges for drawing an architecture, as the space's ``graph`` describes them.

    Raises
    ------
    TgsageError
        If the space has no graph.
    """
    graph = getattr(space, "graph", None)
    if graph is None:
        raise TgsageError(f"space {space.name} cannot be drawn")
    return graph(arch)
