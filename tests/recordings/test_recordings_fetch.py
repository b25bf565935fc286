"""Downloads, from a server on this machine that misbehaves in every way that servers do."""

from __future__ import annotations

import hashlib
import io
import socket
import threading
import urllib.parse
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import yaml

from tgsage import recordings
from tgsage.errors import TgsageError
from tgsage.recordings import fetch as fetching
from tgsage.recordings.cards import CardFile
from tgsage.recordings.fetch import address, check_address, fetch

BODY = np.random.default_rng(8).integers(0, 256, 3_000_000, dtype=np.uint8).tobytes()
SHA256 = hashlib.sha256(BODY).hexdigest()
SHA1 = hashlib.sha1(BODY).hexdigest()
CARD = {
    "name": "mine", "title": "Stand-in files", "citation": "none", "doi": "10.0/0", "licence": "none",
    "url": "none", "obtain": "Ask for them.", "species": "none", "regions": {}, "window_ms": None,
    "visual_degrees": None, "stimuli": "none", "repeats": "none", "units": "none",
    "source": {"source": "cowley2023"},
}  # fmt: skip


class Server:
    """Answers by path: a list of behaviours per path, one per request, the last one for all further."""

    def __init__(self):
        self.answers: dict[str, list] = {}
        self.asked: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked.append(self.path)
                behaviours = outer.answers[urllib.parse.urlsplit(self.path).path]
                behaviour = behaviours.pop(0) if len(behaviours) > 1 else behaviours[0]
                behaviour(self)

            def log_message(self, *arguments):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def url(self, path):
        return f"http://127.0.0.1:{self.server.server_port}{path}"

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def body(content=BODY, *, length=True, sent=None):
    def behaviour(handler):
        handler.send_response(200)
        if length:
            handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content[:sent])

    return behaviour


def status(code, **headers):
    def behaviour(handler):
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return behaviour


