"""All spaces by name: from settings to a space."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Mapping
from typing import Any

from ..config import spaces as _settings
from ..errors import TgsageError, unknown
from ..settings import Section, checked, given
from .base import Architecture, Space

_SETTINGS: dict[str, type[Section]] = {
    "cell": _settings.CellSpace,
    "nasbench201": _settings.NasBench201Space,
    "convnet10": _settings.ConvNet10Space,
    "convnet20": _settings.ConvNet20Space,
    "list": _settings.ListSpace,
    "python": _settings.PythonSpace,
}

_CLASSES = {
    "cell": ("cell", "CellSpace"),
    "nasbench201": ("nasbench201", "NasBench201Space"),
    "convnet10": ("convnet", "ConvNetSpace"),
    "convnet20": ("convnet", "ConvNetSpace"),
    "list": ("listed", "ListSpace"),
}

_OVERRIDABLE = {"list": ("of",), "python": ("options",)}
"""Settings that :func:`with_overrides` may change, where not all of them; the rest says which space it is."""

NAMES = tuple(_SETTINGS)
"""Names of the spaces; ``python`` stands for those of the user's own."""


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
        If there is no such space, a setting is unknown or out of range, or the user's own file or class
        cannot be used.
    """
    name, section = _checked(given(settings, options))
    # Files may have changed: what was made of them is remembered by their content, or not at all.
    if name == "list":
        return _module(name).ListSpace(section, get(section.of))
    if name == "python":
        return _from_file(section.model_dump_json(), _user_class().read(section.file, "space python"))
    return _make(name, section.model_dump_json())


def _checked(values: Mapping[str, Any]) -> tuple[str, Any]:
    name = str(values.get("name"))
    if name not in _SETTINGS:
        raise unknown("search space", name, _SETTINGS)
    return name, checked(f"space {name}", _SETTINGS[name], values)


@functools.lru_cache(maxsize=32)
def _make(name: str, settings: str) -> Space:
    """One object per settings, so that its canonical forms are remembered."""
    section = _SETTINGS[name].model_validate_json(settings)
    return getattr(_module(name), _CLASSES[name][1])(section)


@functools.lru_cache(maxsize=32)
def _from_file(settings: str, source: Any) -> Space:
    """A space of the user's own, checked as far as one can without an architecture."""
    section = _settings.PythonSpace.model_validate_json(settings)
    class_name = getattr(section, "class")
    space = _user_class().make(source, class_name, section.options, Space, "tgsage.spaces.Space")
    where = f"{source.what}: {source.file}: {class_name}"
    name = getattr(space, "name", None)
    if not isinstance(name, str) or not name:
        raise TgsageError(f"{where}: has no name; write `name = ...` in the class")
    choices = getattr(space, "choices", None)
    if not isinstance(choices, Mapping) or not choices:
        raise TgsageError(f"{where}: sets no choices; its constructor must set `self.choices`, a dict")
    for choice, values in choices.items():
        if (
            not isinstance(choice, str)
            or not isinstance(values, list | tuple)
            or not values
            or any(isinstance(value, bool) or not isinstance(value, str | int) for value in values)
            or len(set(values)) < len(values)
        ):
            raise TgsageError(
                f"{where}: choice {choice!r} needs a list of different options, each a text or an integer"
            )
    space.choices = {choice: tuple(values) for choice, values in choices.items()}
    space.settings = section
    space.code_digest = source.digest
    # Where the file lies does not decide the function.
    space.signature = {"class": class_name, "options": section.options}
    return space


def _module(name: str) -> Any:
    # By name, not by import: the digest of a stage follows imports, and editing one space must not retrain
    # the networks of another.
    return importlib.import_module(f"tgsage.spaces.{_CLASSES[name][0]}")


def _user_class() -> Any:
    return importlib.import_module("tgsage.spaces.user_class")


def stage_modules(settings: Section | Mapping[str, Any]) -> tuple[str, ...]:
    """Dotted names (under tgsage) of the modules that build a space's networks, for ``stage_digest``.

    None for a space of the user's own: see :func:`source_digest`.
    """
    values = given(settings, {})
    name = str(values.get("name"))
    if name not in _SETTINGS:
        raise unknown("search space", name, _SETTINGS)
    own = (f"spaces.{_CLASSES[name][0]}",) if name in _CLASSES else ()
    return own + (stage_modules(values["of"]) if "of" in values else ())


def source_digest(settings: Section | Mapping[str, Any]) -> str:
    """Digest of the user's own file that a space is read from, and of what it imports of tgsage.

    Empty for the spaces of tgsage, whose code is named by :func:`stage_modules`.

    Raises
    ------
    TgsageError
        If the file cannot be read.
    """
    values = given(settings, {})
    if "of" in values:
        return source_digest(values["of"])
    if values.get("name") != "python":
        return ""
    _, section = _checked(values)
    return _user_class().read(section.file, "space python").digest


def with_overrides(settings: Section | Mapping[str, Any], overrides: Mapping[str, Any]) -> Section:
    """Return settings of a space with some of them changed, in which the same architectures can be built.

    An architecture's text and canonical form are the same in both; its key is not, for width, repeats and
    reductions belong to the function.

    Parameters
    ----------
    settings
        The settings of a space.
    overrides
        Settings that differ, such as ``{"width": 32, "drop_reductions": 0}``. Of a list ``{"of": {...}}``, of
        a space of the user's own ``{"options": {...}}``; these are merged.

    Raises
    ------
    TgsageError
        If an override is unknown or out of range, or changes the choices.
    """
    name, section = _checked(given(settings, {}))
    fields = _OVERRIDABLE.get(name) or tuple(key for key in _SETTINGS[name].model_fields if key != "name")
    for key in overrides:
        if key not in fields:
            raise unknown(f"override of space {name}", str(key), fields)
    changed = {**section.plain(), **_merged(name, section, overrides)}
    result = _checked(changed)[1]
    before, after = get(section), get(result)
    if before.choices != after.choices or before.name != after.name:
        keys = [key for key in overrides if _changes_choices(name, section, {key: overrides[key]})]
        raise TgsageError(
            f"{', '.join(keys or overrides)}: changes the choices of space {name}, so that architectures of "
            "the search would not be architectures here; leave it out"
        )
    return result


def _merged(name: str, section: Any, overrides: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(overrides)
    for key in _OVERRIDABLE.get(name, ()):
        if key not in found:
            continue
        if not isinstance(found[key], Mapping):
            raise TgsageError(f"{key}: an override of space {name} must be a mapping, not {found[key]!r}")
        if key == "of":
            found[key] = with_overrides(section.of, found[key]).plain()
        else:
            found[key] = {**section.options, **found[key]}
    return found


def _changes_choices(name: str, section: Any, override: Mapping[str, Any]) -> bool:
    try:
        changed = get({**section.plain(), **_merged(name, section, override)})
    except TgsageError:
        return False
    return changed.choices != get(section).choices


def draw_graph(space: Space, arch: Architecture) -> dict[str, list[dict[str, Any]]]:
    """Nodes and edges for drawing an architecture, as the space's ``graph`` describes them."""
    return space.graph(arch)
