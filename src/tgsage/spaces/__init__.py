"""Search spaces: named choices, architectures, and the torch modules they stand for.

>>> space = get("cell", blocks=3)
>>> arch = space.sample(numpy.random.default_rng(0))
>>> module = space.build(arch, n_classes=10)
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from ..config import spaces as _settings
from ..config.base import Section
from ..errors import TgsageError, unknown
from .base import Architecture, Space

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["NAMES", "Architecture", "Space", "draw_graph", "get"]

_SETTINGS: dict[str, type[Section]] = {
    "cell": _settings.CellSpace,
    "nasbench201": _settings.NasBench201Space,
    "convnet10": _settings.ConvNet10Space,
    "convnet20": _settings.ConvNet20Space,
    "list": _settings.ListSpace,
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
    if isinstance(settings, str):
        given: dict[str, Any] = {"name": settings}
    elif isinstance(settings, Section):
        given = settings.plain()
    else:
        given = dict(settings)
    given.update(options)
    name = given.get("name")
    if name not in _SETTINGS:
        raise unknown("search space", str(name), _SETTINGS)
    try:
        checked = _SETTINGS[name].model_validate(given)
    except ValidationError as error:
        raise TgsageError(_explain(f"space {name}", error)) from None
    if isinstance(checked, _settings.ListSpace):
        # Not remembered: the file may have changed.
        from .listed import ListSpace

        return ListSpace(checked, get(checked.of))
    return _make(name, checked.model_dump_json())


@functools.lru_cache(maxsize=32)
def _make(name: str, settings: str) -> Space:
    """One object per settings, so that its canonical forms are remembered."""
    checked = _SETTINGS[name].model_validate_json(settings)
    # Imported on demand: they import torch.
    if isinstance(checked, _settings.CellSpace):
        from .cell import CellSpace

        return CellSpace(checked)
    if isinstance(checked, _settings.NasBench201Space):
        from .nasbench201 import NasBench201Space

        return NasBench201Space(checked)
    assert isinstance(checked, _settings.ConvNetSpace)
    from .convnet import ConvNetSpace

    return ConvNetSpace(checked)


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


def _explain(what: str, error: ValidationError) -> str:
    lines = []
    for detail in error.errors():
        key = ".".join(str(part) for part in detail["loc"])
        message = detail["msg"].removeprefix("Value error, ")
        lines.append(f"{key}: {message[0].lower() + message[1:]}" if key else message)
    return f"{what}: " + "; ".join(lines)
