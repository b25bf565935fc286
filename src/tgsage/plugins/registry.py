"""The registry: readers, teachers, spaces, samplers, guidances and figures, each where it is defined.

A plugin is a settings class that says where its code is::

    @register
    class RandomSampler(SamplerSettings):
        name: Literal["random"]
        code: ClassVar = "tgsage.samplers.random.sampler:RandomSampler"
        label: ClassVar = "random search"

It is found in three ways: every ``plugin.py`` of this package, every entry point of the group
``tgsage.plugins`` of an installed package, and every file that the configuration names under ``plugins``.
Settings are imported whenever a configuration is read, so a ``plugin.py`` imports neither torch nor any
other large package; ``code`` is imported when it is first used.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib
import importlib.metadata
import importlib.util
import operator
import sys
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import Field

from ..errors import TgsageError, unknown
from .sections import Section, checked

GROUP = "tgsage.plugins"
"""Group of entry points: each names a module that registers plugins."""

TAGS = {
    "recordings": "source",
    "task": "source",
    "teacher": "kind",
    "space": "name",
    "sampler": "name",
    "guidance": "name",
    "figure": "name",
}
"""The kinds of plugins, and the key by which a section of the configuration selects one."""

_WORDS = {
    "recordings": "source of recordings",
    "task": "source of a task",
    "teacher": "kind of teacher",
    "space": "search space",
}


class Plugin(Section):
    """Settings of something that is selected by name.

    Attributes
    ----------
    plugin_kind
        One of :data:`TAGS`; set by the base class of each kind.
    code
        What does the work: ``"module"`` or ``"module:name"``, or the object itself where settings and code
        share a file. A stage's digest holds that module and everything it imports.
    label
        The name in words, for figures and pages.
    """

    plugin_kind: ClassVar[str]
    code: ClassVar[str | Callable[..., Any]]
    label: ClassVar[str] = ""

    @classmethod
    def plugin_name(cls) -> str:
        """Return the value of the key that selects this plugin."""
        tag = cls.model_fields[TAGS[cls.plugin_kind]]
        (name,) = typing.get_args(tag.annotation)
        return str(name)

    def in_words(self) -> str:
        """Return how people call this plugin with these settings: its label, or else its name."""
        return self.label or self.plugin_name()

    @classmethod
    def code_module(cls) -> str:
        """Return the dotted name of the module that does the work."""
        return cls.code.partition(":")[0] if isinstance(cls.code, str) else cls.code.__module__

    @classmethod
    def load(cls) -> Any:
        """Import the code, and return the module or the object that ``code`` names."""
        if not isinstance(cls.code, str):
            return cls.code
        module, _, name = cls.code.partition(":")
        loaded = importlib.import_module(module)
        return getattr(loaded, name) if name else loaded


class DataSource(Plugin):
    """Settings of a reader of recordings or of labelled images.

    Attributes
    ----------
    has_files
        Whether the source reads files; if not, its code needs no ``raw_files``.
    """

    has_files: ClassVar[bool] = True

    def raw_files(self, root: Path) -> list[Path]:
        """Return the downloaded files that the source reads below a folder, whether they exist or not."""
        return list(self.load().raw_files(self, root)) if self.has_files else []


PluginType = TypeVar("PluginType", bound=type[Plugin])
_REGISTRY: dict[str, dict[str, type[Plugin]]] = {kind: {} for kind in TAGS}
_FILES: dict[str, str] = {}


def register(plugin: PluginType) -> PluginType:
    """Register a settings class; a decorator.

    Raises
    ------
    TgsageError
        If the class has no name or no code, or another plugin of this kind has the same name.
    """
    problem = _problem(plugin)
    if problem is not None:
        raise TgsageError(f"plugins: {_file_of(plugin)}: {plugin.__name__}: {problem}")
    _REGISTRY[plugin.plugin_kind][plugin.plugin_name()] = plugin
    return plugin


def _problem(plugin: type[Plugin]) -> str | None:
    kind = plugin.plugin_kind
    field = plugin.model_fields.get(TAGS[kind])
    if field is None or len(typing.get_args(field.annotation)) != 1:
        return f'has no name; declare {TAGS[kind]}: Literal["..."]'
    if not hasattr(plugin, "code"):
        return "has no code; let `code` name what does the work"
    if not _is_there(plugin.code_module()):
        return f"its code is in {plugin.code_module()}, and there is no such module"
    name = plugin.plugin_name()
    earlier = _REGISTRY[kind].get(name)
    if earlier is not None and earlier.__module__ != plugin.__module__:
        return f"the {_word(kind)} {name!r} is registered by {_file_of(earlier)} already; choose another name"
    return None


def _file_of(plugin: type[Plugin]) -> str:
    return getattr(sys.modules.get(plugin.__module__), "__file__", None) or plugin.__module__


def _is_there(module: str) -> bool:
    """Whether a module can be found, without importing it."""
    try:
        return module in sys.modules or importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def get(kind: str, name: str) -> type[Plugin]:
    """Return the settings class of a plugin.

    Raises
    ------
    TgsageError
        If there is none of that name.
    """
    _discover()
    if name not in _REGISTRY[kind]:
        raise unknown(_word(kind), name, _REGISTRY[kind])
    return _REGISTRY[kind][name]


def every(kind: str) -> tuple[type[Plugin], ...]:
    """Return all plugins of a kind in the order of their names."""
    _discover()
    return tuple(plugin for _, plugin in sorted(_REGISTRY[kind].items()))


def settings(kind: str, given: Section | Mapping[str, Any] | str, **options: Any) -> Any:
    """Return the settings of a plugin.

    Parameters
    ----------
    kind
        One of :data:`TAGS`.
    given
        Settings, the same as a mapping, or a plugin's name.
    **options
        Settings that differ from ``given``, or from the defaults.

    Raises
    ------
    TgsageError
        If there is no such plugin, or a setting is unknown or out of range; one line.
    """
    if isinstance(given, Plugin) and not options:
        return given
    tag = TAGS[kind]
    if isinstance(given, str):
        values: dict[str, Any] = {tag: given}
    else:
        values = given.plain() if isinstance(given, Section) else dict(given)
    values |= options
    name = str(values.get(tag))
    return checked(f"{kind} {name}", get(kind, name), values)


class Choice:
    """Stands in an annotation for the union of all plugins of a kind.

    Parameters
    ----------
    kind
        One of :data:`TAGS`.
    without
        Names that are left out.

    Examples
    --------
    >>> sampler: Annotated[SamplerSettings, Choice("sampler")]
    """

    def __init__(self, kind: str, without: Sequence[str] = ()):
        self.kind, self.without = kind, tuple(without)

    @property
    def tag(self) -> str:
        """The key that selects a plugin."""
        return TAGS[self.kind]

    def members(self) -> tuple[type[Plugin], ...]:
        """Return the plugins that may stand here."""
        return tuple(plugin for plugin in every(self.kind) if plugin.plugin_name() not in self.without)

    def __get_pydantic_core_schema__(self, _source: Any, handler: Any) -> Any:
        members = self.members()
        if len(members) == 1:
            return handler.generate_schema(members[0])
        union = functools.reduce(operator.or_, members)
        return handler.generate_schema(Annotated[union, Field(discriminator=self.tag)])


def alternatives(annotation: Any, metadata: Sequence[Any] = ()) -> list[Any]:
    """Return the types that an annotation allows; of a :class:`Choice` all its plugins."""
    for item in metadata:
        if isinstance(item, Choice):
            return list(item.members())
    if typing.get_origin(annotation) is Annotated:
        inner, *metadata = typing.get_args(annotation)
        return alternatives(inner, metadata)
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return [one for part in typing.get_args(annotation) for one in alternatives(part)]
    return [annotation]


def load_files(files: Sequence[str]) -> None:
    """Register the plugins in Python files.

    Each file is run once, with the rights of the user. A file that has changed is run again.

    Parameters
    ----------
    files
        Relative ones are looked for in the working folder.

    Raises
    ------
    TgsageError
        If a file is missing, is not Python, raises, or registers nothing.
    """
    for file in files:
        try:
            text = Path(file).read_text(encoding="utf-8")
        except FileNotFoundError:
            raise TgsageError(
                f"plugins: {file}: no such file in {Path.cwd()}; relative paths begin in the working folder"
            ) from None
        except (OSError, UnicodeDecodeError) as error:
            raise TgsageError(f"plugins: {file}: cannot be read: {error}") from None
        if _FILES.get(file) != text:
            _run_file(file, text)
            _FILES[file] = text
            _rebuild_choices()


def _rebuild_choices() -> None:
    """Build the schemas of plugins that contain a choice of plugins, now that there are more of these."""
    for kind in TAGS:
        for plugin in every(kind):
            metadata = [item for field in plugin.model_fields.values() for item in field.metadata]
            if any(isinstance(item, Choice) for item in metadata):
                plugin.model_rebuild(force=True)


def loaded_files() -> tuple[str, ...]:
    """Return the files that :func:`load_files` has run, for processes that must run them too."""
    return tuple(_FILES)


def _run_file(file: str, text: str) -> None:
    """Run a file as a module whose name is made from its text, so that two versions never mix."""
    path = Path(file).absolute()
    name = "tgsage_plugin_" + hashlib.sha256(f"{path} {text}".encode()).hexdigest()[:16]
    try:
        code = compile(ast.parse(text), str(path), "exec")
    except (SyntaxError, ValueError) as error:
        raise TgsageError(f"plugins: {file}: is not Python: {error}") from None
    for registered in _REGISTRY.values():
        for plugin_name, plugin in list(registered.items()):
            if getattr(sys.modules.get(plugin.__module__), "__file__", None) == str(path):
                del registered[plugin_name]  # of an earlier version of this file
    specification = importlib.util.spec_from_loader(name, loader=None, origin=str(path))
    assert specification is not None
    module = importlib.util.module_from_spec(specification)
    module.__file__ = str(path)
    # Before it runs: pydantic, dataclasses and inspect look their module up.
    sys.modules[name] = module
    try:
        exec(code, module.__dict__)
    except TgsageError:
        del sys.modules[name]
        raise
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        line = next((f" line {number}" for number in _lines(error, str(path))), "")
        raise TgsageError(
            f"plugins: {file}{line}: raised {type(error).__name__} when it was loaded: {error}"
        ) from None
    if not any(plugin.__module__ == name for plugins in _REGISTRY.values() for plugin in plugins.values()):
        raise TgsageError(
            f"plugins: {file}: registers nothing; put @tgsage.plugins.register on a settings class"
        )


def _lines(error: BaseException, path: str) -> Iterator[int]:
    """Line numbers of a file that a traceback passes through, the innermost first."""
    numbers = []
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == path:
            numbers.append(trace.tb_lineno)
        trace = trace.tb_next
    return reversed(numbers)


@functools.cache
def _discover() -> None:
    """Import every ``plugin.py`` of this package and what installed packages name as entry points."""
    root = Path(__file__).parents[1]
    for path in sorted(root.glob("**/plugin.py")):
        importlib.import_module(".".join((root.name, *path.relative_to(root).with_suffix("").parts)))
    for entry in sorted(importlib.metadata.entry_points(group=GROUP), key=lambda entry: entry.name):
        try:
            entry.load()
        except Exception as error:  # somebody else's code may raise anything
            package = entry.dist.name if entry.dist else entry.value
            raise TgsageError(
                f"the package {package} offers the plugin {entry.name!r}, which cannot be loaded "
                f"({type(error).__name__}: {error}); mend or uninstall it"
            ) from None


def _word(kind: str) -> str:
    return _WORDS.get(kind, kind)