def dropped(handler):
    """The connection is reset in the middle of the body."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(BODY)))
    handler.end_headers()
    handler.wfile.write(BODY[:100_000])
    handler.wfile.flush()
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    handler.connection.close()


def silent(handler):
    """Not a word of HTTP."""
    handler.connection.close()


@pytest.fixture
def server():
    server = Server()
    yield server
    server.close()


class Project:
    """A folder with one card and a data folder."""

    def __init__(self, folder, server):
        self.folder, self.server, self.data = folder, server, folder / "data"
        self.pauses: list[float] = []
        self.told: list[tuple] = []

    def card(self, *files):
        (self.folder / "neural_data").mkdir(exist_ok=True)
        content = yaml.safe_dump(CARD | {"files": list(files)})
        (self.folder / "neural_data" / "mine.yaml").write_text(content)

    def one(self, *behaviours, **file):
        """A card of one file, which the server answers like this."""
        self.server.answers["/a.bin"] = list(behaviours)
        self.card({"path": "mine/a.bin", "url": self.server.url("/a.bin"), "sha256": SHA256} | file)
        return self

    def fetch(self, **options):
        return fetch("mine", self.data, progress=lambda *told: self.told.append(told), **options)

    def refused(self, message, **options):
        before = self.content()
        with pytest.raises(TgsageError, match=message) as caught:
            self.fetch(**options)
        assert "\n" not in str(caught.value)
        assert self.content() == before, "something was left behind, or changed"
        return str(caught.value)

    def content(self):
        return {path: path.read_bytes() for path in self.data.rglob("*") if path.is_file()}


@pytest.fixture
def project(tmp_path, monkeypatch, server):
    monkeypatch.chdir(tmp_path)
    project = Project(tmp_path, server)
    monkeypatch.setattr(fetching, "PLAIN_HOSTS", ("127.0.0.1",))
    monkeypatch.setattr(fetching, "TIMEOUT", 5.0)
    monkeypatch.setattr("pooch.core.time.sleep", project.pauses.append)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return project


@pytest.mark.parametrize("digest", [{"sha256": SHA256}, {"sha256": None, "sha1": SHA1.upper()}])
@pytest.mark.parametrize("length", [True, False])
def test_a_file_is_fetched_once(project, digest, length):
    project.one(body(length=length), **digest)
    assert project.fetch() == {"mine/a.bin": "fetched"}
    assert project.content() == {project.data / "mine" / "a.bin": BODY}
    if length:
        assert project.told[-1] == ("mine/a.bin", len(BODY), len(BODY))
    assert recordings.verify("mine", project.data) == {"mine/a.bin": "matches"}
    assert project.fetch() == {"mine/a.bin": "present"}
    assert len(project.server.asked) == 1 and project.pauses == []


def test_the_version_of_an_object_is_asked_for(project):
    project.one(body(), version_id="a/b+c.=")
    project.fetch()
    query = urllib.parse.urlsplit(project.server.asked[0]).query
    assert urllib.parse.parse_qs(query) == {"versionId": ["a/b+c.="]}
    with_query = CardFile(path="a", url="https://x.org/a?b=1", version_id="v w")
    assert address(with_query) == "https://x.org/a?b=1&versionId=v+w"


def test_the_public_card_names_https_and_versions():
    for file in recordings.card("majajhong2015").files:
        parts = urllib.parse.urlsplit(address(file))
        assert parts.scheme == "https" and urllib.parse.parse_qs(parts.query)["versionId"] == [
            file.version_id
        ]
        assert file.sha1 is not None


def test_some_of_the_files(project):
    files = [{"path": f"mine/{name}", "url": project.server.url("/a.bin"), "sha256": SHA256} for name in "ab"]
    project.server.answers["/a.bin"] = [body()]
    project.card(*files, {"path": "mine/c", "sha256": SHA256})
    assert project.fetch(files=["mine/b"]) == {"mine/b": "fetched"}
    assert project.fetch() == {"mine/a": "fetched", "mine/b": "present", "mine/c": "no address"}
    project.refused("unknown file of card mine 'mine/d'.*valid: mine/a, mine/b, mine/c", files=["mine/d"])
    project.refused("has no address to download from; Ask for them", files=["mine/c"])


@pytest.mark.parametrize(
    "failure",
    [dropped, silent, status(503), status(429), body(sent=1_000_000), body(sent=0)],
    ids=["reset", "silent", "503", "429", "truncated", "empty"],
)
def test_what_may_pass_is_tried_again(project, failure):
    project.one(failure, failure, body())
    assert project.fetch() == {"mine/a.bin": "fetched"}
    assert project.pauses == [1, 2] and list(project.content().values()) == [BODY]
    project.data.joinpath("mine", "a.bin").unlink()
    project.pauses.clear()
    project.one(failure)
    project.server.asked.clear()
    message = project.refused(r"\(4 attempts\)$")
    assert project.server.url("/a.bin") in message
    assert len(project.server.asked) == 4 and project.pauses == [1, 2, 3]


def test_nobody_listens(project):
    project.one(body(), url="http://127.0.0.1:9/a.bin")
    project.refused("refused.*4 attempts")


def test_a_silent_server_is_given_up(project, monkeypatch):
    monkeypatch.setattr(fetching, "TIMEOUT", 0.05)
    hang = threading.Event()
    project.one(lambda handler: hang.wait(5))
    try:
        project.refused("timed out")
    finally:
        hang.set()


BAD = {
    "wrong sha256": ([body(BODY[:-1] + b"x")], {}, f"its sha256 is .*expected {SHA256}"),
    "wrong sha1": ([body(b"x")], {"sha256": None, "sha1": SHA1}, f"its sha1 is .*expected {SHA1}"),
    "an error page instead of the file": ([body(b"<html>")], {}, "its sha256 is"),
    "404": ([status(404)], {}, "the server answered 404 Not Found"),
    "redirect to file": ([status(302, Location="file:///etc/passwd")], {}, "redirects to file:.*only https"),
    "redirect to ftp": ([status(301, Location="ftp://127.0.0.1/x")], {}, "ftp://127.0.0.1/x: only https"),
    "redirect to http elsewhere": ([status(307, Location="http://example.org/a")], {}, "redirects to http:"),
    "redirects for ever": ([status(302, Location="/a.bin")], {}, "Exceeded 30 redirects"),
    "larger than the card says": ([body()], {"bytes": 900_000}, "is 3000000 bytes or more, the card says 9"),
    "larger, and silent about it": (
        [body(length=False)],
        {"bytes": 900_000},
        "or more, the card says 900000",
    ),
    "smaller than the card says": ([body()], {"bytes": 3_000_001}, "is 3000000 bytes, the card says 3000001"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_not_the_file_is_refused(project, case):
    behaviours, file, message = BAD[case]
    project.one(*behaviours, **file)
    project.refused(message)
    # Another attempt would not mend it.
    assert project.pauses == []


def test_the_limit_without_a_size(project):
    project.one(body())
    project.refused("is 3000000 bytes or more, the limit 1000000", max_bytes=1_000_000)
    project.one(body(length=False))
    project.refused("bytes or more, the limit 1000000", max_bytes=1_000_000)


def test_a_server_without_a_valid_certificate(project):
    project.one(body(), url=project.server.url("/a.bin").replace("http:", "https:"))
    project.refused("SSL")


@pytest.mark.parametrize(
    "url", ["http://example.org/a", "ftp://x.org/a", "file:///etc/passwd", "//x.org/a", "data:,a"]
)
def test_only_https_without_the_tests_opener(project, url):
    project.one(body(), url=url)
    project.refused("only https is downloaded from")
    assert project.server.asked == []


def test_plain_http_is_refused_on_this_machine_too():
    check_address("https://x.org/a")
    for url in ("http://x.org/a", "http://127.0.0.1/a", "https:///a"):
        with pytest.raises(TgsageError, match="only https"):
            check_address(url)


def test_a_redirect_on_the_same_machine(project):
    project.one(status(302, Location="/b.bin"))
    project.server.answers["/b.bin"] = [body()]
    assert project.fetch() == {"mine/a.bin": "fetched"}


def test_without_a_digest(project):
    project.one(body(b"anything"), sha256=None, note="no digest is published")
    project.refused("has no digest of mine/a.bin, .*--allow-unverified")
    assert project.server.asked == []
    assert project.fetch(allow_unverified=True) == {"mine/a.bin": "fetched"}
    assert project.fetch() == {"mine/a.bin": "present"}


def test_a_file_that_is_there_and_differs_is_left_alone(project):
    path = project.data / "mine" / "a.bin"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"my own")
    project.one(body())
    project.refused(r"a\.bin: is there and differs from card mine .*left alone")
    path.unlink()
    path.mkdir()
    project.refused(r"a\.bin: is no file")
    assert project.server.asked == []


def test_everything_there_is_looked_at_before_anything_is_fetched(project):
    """The second file differs: the first is not downloaded."""
    project.card(
        {"path": "mine/a", "url": project.server.url("/a.bin"), "sha256": SHA256},
        {"path": "mine/b", "url": project.server.url("/a.bin"), "sha256": SHA256},
    )
    project.data.joinpath("mine").mkdir(parents=True)
    project.data.joinpath("mine", "b").write_bytes(b"x")
    project.refused("differs from card")
    assert project.server.asked == []


@pytest.mark.parametrize("path", ["../a", "/a", "a/../../b", "C:/a", "a\\b", ".", ""])
def test_cards_cannot_write_elsewhere(project, path):
    project.one(body(), path=path)
    project.refused(r"mine\.yaml: files\.0\.path: .*must lie under the data folder")


def test_an_interrupted_download_leaves_nothing(project):
    project.one(body())

    def interrupt(*told):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch("mine", project.data, progress=interrupt)
    assert project.content() == {}


def zipped(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def test_unpacking(project):
    archive = zipped({"set/a.txt": b"1", "set/b.txt": b"22"})
    digest = hashlib.sha256(archive).hexdigest()
    project.one(body(archive), path="mine/a.zip", sha256=digest, unpack="mine/images")
    assert project.fetch() == {"mine/a.zip": "fetched"}
    folder = project.data / "mine" / "images"
    assert (folder / "set" / "b.txt").read_bytes() == b"22"
    assert project.fetch() == {"mine/a.zip": "present"}
    # The archive may go; the folder says what it came from.
    (project.data / "mine" / "a.zip").unlink()
    assert project.fetch() == {"mine/a.zip": "present"} and len(project.server.asked) == 1
    # Another archive is not unpacked over it.
    other = zipped({"set/a.txt": b"2"})
    project.one(
        body(other), path="mine/a.zip", sha256=hashlib.sha256(other).hexdigest(), unpack="mine/images"
    )
    with pytest.raises(TgsageError, match=r"images: exists and was not unpacked from a\.zip as it is now"):
        project.fetch()
    assert (folder / "set" / "a.txt").read_bytes() == b"1"


def test_an_archive_that_means_harm(project):
    archive = zipped({"a.txt": b"1", "../../evil.txt": b"2"})
    project.one(
        body(archive), path="mine/a.zip", sha256=hashlib.sha256(archive).hexdigest(), unpack="mine/images"
    )
    with pytest.raises(TgsageError, match="points outside the archive"):
        project.fetch()
    assert list(project.content()) == [project.data / "mine" / "a.zip"]
    assert [path.name for path in (project.data / "mine").iterdir()] == ["a.zip"]
    assert not (project.folder / "evil.txt").exists()
