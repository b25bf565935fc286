"""A content-addressed store: what was made once under a key is never made again.

An entry is a folder ``<root>/<kind>/<key[:2]>/<key>/`` with the files its maker wrote and a manifest of
their SHA-256. An entry whose files do not match its manifest is refused and made again: a refused hit
costs a recomputation, a stale hit a wrong result. Every write, hit and refusal is one line of
``<root>/journal.jsonl``.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from .atomic import replacing_folder, write_json

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Usage:
    """What a kind of entry takes: number of entries, bytes, and when the oldest was last used."""

    kind: str
    entries: int
    bytes: int
    oldest: float


class Store:
    """The store under a folder.

    Parameters
    ----------
    root
        Its folder; made when first written to.
    """

    def __init__(self, root: str | os.PathLike[str]):
        self.root = Path(root)

    def path(self, kind: str, key: str) -> Path:
        """Where the entry is, or would be."""
        return self.root / kind / key[:2] / key

    def ensure(
        self, kind: str, key: str, make: Callable[[Path], None], event: Mapping[str, str] | None = None
    ) -> Path:
        """Return the folder of an entry, making it if it is absent, incomplete or corrupt.

        Two processes that ask for one key wait for each other, so that it is made once.

        Parameters
        ----------
        kind
            Sort of entry, e.g. ``"trained"``.
        key
            Digest of everything that decides the content.
        make
            Writes the entry's files into the empty folder it is given. If it raises, nothing is kept.
        event
            What the journal says of an entry that was made; None: ``{"event": "write"}``.
        """
        folder = self.path(kind, key)
        with self._locked(kind, key):
            if folder.is_dir():
                if self.intact(folder):
                    os.utime(folder)
                    self._note(kind, key, event="hit")
                    return folder
                self._note(kind, key, event="refused")
            with replacing_folder(folder) as temporary:
                make(temporary)
                files = {
                    str(path.relative_to(temporary)): _sha256(path)
                    for path in sorted(temporary.rglob("*"))
                    if path.is_file()
                }
                write_json(temporary / MANIFEST, {"kind": kind, "key": key, "files": files})
            self._note(kind, key, **(event or {"event": "write"}))
        return folder

    def intact(self, folder: Path) -> bool:
        """Whether the entry's files are those it was written with."""
        try:
            manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
            return all(_sha256(folder / name) == sha for name, sha in manifest["files"].items())
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return False

    def journal(self) -> list[dict[str, object]]:
        """Every event so far: ``time``, ``event`` (write, hit, refused, adopted), ``kind``, ``key``."""
        path = self.root / "journal.jsonl"
        if not path.exists():
            return []
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]

    def usage(self) -> list[Usage]:
        """Size of the store by kind of entry."""
        folders: dict[str, list[Path]] = {}
        for kind, folder in self._entries():
            folders.setdefault(kind, []).append(folder)
        return [
            Usage(kind, len(some), _size(*some), min(folder.stat().st_mtime for folder in some))
            for kind, some in sorted(folders.items())
        ]

    def prune(self, unused_days: float, *, dry_run: bool = False) -> tuple[int, int]:
        """Remove entries that nobody asked for in the last days.

        Nothing is lost for good: whoever asks for a removed key makes it again.

        Returns
        -------
        tuple
            Number of entries and of bytes removed (or that would be).
        """
        limit = time.time() - 86400 * unused_days
        entries = size = 0
        for kind, folder in self._entries():
            if folder.stat().st_mtime >= limit:
                continue
            size += _size(folder)
            entries += 1
            if not dry_run:
                with self._locked(kind, folder.name):
                    shutil.rmtree(folder)
        # What killed writers have left: temporary folders beside entries.
        for folder in [] if dry_run else self.root.glob("*/*/.*"):
            if folder.is_dir() and folder.stat().st_mtime < limit:
                shutil.rmtree(folder, ignore_errors=True)
        return entries, size

    def folders(self, kind: str) -> list[Path]:
        """Return the folders of all entries of a kind, whose names are the keys, in their order."""
        return [folder for its_kind, folder in self._entries() if its_kind == kind]

    def _entries(self) -> Iterator[tuple[str, Path]]:
        for manifest in sorted(self.root.glob(f"*/*/*/{MANIFEST}")):
            folder = manifest.parent
            if not folder.name.startswith("."):
                yield folder.parent.parent.name, folder

    @contextlib.contextmanager
    def _locked(self, kind: str, key: str) -> Iterator[None]:
        locks = self.root / "locks"
        locks.mkdir(parents=True, exist_ok=True)
        # The lock file stays: removing it while another process waits would let two of them in.
        with open(locks / f"{kind}-{key}", "a", encoding="utf-8") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def _note(self, kind: str, key: str, *, event: str, **details: str) -> None:
        line = json.dumps(
            {"time": round(time.time(), 3), "event": event, "kind": kind, "key": key, **details}
        )
        self.root.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.root / "journal.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            os.write(handle, (line + "\n").encode())
        finally:
            os.close(handle)


def _size(*folders: Path) -> int:
    """Bytes on disk; a file that several entries link to counts once."""
    files = [path.stat() for folder in folders for path in folder.rglob("*") if path.is_file()]
    return sum({file.st_ino: file.st_size for file in files}.values())


def _sha256(path: Path) -> str:
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
