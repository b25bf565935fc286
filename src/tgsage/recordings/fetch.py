"""Downloading the files of a data set, as its card lists them. Everything else works without a network.

A file gets its name only after its digest was compared with the card's, so whatever lies in the data folder
is either what was published, or what somebody else put there.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import shutil
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, Any

from .. import __version__
from ..archives import unpack
from ..errors import TgsageError, unknown
from ..store.atomic import replacing, replacing_folder
from .cards import Card, CardFile, card, expected_digest, file_digest
from .places import data_root

MAXIMAL_BYTES = 16 * 2**30
"""Size of a file whose card does not say how large it is."""
ATTEMPTS = 4
PAUSE = 1.0
"""Seconds before the second attempt; doubled before each further one."""
TIMEOUT = 60.0
CHUNK = 2**20
TRANSIENT = (408, 425, 429, 500, 502, 503, 504)
"""HTTP statuses after which it is worth asking again."""
LOOPBACK = ("127.0.0.1", "::1", "localhost")
MARKER = ".unpacked_from"
"""File in an unpacked folder with the digest of its archive."""

Progress = Callable[[str, int, int | None], None]
"""Called with the file's path on the card, the bytes so far, and their number in all where it is known."""


class _Transient(Exception):
    """Something that may go better at the next attempt."""


class _Redirects(urllib.request.HTTPRedirectHandler):
    def __init__(self, check: Callable[[str, str], None]):
        self._check = check

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        self._check(newurl, f"{req.full_url} redirects to")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class Opener:
    """Opens addresses over https, and refuses every other scheme, also where a server redirects to it.

    Parameters
    ----------
    loopback
        Also plain http, on this very machine; for tests.
    timeout
        Seconds without an answer.
    """

    def __init__(self, *, loopback: bool = False, timeout: float = TIMEOUT):
        self.loopback, self.timeout = loopback, timeout
        # On this machine no proxy is asked.
        proxies = [urllib.request.ProxyHandler({})] if loopback else []
        self._director = urllib.request.build_opener(_Redirects(self.check), *proxies)
        self._director.addheaders = [("User-Agent", f"tgsage/{__version__}")]

    def check(self, url: str, what: str = "address") -> None:
        """Raise unless the address is one that may be opened."""
        parts = urllib.parse.urlsplit(url)
        if parts.scheme == "https" and parts.hostname:
            return
        if self.loopback and parts.scheme == "http" and parts.hostname in LOOPBACK:
            return
        raise TgsageError(f"{what} {url}: only https is downloaded from")

    def open(self, url: str) -> Any:
        """Open an address; the response is to be closed."""
        self.check(url)
        return self._director.open(url, timeout=self.timeout)


def fetch(
    card_name: str, root: str | os.PathLike[str] | None = None, *, files: Iterable[str] | None = None,
    opener: Opener | None = None, progress: Progress | None = None, allow_unverified: bool = False,
    maximal_bytes: int = MAXIMAL_BYTES, pause: Callable[[float], None] = time.sleep,
) -> dict[str, str]:  # fmt: skip
    """Download the files of a card that are not there yet, verify them, and unpack those that it says.

    Everything that lies in the data folder already is checked first: a file that matches its digest is kept,
    and one that differs is an error and stays as it is. Files are downloaded one after the other; when one
    fails, those before it stay.

    Parameters
    ----------
    card_name
        Name of a card in ``neural_data``.
    root
        Folder of downloaded data, as for :func:`~tgsage.recordings.data_root`.
    files
        Some of the card's files, by their ``path``; None means all that have an address.
    opener
        None means https only.
    progress
        Is told how far it is.
    allow_unverified
        Also download files that the card has no digest of. Without a digest nothing tells a damaged or
        exchanged file from the published one.
    maximal_bytes
        Refuse larger files, where the card does not give their size.
    pause
        Waits between attempts.

    Returns
    -------
    dict
        For every file ``"fetched"``, ``"present"``, or ``"no address"`` where the card has none.

    Raises
    ------
    TgsageError
        One line: no such card or file, a digest or a size that differs, an address that cannot be reached,
        a file that is there and differs. Nothing half-written is left behind.
    """
    named = card(card_name)
    folder = data_root(root)
    opener = opener or Opener()
    wanted = _wanted(named, files)
    states = {file.path: _state(file, folder, named, allow_unverified) for file in wanted}
    if set(states.values()) == {"no address"}:
        raise TgsageError(f"card {named.name}: has no address to download from; {named.obtain}")
    for file in wanted:
        if states[file.path] == "fetch":
            url = address(file)
            opener.check(url, f"card {named.name}: address")
            _download(url, file, folder / file.path, opener, progress, maximal_bytes, pause)
            states[file.path] = "fetched"
    for file in wanted:
        if file.unpack is not None and (folder / file.path).is_file():
            _unpack(file, folder)
    return states


def address(file: CardFile) -> str:
    """Where a file is downloaded from: its url, with the version of the object where the card names one."""
    assert file.url is not None
    if file.version_id is None:
        return file.url
    parts = urllib.parse.urlsplit(file.url)
    query = [*urllib.parse.parse_qsl(parts.query), ("versionId", file.version_id)]
    return urllib.parse.urlunsplit(parts._replace(query=urllib.parse.urlencode(query)))


