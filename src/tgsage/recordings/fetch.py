"""Downloading the files of a data set, as its card lists them. Everything else works without a network.

A file gets its name only after its digest was compared with the card's. Only https is used, also where a
server redirects. `pooch` tries again after broken connections and answers from 500 on, not after errors that
would come again.
"""

from __future__ import annotations

import os
import urllib.parse
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..archives import unpack
from ..errors import TgsageError, unknown
from ..store import replacing_folder
from ..store.contents import data_root
from .cards import Card, CardFile, card, expected_digest, file_digest

if TYPE_CHECKING:
    import pooch
    import requests

MAX_BYTES = 16 * 2**30
"""Size of a file whose card does not say how large it is."""
RETRIES = 3
TOO_MANY_REQUESTS = 429
"""The one answer of 400 to 499 after which it is worth asking again."""
TIMEOUT = 60.0
"""Seconds without an answer."""
CHUNK = 2**20
PLAIN_HOSTS: tuple[str, ...] = ()
"""Hosts that are asked over plain http: none. Tests name their own server."""
MARKER = ".unpacked_from"
"""File in an unpacked folder with the digest of its archive."""

Progress = Callable[[str, int, int | None], None]
"""Called with the file's path on the card, the bytes so far, and their number in all where it is known."""


def fetch(
    card_name: str,
    root: str | os.PathLike[str] | None = None,
    *,
    files: Iterable[str] | None = None,
    progress: Progress | None = None,
    allow_unverified: bool = False,
    max_bytes: int = MAX_BYTES,
) -> dict[str, str]:
    """Download the files of a card that are not there yet, verify them, and unpack those that it says.

    Everything that lies in the data folder already is checked first: a file that matches its digest is kept,
    and one that differs is an error and stays as it is. Files are downloaded one after the other; when one
    fails, those before it stay.

    Parameters
    ----------
    card_name
        Name of a card, see :func:`~tgsage.recordings.card_names`.
    root
        Folder of downloaded data, as for :func:`~tgsage.recordings.data_root`.
    files
        Some of the card's files, by their ``path``; None means all that have an address.
    progress
        Called as the download goes on.
    allow_unverified
        Also download files that the card has no digest of. Without a digest nothing tells a damaged or
        exchanged file from the published one.
    max_bytes
        Refuse larger files, where the card does not give their size.

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
    paths = [file.path for file in named.files]
    chosen = paths if files is None else list(files)
    for name in chosen:
        if name not in paths:
            raise unknown(f"file of card {named.name}", name, paths)
    wanted = [file for file in named.files if file.path in chosen]
    states = {file.path: _state(file, folder, named, allow_unverified) for file in wanted}
    if set(states.values()) == {"no address"}:
        raise TgsageError(f"card {named.name}: has no address to download from; {named.obtain}")
    for file in wanted:
        if states[file.path] == "fetch":
            check_address(address(file), f"card {named.name}: address")
            _download(file, folder / file.path, max_bytes, progress)
            states[file.path] = "fetched"
    for file in wanted:
        if file.unpack is not None and (folder / file.path).is_file():
            _unpack(file, folder)
    return states


def check_address(url: str, what: str = "address") -> None:
    """Raise unless an address is one that may be downloaded from."""
    parts = urllib.parse.urlsplit(url)
    is_plain = parts.scheme == "http" and parts.hostname in PLAIN_HOSTS
    if not parts.hostname or not (parts.scheme == "https" or is_plain):
        raise TgsageError(f"{what} {url}: only https is downloaded from")


def address(file: CardFile) -> str:
    """Return a file's url, with the version of the object where the card names one."""
    assert file.url is not None
    if file.version_id is None:
        return file.url
    parts = urllib.parse.urlsplit(file.url)
    query = [*urllib.parse.parse_qsl(parts.query), ("versionId", file.version_id)]
    return urllib.parse.urlunsplit(parts._replace(query=urllib.parse.urlencode(query)))


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


def _download(file: CardFile, target: Path, max_bytes: int, progress: Progress | None) -> None:
    import pooch
    import requests

    def attempt(url: str, temporary: str, _: pooch.Pooch) -> None:
        try:
            _attempt(url, Path(temporary), file, max_bytes, progress)
        except requests.exceptions.TooManyRedirects as error:
            raise TgsageError(f"{url}: {error}") from None

    url, name = address(file), target.name
    pooch.get_logger().setLevel("WARNING")
    downloads = pooch.create(
        target.parent, "", registry={name: None}, urls={name: url}, retry_if_failed=RETRIES
    )
    try:
        downloads.fetch(name, downloader=attempt)
    except requests.exceptions.RequestException as error:
        raise TgsageError(f"{url}: {' '.join(str(error).split())} ({RETRIES + 1} attempts)") from None
    except OSError as error:
        raise TgsageError(f"{target}: cannot be written: {error}") from None
    target.chmod(0o644)  # pooch's temporary file is readable by its owner alone


def _attempt(url: str, temporary: Path, file: CardFile, max_bytes: int, progress: Progress | None) -> None:
    """Download and verify once. What another attempt may mend stays an exception of requests."""
    import requests

    def check_size(size: int) -> None:
        limit, source = (max_bytes, "the limit") if file.bytes is None else (file.bytes, "the card says")
        if size > limit:
            raise TgsageError(f"{file.url}: is {size} bytes or more, {source} {limit}")

    def check_head(response: requests.Response, **_: Any) -> None:
        """Check an answer before its body is read, and before a redirect is followed."""
        if response.is_redirect:
            destination = urllib.parse.urljoin(response.url, response.headers["location"])
            check_address(destination, f"{response.url} redirects to")
        check_size(int(response.headers.get("content-length", 0)))

    # Without compression on the way, the size that the server names is that of the file.
    headers = {"User-Agent": f"tgsage/{__version__}", "Accept-Encoding": "identity"}
    hooks, done = {"response": check_head}, 0
    with (
        requests.get(url, stream=True, timeout=TIMEOUT, headers=headers, hooks=hooks) as response,
        open(temporary, "wb") as handle,
    ):
        if 400 <= response.status_code < 500 and response.status_code != TOO_MANY_REQUESTS:
            raise TgsageError(f"{url}: the server answered {response.status_code} {response.reason}")
        response.raise_for_status()
        total = int(response.headers.get("content-length", 0)) or None
        for chunk in response.iter_content(CHUNK):
            done += handle.write(chunk)
            check_size(done)
            if progress is not None:
                progress(file.path, done, total)
    if file.bytes not in (None, done):
        raise TgsageError(f"{url}: is {done} bytes, the card says {file.bytes}")
    algorithm, digest = expected_digest(file) or ("sha256", None)
    if digest is not None and (actual := file_digest(temporary, algorithm)) != digest:
        raise TgsageError(f"{url}: its {algorithm} is {actual}, expected {digest}; it was removed")


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
