"""The one exception that tgsage raises on purpose, and the words it uses."""

from __future__ import annotations

import contextlib
import difflib
import os
import sys
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path


class TgsageError(Exception):
    """Something a user can put right; its text is one line that names what is wrong and what to do.

    Entry points (the command line and the workflow's scripts) print the text without a traceback
    and end with exit status 1. Anything else that escapes is a defect of tgsage.
    """

    def __init__(self, message: str):
        super().__init__(" ".join(message.split()))


def nearest(name: str, names: Iterable[str]) -> str:
    """Return the words `` (did you mean 'x'?)``, or nothing when no name is near.

    Parameters
    ----------
    name
        What the user wrote.
    names
        What would have been valid.
    """
    options = [str(option) for option in names]
    close = difflib.get_close_matches(str(name), options, n=1, cutoff=0.5)
    return f" (did you mean {close[0]!r}?)" if close else ""


def unknown(what: str, name: str, names: Iterable[str]) -> TgsageError:
    """Build the error for a name that is not one of ``names``."""
    options = sorted(str(option) for option in names)
    return TgsageError(
        f"unknown {what} {name!r}{nearest(name, options)}; valid: {', '.join(options) or 'none'}"
    )


@contextlib.contextmanager
def reporting(log: str | os.PathLike[str] | None = None) -> Iterator[None]:
    """Run a stage: a :class:`TgsageError` becomes one line on stderr (and in ``log``) and exit status 1.

    Anything else is a defect of tgsage and keeps its traceback, in ``log`` too.
    """
    try:
        yield
    except TgsageError as error:
        line = f"tgsage: {error}"
        print(line, file=sys.stderr, flush=True)
        _append(log, line)
        raise SystemExit(1) from None
    except Exception:
        _append(log, traceback.format_exc())
        raise


def _append(log: str | os.PathLike[str] | None, text: str) -> None:
    if log is not None:
        Path(log).parent.mkdir(parents=True, exist_ok=True)
        with open(log, "a", encoding="utf-8") as handle:
            handle.write(text.rstrip("\n") + "\n")
