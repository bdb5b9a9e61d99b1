"""Fetching, from a real server that misbehaves as it is told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from imagekit import fetch
from imagekit.errors import NetworkError
from imagekit.events import Event, StepFinished, StepProgress, ignore
from imagekit.site import Site

DATA = bytes(range(256)) * 4000
SHA = sha256(DATA).hexdigest()
HERE = Site()


@dataclass
class Server:
    """What it does, and what it was asked: path and range."""

    url: str = ""
    breaks: int = 0  # how many answers end in the middle
    ranges: bool = True
    status: int = 200
    encoding: str = ""
    moved: dict[str, str] = field(default_factory=dict)  # paths, and where their files are now
    asked: list[tuple[str, str]] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    told = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range", "")
            told.asked.append((self.path, wanted))
            told.logins += self.headers.get_all("Authorization", [])
            if self.path in told.moved:
                self.send_response(302)
                self.send_header("Location", told.moved[self.path])
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            start = int(wanted[len("bytes=") : -1]) if wanted and told.ranges else 0
            self.send_response(206 if start else told.status)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(DATA) - 1}/{len(DATA)}")
            if told.encoding:
                self.send_header("Content-Encoding", told.encoding)
            rest = DATA[start:]
            self.send_header("Content-Length", str(len(rest)))
            self.end_headers()
            if told.breaks:
                told.breaks -= 1
                rest = rest[: len(rest) // 2]
            self.wfile.write(rest)

        def log_message(self, format: str, *args: object) -> None:
            pass

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.url = f"http://127.0.0.1:{listening.server_port}/base.tar"
    thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    yield told
    listening.shutdown()
    thread.join()
    listening.server_close()


def test_a_file_is_fetched_once_and_called_by_its_content(server: Server, tmp_path: Path) -> None:
    events: list[Event] = []
    file = fetch.kept(server.url, SHA, HERE, events.append)
    assert file == tmp_path / "imagekit" / "archives" / SHA
    assert file.read_bytes() == DATA
    assert [e for e in events if isinstance(e, StepProgress)][-1].current == len(DATA)
    assert isinstance(events[-1], StepFinished)
    assert events[-1].seconds > 0
    assert fetch.kept(server.url, SHA, HERE, ignore) == file
    assert server.asked == [("/base.tar", "")]


def test_a_connection_that_breaks_goes_on_where_it_broke(server: Server) -> None:
    server.breaks = 2
    assert fetch.kept(server.url, SHA, HERE, ignore).read_bytes() == DATA
    half = len(DATA) // 2
    assert [wanted for _, wanted in server.asked] == [
        "",
        f"bytes={half}-",
        f"bytes={half + half // 2}-",
    ]


def test_a_server_without_ranges_is_asked_for_all_of_it(server: Server) -> None:
    server.breaks, server.ranges = 1, False
    assert fetch.kept(server.url, SHA, HERE, ignore).read_bytes() == DATA


def test_what_a_server_calls_an_encoding_is_left_as_it_is(server: Server) -> None:
    server.encoding = "x-gzip"
    assert fetch.kept(server.url, SHA, HERE, ignore).read_bytes() == DATA


def nothing_left(folder: Path) -> bool:
    return not [path for path in folder.rglob("*") if path.is_file()]


def test_another_content_is_refused_and_not_kept(server: Server, tmp_path: Path) -> None:
    events: list[Event] = []
    with pytest.raises(NetworkError) as refused:
        fetch.kept(server.url, "0" * 64, HERE, events.append)
    assert isinstance(events[-1], StepFinished)
    assert events[-1].error == str(refused.value)
    assert refused.value.messages[0].what == f"its sha256 is {SHA}, and not {'0' * 64}"
    assert nothing_left(tmp_path)


@pytest.mark.parametrize("wrong", ["breaks", "status"])
def test_a_file_that_cannot_be_had(server: Server, tmp_path: Path, wrong: str) -> None:
    setattr(server, wrong, 404)
    expected = {"breaks": "cannot be fetched", "status": "the server answers 404"}[wrong]
    with pytest.raises(NetworkError, match=expected):
        fetch.kept(server.url, SHA, HERE, ignore)
    assert len(server.asked) == (4 if wrong == "breaks" else 1)
    assert nothing_left(tmp_path)


def test_nobody_there(server: Server) -> None:
    with pytest.raises(NetworkError, match="cannot be fetched"):
        fetch.small("http://127.0.0.1:1/x", HERE)


def test_a_small_file(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    assert fetch.small(server.url, HERE) == DATA
    monkeypatch.setattr(fetch, "_MAX_SMALL", 1 << 19)
    with pytest.raises(NetworkError, match="is larger than"):
        fetch.small(server.url, HERE)


def test_the_sites_proxy_is_used_unless_the_host_needs_none(server: Server) -> None:
    proxied = Site(http_proxy=server.url.removesuffix("/base.tar"))
    assert fetch.small("http://files.invalid/x", proxied) == DATA
    assert server.asked == [("http://files.invalid/x", "")]
    direct = Site(http_proxy="http://127.0.0.1:1", no_proxy="127.0.0.1")
    assert fetch.small(server.url, direct) == DATA


def test_the_sites_certificates_are_trusted_beside_the_usual_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with fetch._session(Site(ca_certificates=b"CAMPUS"), "https://x") as session:
        bundle = Path(str(session.verify)).read_bytes()
    assert bundle.endswith(b"\nCAMPUS")
    assert b"BEGIN CERTIFICATE" in bundle


@pytest.mark.parametrize(
    "site",
    [Site(ca_certificates=b"CAMPUS"), Site(ca_certificates=b"CAMPUS", http_proxy="http://p")],
)
def test_the_sites_certificates_are_trusted_whatever_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, site: Site
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/etc/ssl/other.pem")
    with fetch._session(site, "https://x") as session:
        # What requests decides for each request.
        used = session.merge_environment_settings("https://x", {}, True, None, None)
        assert used["verify"] == session.verify
        assert Path(str(used["verify"])).read_bytes().endswith(b"\nCAMPUS")


@pytest.mark.parametrize("site", [HERE, Site(http_proxy="http://p")])
def test_the_environment_s_certificates_are_trusted_where_the_site_names_none(
    monkeypatch: pytest.MonkeyPatch, site: Site
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/etc/ssl/other.pem")
    with fetch._session(site, "https://x") as session:
        used = session.merge_environment_settings("https://x", {}, True, None, None)
    assert used["verify"] == "/etc/ssl/other.pem"


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "all_proxy"])
def test_the_environment_s_proxy_is_used_where_the_site_names_none(
    server: Server, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, server.url.removesuffix("/base.tar"))
    assert fetch.small("http://files.invalid/x", Site(ca_certificates=b"CAMPUS")) == DATA
    assert server.asked == [("http://files.invalid/x", "")]
    monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert fetch.small(server.url, HERE) == DATA


def test_each_address_of_a_redirection_goes_its_own_way(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", server.url.removesuffix("/base.tar"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server.moved = {"/here": "http://files.invalid/x"}
    assert fetch.small(server.url.replace("/base.tar", "/here"), HERE) == DATA
    assert [path for path, _ in server.asked] == ["/here", "http://files.invalid/x"]


def test_a_login_is_taken_from_netrc(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password sesame\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert fetch.small(server.url, HERE) == DATA
    assert server.logins == ["Basic bWU6c2VzYW1l"]
