"""Digests of the code that decides a stage's numbers, and of nothing else.

A digest covers the modules that a stage imports while it runs, directly or not, each as a normalised syntax
tree, and the tables beside them (``objects.toml`` belongs to ``objects.py``). What cannot change a number is
left out:

- modules that only read, write, check or select (:func:`is_infrastructure`);
- comments, docstrings, annotations, imports for type checkers, and what a ``raise`` statement says;
- other names of a package: ``from ..training import evaluate`` counts the module where ``evaluate`` is
  defined, whatever else ``training`` offers.

Plugins are imported by name. Their code is in the digest of a stage that is given their settings.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .hashing import digest

PACKAGE = "tgsage"

INFRASTRUCTURE = ("archives", "cli", "config", "errors", "netcdf", "plugins", "settings", "store")
"""Parts of the package that decide no numbers: they read, write, check and select."""
DECLARATIONS = ("plugin", "settings")
"""Names of modules that declare settings, whose values reach a stage as its parameters."""


def is_infrastructure(module: str) -> bool:
    """Whether a module of this package is left out of every digest."""
    parts = module.split(".")
    if parts[0] != PACKAGE:
        return False
    return len(parts) == 1 or parts[1] in INFRASTRUCTURE or parts[-1] in DECLARATIONS


def stage_digest(
    *stages: str, settings: Iterable[Any] = (), modules: Iterable[str] = (), root: Path | None = None
) -> str:
    """Digest the code that decides what a stage computes, so that a workflow can see when it changed.

    Parameters
    ----------
    *stages
        Modules or functions, e.g. ``"training.loop"`` (a name under this package) or
        ``"tgsage.search.propose:propose_round"``.
    settings
        Settings of plugins that the stage uses; nested ones count, too.
    modules
        Full names of further modules, e.g. those that :func:`plugin_modules` returns.
    root
        The package's folder, where it is not the one that is running.

    Returns
    -------
    str
        16 hexadecimal digits.

    Raises
    ------
    ModuleNotFoundError
        If there is no such module.
    """
    names = [_full_name(stage) for stage in stages] + sorted({*plugin_modules(settings), *modules})
    covered = closure(*names, root=root).values()
    return digest(sorted((module.label, module.tree_digest) for module in covered))[:16]


def plugin_modules(settings: Any) -> Iterator[str]:
    """Names of the modules with the code of the plugins among settings, however deep they are nested."""
    if hasattr(settings, "code_module"):
        yield settings.code_module()
    if hasattr(settings, "model_fields_set"):
        settings = dict(settings)
    if isinstance(settings, Mapping):
        settings = settings.values()
    elif not isinstance(settings, list | tuple | set | frozenset):
        return
    for value in settings:
        yield from plugin_modules(value)


@dataclass(frozen=True)
class Module:
    """A module as a digest sees it.

    Attributes
    ----------
    label
        Its name; of a file of plugins the file's name.
    tree_digest
        Of its normalised syntax tree, and of its table where it has one.
    imports
        Pairs of a module and a chain of attributes that are used of it: ``("tgsage.spaces", ("get",))``.
    exports
        Of a package: where each name that it imports for others is defined.
    defines
        Whether it holds more than imports.
    """

    label: str
    tree_digest: str
    imports: tuple[tuple[str, tuple[str, ...]], ...]
    exports: Mapping[str, tuple[str, str]]
    defines: bool


def closure(*modules: str, root: Path | None = None) -> dict[str, Module]:
    """Return the modules that decide what these modules compute, themselves included, by name.

    The import graph is read; nothing is executed.
    """
    graph = _Graph({name.split(".")[0] for name in modules} | {PACKAGE}, root)
    found: dict[str, Module] = {}
    todo = list(modules)
    while todo:
        name = todo.pop()
        if name in found:
            continue
        found[name] = graph.read(name)
        for imported, chain in found[name].imports:
            for module in graph.resolve(imported, chain):
                # Importing a.b.c runs a and a.b as well.
                parents = [module.rsplit(".", depth)[0] for depth in range(1, module.count(".") + 1)]
                packages = [parent for parent in parents if graph.read(parent).defines]
                todo += [one for one in (module, *packages) if not is_infrastructure(one)]
    return found


class _Graph:
    """Modules of some top-level packages, and what names of theirs stand for."""

    def __init__(self, packages: set[str], root: Path | None):
        self.packages, self.root = packages, root

    def file(self, module: str) -> Path | None:
        """The file of a module; None where there is none, or it is of another package."""
        package, *parts = module.split(".")
        if package not in self.packages:
            return None
        if package == PACKAGE and self.root is not None:
            home = self.root
        else:
            home = _home(package)
            if not parts and home.is_file():
                return home
        base = home.joinpath(*parts)
        for candidate in (base / "__init__.py", base.with_suffix(".py")):
            if candidate.is_file():
                return candidate
        return None

    def read(self, module: str) -> Module:
        path = self.file(module)
        if path is None:
            raise ModuleNotFoundError(module)
        candidates = (path, path.with_suffix(".pyi"), path.with_suffix(".toml"))
        files = [(one, one.stat().st_mtime_ns, one.stat().st_size) for one in candidates if one.is_file()]
        return _parse(module, tuple(files))

    def resolve(self, module: str, chain: tuple[str, ...]) -> set[str]:
        """The modules in which a chain of attributes of a module is defined."""
        path = self.file(module)
        if path is None:
            return set()
        if path.name != "__init__.py":
            return {module}
        if not chain:  # the package itself was handed on: any of its names may be used
            return {module}.union(
                *(self.resolve(*self._home(module, name)) for name in self.read(module).exports)
            )
        if self.file(f"{module}.{chain[0]}") is not None:
            return self.resolve(f"{module}.{chain[0]}", chain[1:])
        if chain[0] in self.read(module).exports:
            home, attributes = self._home(module, chain[0])
            return self.resolve(home, (*attributes, *chain[1:]))
        return {module}

    def _home(self, package: str, name: str) -> tuple[str, tuple[str, ...]]:
        module, attribute = self.read(package).exports[name]
        return module, (attribute,)


def _full_name(stage: str) -> str:
    name = stage.partition(":")[0]
    return name if name.split(".")[0] == PACKAGE else f"{PACKAGE}.{name}"


@functools.cache
def _home(package: str) -> Path:
    """Folder of a package, or file of a module that is no package."""
    loaded = sys.modules.get(package)
    origin = getattr(loaded, "__file__", None)
    if origin is None:
        specification = importlib.util.find_spec(package)
        origin = specification.origin if specification is not None else None
    if origin is None:
        raise ModuleNotFoundError(package)
    path = Path(origin)
    return path.parent if path.name == "__init__.py" else path


@functools.lru_cache(maxsize=1024)
def _parse(name: str, files: tuple[tuple[Path, int, int], ...]) -> Module:
    path = files[0][0]
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    tree = ast.parse(path.read_text(encoding="utf-8"))
    tree = _WithoutTyping().visit(tree)
    exports: dict[str, tuple[str, str]] = {}
    if path.name == "__init__.py":
        declared = ast.parse(files[1][0].read_text(encoding="utf-8")) if len(files) > 1 else tree
        exports = dict(_exports(declared, package))
    imports = tuple(sorted(set(_imports(tree, package))))
    normal = _Normal(package).visit(tree)
    tables = [
        tomllib.loads(one.read_text(encoding="utf-8")) for one, *_ in files[1:] if one.suffix == ".toml"
    ]
    label = path.name if name.startswith("tgsage_plugin_") else name
    tree_digest = digest(ast.dump(normal), *tables)
    return Module(label, tree_digest, imports, exports, any(map(_is_definition, normal.body)))


def _absolute(node: ast.ImportFrom, package: str) -> str:
    base = node.module or ""
    if not node.level:
        return base
    above = package.rsplit(".", node.level - 1)[0] if node.level > 1 else package
    return f"{above}.{base}" if base else above


def _exports(tree: ast.Module, package: str) -> Iterator[tuple[str, tuple[str, str]]]:
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield alias.asname or alias.name, (_absolute(node, package), alias.name)


def _imports(tree: ast.Module, package: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """What a module imports anywhere in it, with the attributes that it uses of what it imports."""
    used: dict[str, set[tuple[str, ...]]] = {}
    inner: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute | ast.Name) and id(node) not in inner:
            chain = _chain(node, inner)
            if chain:
                used.setdefault(chain[0], set()).add(chain[1:])
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, ()
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                for chain in used.get(alias.asname or alias.name, {()}):
                    yield _absolute(node, package), (alias.name, *chain)


def _chain(node: ast.expr, inner: set[int]) -> tuple[str, ...]:
    """``a.b.c`` as its names; empty where it does not begin with a name. Its parts go to ``inner``."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
        inner.add(id(node))
    return (node.id, *reversed(names)) if isinstance(node, ast.Name) else ()


