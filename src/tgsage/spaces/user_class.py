"""A class in a file of the user's own, loaded when the configuration names it.

The file is run, with the user's rights, as any script of theirs. It is compiled from the text that was
digested, under a module name made from that digest: two versions of a file never mix, and no compiled copy
is left beside it.
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
import re
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from ..errors import TgsageError, nearest
from ..store import digest, stage_digest

_LOCK = threading.RLock()


@dataclass(frozen=True)
class Source:
    """The text of a file.

    Attributes
    ----------
    what
        Whose file it is, for messages, e.g. ``"space python"``.
    file
        As the configuration names it.
    text
        Its content.
    digest
        Of the text and of the code of tgsage that it imports; 16 hexadecimal digits.
    """

    what: str
    file: str
    text: str
    digest: str


def read(file: str, what: str) -> Source:
    """Read a file of the user's own, without running it.

    Raises
    ------
    TgsageError
        If it is not there, cannot be read, or is not Python.
    """
    where = f"{what}: {file}"
    try:
        text = Path(file).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise TgsageError(
            f"{where}: no such file in {Path.cwd()}; `file` is looked for in the working folder"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise TgsageError(f"{where}: cannot be read: {error}") from None
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError) as error:
        raise TgsageError(f"{where}: is not Python: {error}") from None
    return Source(what, file, text, digest(text, _imported(tree))[:16])


def _imported(tree: ast.Module) -> list[tuple[str, str]]:
    """Digests of the modules of tgsage that a file imports: their code decides its networks, too."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    found = []
    for name in sorted(names):
        if name.startswith("tgsage."):
            try:
                found.append((name, stage_digest(name.removeprefix("tgsage."))))
            except ModuleNotFoundError:
                continue  # a name in a module
    return found


def make(source: Source, class_name: str, options: Mapping[str, Any], base: type, base_name: str) -> Any:
    """Run a file and make an object of a class in it.

    Parameters
    ----------
    source
        The file.
    class_name
        Name of the class.
    options
        Keyword arguments of the class.
    base, base_name
        What the class must be a subclass of, and how that is called in a message.

    Raises
    ------
    TgsageError
        If the file or the constructor raises, or there is no such class, or it is not a complete subclass.
    """
    where = f"{source.what}: {source.file}"
    module = _load(source, where)
    found = vars(module).get(class_name)
    if not isinstance(found, type):
        classes = [name for name, value in vars(module).items() if _is_own(value, module)]
        raise TgsageError(
            f"{where}: has no class {class_name!r}{nearest(class_name, classes)}; "
            f"there are: {', '.join(classes) or 'none'}"
        )
    where = f"{where}: {class_name}"
    if not issubclass(found, base):
        raise TgsageError(f"{where}: is not a subclass of {base_name}")
    missing = sorted(getattr(found, "__abstractmethods__", ()))
    if missing:
        raise TgsageError(f"{where}: lacks the method(s) {', '.join(missing)} of {base_name}")
    try:
        inspect.signature(found).bind(**options)
    except TypeError as error:
        raise TgsageError(f"{where}: does not take these options: {error}") from None
    try:
        return found(**options)
    except Exception as error:  # the user's own code may raise anything
        raise TgsageError(f"{where}: cannot be made: {type(error).__name__}: {error}") from None


def _is_own(value: Any, module: ModuleType) -> bool:
    return isinstance(value, type) and value.__module__ == module.__name__


def _load(source: Source, where: str) -> ModuleType:
    stem = re.sub(r"\W", "_", Path(source.file).stem)
    path = Path(source.file).absolute()
    name = f"tgsage_file_{stem}_{digest(source.digest, str(path))[:16]}"
    with _LOCK:
        if name in sys.modules:
            return sys.modules[name]
        specification = importlib.util.spec_from_file_location(name, path)
        if specification is None:
            raise TgsageError(f"{where}: is not a Python file; its name must end in .py")
        module = importlib.util.module_from_spec(specification)
        # Before it runs: dataclasses and inspect look their module up.
        sys.modules[name] = module
        try:
            exec(compile(source.text, str(path), "exec"), module.__dict__)
        except BaseException as error:
            del sys.modules[name]
            if not isinstance(error, Exception | SystemExit):
                raise
            line = _line(error, str(path))
            raise TgsageError(
                f"{where}{line}: raised {type(error).__name__} when it was loaded: {error}"
            ) from None
        return module


def _line(error: BaseException, path: str) -> str:
    """`` line N`` of the user's file, where the traceback passes through it."""
    found = ""
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == path:
            found = f" line {trace.tb_lineno}"
        trace = trace.tb_next
    return found
