"""Reading what earlier stages wrote."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ..errors import TgsageError

PathLike = str | os.PathLike[str]


def read_json(path: PathLike) -> dict[str, Any]:
    """Read a JSON file; a missing or broken one is one line naming it."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise TgsageError(f"{path}: missing; run the stage that makes it") from None
    except ValueError as error:
        raise TgsageError(f"{path}: not valid JSON ({error}); delete it and run again") from None


def proposals(path: PathLike) -> list[dict[str, Any]]:
    """Return the proposals of a ``proposals.json``, in their order."""
    told = read_json(path)
    if not isinstance(told.get("proposals"), list):
        raise TgsageError(f"{path}: holds no proposals; delete it and run again")
    return told["proposals"]
