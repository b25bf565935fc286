"""Calling a stage by name, with files and plain settings as a workflow hands them over."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any

from ..plugins import Plugin, Section, checked, every
from ..plugins import settings as plugin_settings
from . import settings as _settings_of_a_search  # noqa: F401 - known by their names from then on


def call_stage(call: str, values: Mapping[str, Any]) -> set[str]:
    """Call a function with those of the values that are its parameters.

    Parameters
    ----------
    call
        ``"module:function"``.
    values
        Files, lists of files, numbers, and settings as :meth:`tgsage.plugins.Section.plain` gives them. A
        mapping becomes the settings class that the parameter's annotation names. A list becomes its first
        item, or None if it is empty, unless the annotation asks for a sequence.

    Returns
    -------
    set
        Names of the values that the function took.

    Raises
    ------
    TypeError
        If a value that the function needs is not there.
    """
    arguments = typed_values(call, values)
    _function(call)(**arguments)
    return set(arguments)


def typed_values(call: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments that :func:`call_stage` calls a function with."""
    parameters = inspect.signature(_function(call)).parameters.items()
    return {
        name: _typed(name, values[name], str(parameter.annotation))
        for name, parameter in parameters
        if name in values
    }


def _function(call: str) -> Callable[..., Any]:
    module, _, name = call.partition(":")
    function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return function


def _typed(name: str, value: Any, annotation: str) -> Any:
    if isinstance(value, list | tuple) and not annotation.startswith(("Sequence", "list", "Mapping")):
        value = next(iter(value), None)
    if not isinstance(value, Mapping):
        return value
    every("space")  # registers the plugins of all kinds
    kinds = {kind.__name__: kind for kind in _subclasses(Section)}
    kind = next((kinds[word] for word in re.findall(r"\w+", annotation) if word in kinds), None)
    if kind is None:
        return value
    if issubclass(kind, Plugin):
        return plugin_settings(kind.plugin_kind, value)
    return checked(name, kind, value)


def _subclasses(kind: type[Any]) -> list[type[Any]]:
    return [one for sub in kind.__subclasses__() for one in (sub, *_subclasses(sub))]
