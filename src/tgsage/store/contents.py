"""What is in files that lie outside of a run, so that a workflow sees when one of them was replaced.

Snakemake compares small inputs by checksum and large ones by time, and an older copy of a large file has an
older time. So the content itself is told, as a parameter of the rule that reads the files. A file is read
once: its digest is kept with its size, times and inode, and is read again when one of them changed.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .atomic import write_json
from .hashing import digest

SEPARATE = 50
"""Up to this many files are told one by one, more of them as one digest."""
READ = 20_000
"""More files than this are told by name, size and time of change instead of by content."""
SETTLED_SECONDS = 2.0
"""A file that changed this recently is read again next time: its times might not tell a further change."""
ABSENT = "absent"


VARIABLE = "TGSAGE_DATA"
OWN_FOLDER = Path("neural_data")
"""Folder under the working directory for downloaded data (``raw``) and for your own cards."""


def data_root(setting: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder of downloaded data.

    Parameters
    ----------
    setting
        The config's ``data``. Where it is None, the environment variable ``TGSAGE_DATA`` says; where that
        is not set either, it is ``neural_data/raw`` under the working directory, or else in the checkout
        from which tgsage runs. The folder need not exist.
    """
    chosen = setting or os.environ.get(VARIABLE)
    if chosen:
        return Path(chosen)
    checkout = Path(__file__).resolve().parents[3] / OWN_FOLDER
    return (OWN_FOLDER if OWN_FOLDER.is_dir() or not checkout.is_dir() else checkout) / "raw"


def contents(files: Sequence[Path], root: Path, cache: Path) -> dict[str, str]:
    """Digests of the content of files.

    Parameters
    ----------
    files
        Whether they exist or not.
    root
        Folder of downloaded data: files below it are named by their path in it, so that moving the whole
        folder changes nothing.
    cache
        A JSON file that remembers digests. If it is missing or damaged, files are read again.

    Returns
    -------
    dict
        By name, in the order given: the first 16 digits of the SHA-256 of a file. A file that is absent has
        the digest that it had when it was last seen, or else ``"absent"``: recordings that were read are not
        out of date because their raw files were put away. More than 50 files are one entry, whose digest is
        that of all names and contents; more than 20,000 are told by size and time instead of by content.

    Raises
    ------
    OSError
        If a file is there and cannot be read, or the cache cannot be written.
    """
    if len(files) > READ:
        states = [[_name(path, root), *_times(path)[:2]] for path in files]
        return {f"{len(files)} files": digest(states)[:16]}
    cached = _load(cache)
    digests: dict[str, str] = {}
    changed = False
    for path in files:
        key = os.path.abspath(path)
        remembered = cached.get(key, {})
        times = _times(path)
        state = remembered.get("digest", ABSENT)
        if times and times != remembered.get("times"):
            state = _digest(path)
            cached[key] = {"digest": state, "times": times if is_settled(times) else []}
            changed = changed or cached[key] != remembered
        digests[_name(path, root)] = state
    if changed:
        write_json(cache, cached)
    if len(digests) > SEPARATE:
        return {f"{len(digests)} files": digest(digests)[:16]}
    return digests


def file_times(status: os.stat_result) -> list[int]:
    """Return size, time of change of content and of the entry, and inode."""
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]


def is_settled(times: Sequence[int]) -> bool:
    """Whether a file's :func:`file_times` would tell a further change."""
    return time.time_ns() - max(times[1:3]) > SETTLED_SECONDS * 1e9


def _times(path: Path) -> list[int]:
    """Empty where there is no file."""
    try:
        return file_times(path.stat())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _digest(path: Path) -> str:
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()[:16]


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def _load(cache: Path) -> dict[str, dict[str, Any]]:
    try:
        cached = json.loads(cache.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    if not isinstance(cached, dict):
        return {}
    return {key: value for key, value in cached.items() if isinstance(value, dict)}
