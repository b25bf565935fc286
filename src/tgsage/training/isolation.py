"""A function in a process of its own, so that a hang or a crash costs one candidate and not the job.

A *fork server*, which has imported torch once, forks for every call: ten milliseconds instead of a second. It
never starts CUDA and never runs parallel code, so its children may do both.

The child leads a session, which is killed when the call ends: by the parent, or by a guardian process inside
the session when the parent is gone, even by SIGKILL. The kernel (``PR_SET_PDEATHSIG``) kills child and
guardian when their own parents are gone. (Pools with a time limit, such as pebble's, kill their worker only,
and lose what a call has reported.)
"""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import signal
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Protocol

from ..errors import TgsageError

PRELOAD = ("torch", "tgsage.training.cache")
"""What the fork server imports where nothing else is said."""

START_SECONDS = 300.0
"""How long the fork server may take to start; it imports torch, on a cluster from a shared disk."""

EXIT_SECONDS = 10.0
"""How long a child may take to end after it has handed over its result."""

_PR_SET_PDEATHSIG = 1
_lock = threading.Lock()


@dataclass(frozen=True)
class Failure:
    """Why there is no result: its kind, ``"timeout"``, ``"crashed"`` or ``"raised"``, and a line of text."""

    kind: str
    reason: str


@dataclass(frozen=True)
class Outcome:
    """What a call in a process of its own came to.

    Attributes
    ----------
    value, failure
        The function's result, or why there is none; the other is None.
    seconds
        Wall clock of the function, without the start of the server; since its limit last began anew.
    reports
        Everything the function reported, later values over earlier ones.
    """

    value: Any
    failure: Failure | None
    seconds: float
    reports: dict[str, Any]


class Report(Protocol):
    """What a function in a process of its own is given to tell how far it is."""

    def __call__(self, content: dict[str, Any], *, anew: bool = False) -> None:
        """Hand over values by name; ``anew``: the function has the whole time limit from now on."""


def run_isolated(
    function: Callable[..., Any],
    arguments: Sequence[Any] = (),
    timeout_seconds: float | None = None,
    *,
    reports: bool = False,
    preload: Sequence[str] = PRELOAD,
) -> Outcome:
    """Call a function in a process of its own.

    Parameters
    ----------
    function
        Importable by name from a module other than ``__main__``. Arguments and result are pickled.
    arguments
        Positional arguments.
    timeout_seconds
        Wall clock after which the process and all that it started are killed; None waits for ever. The
        clock starts when the function does.
    reports
        Pass a keyword argument ``report``, see :class:`Report`; what it was given outlives a crash.
    preload
        Modules that the fork server imports; those of the first call count, which starts it. They may start
        neither threads nor CUDA when they are imported.

    Returns
    -------
    Outcome

    Raises
    ------
    TgsageError
        If the function raised one: a mistake of the user's is not a failure of the candidate. Also if the
        function cannot be sent to another process.
    """
    context = multiprocessing.get_context("forkserver")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(sender, function, tuple(arguments), reports))
    try:
        with _lock, _no_main():
            context.set_forkserver_preload(list(preload))
            try:
                process.start()
            except Exception as error:  # pickle raises nearly anything
                name = getattr(function, "__qualname__", function)
                raise TgsageError(
                    f"{name} cannot be run in a process of its own ({type(error).__name__}: {error}); define "
                    "it in a module, and give it plain arguments"
                ) from None
        sender.close()
        return _attend(process, receiver, timeout_seconds)
    finally:
        if process.pid is not None:
            _end_session(process.pid)
            process.join(EXIT_SECONDS)
        receiver.close()
        sender.close()