def _wanted(named: Card, files: Iterable[str] | None) -> list[CardFile]:
    by_path = {file.path: file for file in named.files}
    for name in files or ():
        if name not in by_path:
            raise unknown(f"file of card {named.name}", name, by_path)
    chosen = set(by_path if files is None else files)
    return [file for file in named.files if file.path in chosen]


def _state(file: CardFile, folder: Path, named: Card, allow_unverified: bool) -> str:
    """What has to be done: ``fetch``, or nothing (``present``, ``no address``)."""
    path = folder / file.path
    expected = expected_digest(file)
    if path.is_file():
        if expected is not None:
            algorithm, digest = expected
            actual = file_digest(path, algorithm)
            if actual != digest:
                raise TgsageError(
                    f"{path}: is there and differs from card {named.name} ({algorithm} {actual}, expected "
                    f"{digest}); it is left alone: move it away to download it"
                )
        return "present"
    if path.exists():
        raise TgsageError(f"{path}: is no file; move it away to download {file.path}")
    if file.unpack is not None and expected is not None and _marker(folder / file.unpack) == expected[1]:
        return "present"
    if file.url is None:
        return "no address"
    if expected is None and not allow_unverified:
        raise TgsageError(
            f"card {named.name}: has no digest of {file.path}, so a damaged or exchanged file would not be "
            "noticed; add sha256 to the card, or allow it (allow_unverified, --allow-unverified)"
        )
    return "fetch"


def _download(
    url: str, file: CardFile, target: Path, opener: Opener, progress: Progress | None, maximal_bytes: int,
    pause: Callable[[float], None],
) -> None:  # fmt: skip
    limit = maximal_bytes if file.bytes is None else file.bytes
    with replacing(target) as temporary:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with open(temporary, "wb") as handle:
                    state = _attempt(url, file, handle, opener, progress, limit, target)
                break
            except _Transient as error:
                if attempt == ATTEMPTS:
                    raise TgsageError(
                        f"{url}: {error}, {ATTEMPTS} times; see whether there is a network, and try again"
                    ) from None
                pause(PAUSE * 2 ** (attempt - 1))
        expected = expected_digest(file)
        if expected is not None and state.hexdigest() != expected[1]:
            raise TgsageError(
                f"{url}: {expected[0]} is {state.hexdigest()}, expected {expected[1]}; what was downloaded "
                "is not what the card names, and was removed"
            )


def _attempt(
    url: str, file: CardFile, handle: IO[bytes], opener: Opener, progress: Progress | None, limit: int,
    target: Path,
) -> Any:  # fmt: skip
    """Write the whole body to a file; return the state of its digest."""
    state = hashlib.new((expected_digest(file) or ("sha256", ""))[0])
    done = 0
    try:
        with opener.open(url) as response:
            length = response.headers.get("Content-Length")
            total = int(length) if length is not None and length.isdigit() else None
            if total is not None and total > limit:
                raise TgsageError(f"{url}: is {total} bytes, more than {_limit(file, limit)}")
            free = shutil.disk_usage(target.parent).free
            if total is not None and total > free:
                raise TgsageError(f"{target.parent}: has {free} bytes free, {url} needs {total}")
            while chunk := response.read(CHUNK):
                done += len(chunk)
                if done > limit:
                    raise TgsageError(f"{url}: is more than {_limit(file, limit)}")
                state.update(chunk)
                handle.write(chunk)
                if progress is not None:
                    progress(file.path, done, total)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code in TRANSIENT:
            raise _Transient(f"the server answered {error.code} {error.reason}") from None
        raise TgsageError(
            f"{url}: the server answered {error.code} {error.reason}; see the card's url and obtain"
        ) from None
    except urllib.error.URLError as error:
        if isinstance(error.reason, ssl.SSLCertVerificationError):
            raise TgsageError(f"{url}: the server's certificate is not valid ({error.reason})") from None
        raise _Transient(f"cannot be reached ({error.reason})") from None
    except (http.client.HTTPException, ConnectionError, TimeoutError, ssl.SSLError) as error:
        raise _Transient(f"the connection broke ({type(error).__name__})") from None
    expected = total if file.bytes is None else file.bytes
    if total is not None and done < total:
        raise _Transient(f"the connection ended after {done} of {total} bytes")
    if expected is not None and done != expected:
        raise TgsageError(f"{url}: is {done} bytes, the card says {expected}")
    return state


def _limit(file: CardFile, limit: int) -> str:
    return (
        f"the {limit} bytes that the card says" if file.bytes is not None else f"the limit of {limit} bytes"
    )


def _unpack(file: CardFile, folder: Path) -> None:
    """Unpack an archive once; a folder that came from another archive is an error."""
    assert file.unpack is not None
    archive, target = folder / file.path, folder / file.unpack
    algorithm, digest = expected_digest(file) or ("sha256", None)
    digest = digest or file_digest(archive, algorithm)
    if target.exists():
        if _marker(target) == digest:
            return
        raise TgsageError(
            f"{target}: exists and was not unpacked from {archive.name} as it is now; move it away"
        )
    # Beside the target first: the marker is part of the folder when it appears.
    with replacing_folder(target) as temporary:
        temporary.rmdir()
        unpack(archive, temporary)
        (temporary / MARKER).write_text(digest + "\n", encoding="ascii")


def _marker(folder: Path) -> str | None:
    path = folder / MARKER
    return path.read_text(encoding="ascii", errors="replace").strip() if path.is_file() else None
