"""The one exception that tgsage raises on purpose, and the words it uses."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


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
    found = difflib.get_close_matches(str(name), options, n=1, cutoff=0.5)
    return f" (did you mean {found[0]!r}?)" if found else ""


def unknown(what: str, name: str, names: Iterable[str]) -> TgsageError:
    """Build the error for a name that is not one of ``names``."""
    options = sorted(str(option) for option in names)
    return TgsageError(
        f"unknown {what} {name!r}{nearest(name, options)}; valid: {', '.join(options) or 'none'}"
    )