def _attend(process: Any, receiver: Connection, timeout_seconds: float | None) -> Outcome:
    """Listen to the child until it answers, dies, or runs out of time."""
    reported: dict[str, Any] = {}
    started = False
    since = time.monotonic()
    limit: float | None = START_SECONDS

    def outcome(value: Any = None, failure: tuple[str, str] | None = None) -> Outcome:
        why = None if failure is None else Failure(*failure)
        return Outcome(value, why, time.monotonic() - since, reported)

    while True:
        left = None if limit is None else max(since + limit - time.monotonic(), 0)
        ready = wait([receiver, process.sentinel], left)
        if not ready and started:
            return outcome(failure=("timeout", f"took longer than {limit:g} s"))
        if not ready:
            return outcome(failure=("crashed", f"did not start within {limit:g} s"))
        message: tuple[str, Any] = ("ended", None)
        # A pipe is not at its end while a process that the child has started holds it.
        with contextlib.suppress(EOFError, OSError):
            message = receiver.recv() if receiver in ready else message
        kind, content = message
        if kind == "started":
            started, since, limit = True, time.monotonic(), timeout_seconds
        elif kind == "report":
            reported |= content
        elif kind == "refused":
            raise TgsageError(content)
        elif kind == "raised":
            return outcome(failure=("raised", content))
        else:
            done = outcome(content)
            # Let it end by itself: buffers are flushed, memory of a GPU is given back in order.
            process.join(EXIT_SECONDS)
            return done if kind == "result" else outcome(failure=("crashed", _why_ended(process.exitcode)))


def _why_ended(code: int | None) -> str:
    if code is None:
        return "closed its connection and went on"
    if code >= 0:
        return f"ended with exit code {code} and no result"
    name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
    hint = " (out of memory?)" if name == "SIGKILL" else ""
    return f"killed by {name}{hint}"


@contextlib.contextmanager
def _no_main() -> Iterator[None]:
    """Hide the main module while a child is started.

    A child would run the parent's main script again, as ``__mp_main__``. Those that Snakemake generates for
    its ``script:`` directive have no guard against that. A function defined in the main script cannot be
    pickled then, which gives a message here instead of a crash there.
    """
    original = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = original


def _child(
    sender: Connection, function: Callable[..., Any], arguments: tuple[Any, ...], reports: bool
) -> None:
    os.setsid()
    _die_with_parent()
    _start_guardian()
    sender.send(("started", None))

    def report(content: dict[str, Any], *, anew: bool = False) -> None:
        sender.send(("report", content))
        if anew:
            sender.send(("started", None))

    keywords = {"report": report} if reports else {}
    try:
        message = ("result", function(*arguments, **keywords))
    except TgsageError as error:
        message = ("refused", str(error))
    except Exception as error:
        message = ("raised", _one_line(error))
    try:
        sender.send(message)
    except Exception as error:  # The result cannot be pickled; nothing was sent.
        sender.send(("raised", f"the result cannot be sent: {_one_line(error)}"))
    sender.close()


def _one_line(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _start_guardian() -> None:
    """Fork a process that kills the session when the process that asked for the call is gone."""
    # No thread, which would need the interpreter's lock: a hanging extension may hold it.
    parent = multiprocessing.parent_process()
    session = os.getpid()
    if parent is None or os.fork():
        return
    try:
        _die_with_parent()
        if os.getppid() == session:
            wait([parent.sentinel])
            _end_session(session, spare=os.getpid())
    finally:
        os._exit(0)


def _end_session(leader: int, spare: int | None = None) -> None:
    # Twice: a process may fork between being listed and being killed.
    for _ in range(2):
        for pid in _belonging(leader):
            if pid != spare:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)


def _belonging(leader: int) -> list[int]:
    """Processes of a session and descendants of its leader; no number is given anew while it has members."""
    table: dict[int, tuple[int, int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            # pid (name) state ppid pgrp session ...: the name may hold spaces and brackets.
            fields = path.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            table[int(path.parent.name)] = (int(fields[1]), int(fields[3]))
    members = {pid for pid, (_, session) in table.items() if session == leader}
    while True:
        children = {pid for pid, (above, _) in table.items() if above in members} - members
        if not children:
            return sorted(members)
        members |= children