def _is_definition(statement: ast.stmt) -> bool:
    """Whether a statement of a normalised module does more than import names or offer them."""
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return False
    if isinstance(statement, ast.Assign):
        targets = [name for target in statement.targets for name in ast.walk(target)]
        names = [target.id for target in targets if isinstance(target, ast.Name)]
        return not all(name.startswith("__") and name.endswith("__") for name in names)
    return True


class _WithoutTyping(ast.NodeTransformer):
    """Leave out what only a type checker reads."""

    def visit_If(self, node: ast.If) -> Any:
        test = node.test
        if (test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", "")) == "TYPE_CHECKING":
            return [self.visit(statement) for statement in node.orelse]
        return self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> Any:
        if any(getattr(one, "id", getattr(one, "attr", "")) == "overload" for one in node.decorator_list):
            return None
        node.returns = None
        return self.generic_visit(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> Any:
        node.returns = None
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> Any:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> Any:
        node.annotation = ast.Constant(None)
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> Any:
        self.generic_visit(node)
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        return node.args[1] if name == "cast" and len(node.args) == 2 and not node.keywords else node


class _Normal(ast.NodeTransformer):
    """Leave out what cannot change a number."""

    def __init__(self, package: str):
        self.package = package

    def visit_Import(self, node: ast.Import) -> Any:
        node.names = [alias for alias in node.names if not is_infrastructure(alias.name)]
        return node if node.names else None

    def visit_ImportFrom(self, node: ast.ImportFrom) -> Any:
        source = _absolute(node, self.package)
        if source in ("typing", "collections.abc", "__future__"):
            return None
        node.names = [
            alias
            for alias in node.names
            if not is_infrastructure(source)
            or (source == PACKAGE and not is_infrastructure(f"{source}.{alias.name}"))
        ]
        return node if node.names else None

    def visit_Raise(self, node: ast.Raise) -> Any:
        # Which exception is raised may decide what happens next; what it says does not.
        if isinstance(node.exc, ast.Call):
            node.exc = node.exc.func
        node.cause = None
        return node

    def visit_Expr(self, node: ast.Expr) -> Any:
        # Docstrings, of attributes too.
        return None if isinstance(node.value, ast.Constant) else self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> Any:
        if [target.id for target in node.targets if isinstance(target, ast.Name)] == ["__all__"]:
            return None
        return self.generic_visit(node)
