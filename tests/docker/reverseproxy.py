"""A mirror of this machine's own archives: a reverse proxy that counts what it was asked for.

``/debian/…`` and ``/debian-security/…`` are what apt's sources here say, ``/simple/…`` is pip's
index, ``/npm/…`` npm's registry. Addresses in answers of the last two are turned into the
proxy's own, below ``/files/…``, as mirrors do. With a folder to keep them in, answers are
fetched once, whole.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import threading
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

_SECONDS = 60.0
_SENT_ON = ("Accept", "User-Agent", "Range", "If-Modified-Since")
_SENT_BACK = ("Content-Type", "Last-Modified", "Content-Range", "ETag")
# Answers that hold addresses, and an address in them.
_PAGES = ("text/html", "application/json", "application/vnd.npm", "application/vnd.pypi")
_ADDRESS = re.compile(rb"(https?)://([A-Za-z0-9.-]+(?::[0-9]+)?)(/[^\"'\s<>]*)")


class ReverseProxy:
    """What is served from where, and how often each was asked for."""

    def __init__(self, upstream: dict[str, str], keep: Path | None = None) -> None:
        self.upstream = upstream
        self.keep = keep
        self.asked: Counter[str] = Counter()
        self.url = ""
        self.port = 0
        self._hosts = {urlsplit(url).netloc for url in upstream.values()}
        self._lock = threading.Lock()

    def target(self, path: str) -> str:
        """The address that a path stands for, or empty."""
        _, kind, rest = (*path.split("/", 2), "")[:3]
        with self._lock:
            self.asked[kind] += 1
        if kind == "files":
            scheme, host, rest = (*rest.split("/", 2), "", "")[:3]
            return f"{scheme}://{host}/{rest}" if host in self._hosts else ""
        return f"{self.upstream[kind].rstrip('/')}/{rest}" if kind in self.upstream else ""

    def page(self, body: bytes) -> bytes:
        """A page with this proxy's addresses in place of those that it names."""
        own = f"{self.url}/files".encode()

        def turned(found: re.Match[bytes]) -> bytes:
            scheme, host, path = found.groups()
            if not path.endswith((b".whl", b".tgz", b".gz", b".zip")) and b"#" not in path:
                return found[0]
            with self._lock:
                self._hosts.add(host.decode())
            return b"/".join((own, scheme, host)) + path

        return _ADDRESS.sub(turned, body)


@contextmanager
def serving(
    address: str, upstream: dict[str, str], keep: Path | None = None
) -> Iterator[ReverseProxy]:
    """Serve on a free port of an address.

    Args:
        address: the address of this machine to listen on.
        upstream: addresses by the first part of the path.
        keep: a folder for answers; each is then fetched once.
    """
    proxy = ReverseProxy(upstream, keep)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            _answer(self, proxy)

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer((address, 0), Handler)
    server.daemon_threads = True
    proxy.port = server.server_address[1]
    proxy.url = f"http://{address}:{proxy.port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _answer(handler: BaseHTTPRequestHandler, proxy: ReverseProxy) -> None:
    target = proxy.target(handler.path)
    if not target:
        handler.send_error(404)
        return
    if proxy.keep is not None:
        _answer_kept(handler, proxy, target)
        return
    headers = {name: handler.headers[name] for name in _SENT_ON if name in handler.headers}
    request = urllib.request.Request(  # noqa: S310 - http(s) by target()
        target, headers=headers, method=handler.command
    )
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
            kind = answer.headers.get("Content-Type", "")
            handler.send_response(answer.status)
            for name in _SENT_BACK:
                if name in answer.headers:
                    handler.send_header(name, answer.headers[name])
            if kind.startswith(_PAGES) and handler.command == "GET":
                _send_page(handler, proxy.page(answer.read()))
                return
            handler.send_header("Content-Length", answer.headers["Content-Length"])
            handler.end_headers()
            shutil.copyfileobj(answer, handler.wfile)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 304:
                handler.send_response(304)
                handler.end_headers()
            else:
                handler.send_error(error.code)
    except (urllib.error.URLError, OSError) as error:
        handler.close_connection = True
        handler.log_error("%s: %s", target, error)


def _answer_kept(handler: BaseHTTPRequestHandler, proxy: ReverseProxy, target: str) -> None:
    """Answer out of the folder, fetching what is not there; parts are answered by the whole."""
    assert proxy.keep is not None
    accept = handler.headers.get("Accept", "*/*")
    kept = proxy.keep / hashlib.sha256(f"{accept} {target}".encode()).hexdigest()
    kind = kept.with_suffix(".kind")
    try:
        if not kind.exists():
            request = urllib.request.Request(target, headers={"Accept": accept})  # noqa: S310
            with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
                partial = kept.with_suffix(f".{threading.get_ident()}")
                with partial.open("wb") as out:
                    shutil.copyfileobj(answer, out)
                partial.rename(kept)
                kind.write_text(answer.headers.get("Content-Type", ""))
    except urllib.error.HTTPError as error:
        with error:
            handler.send_error(error.code)
        return
    form = kind.read_text()
    handler.send_response(200)
    handler.send_header("Content-Type", form)
    if form.startswith(_PAGES):
        _send_page(handler, proxy.page(kept.read_bytes()))
        return
    handler.send_header("Content-Length", str(kept.stat().st_size))
    handler.end_headers()
    if handler.command == "GET":
        try:
            with kept.open("rb") as whole:
                shutil.copyfileobj(whole, handler.wfile)
        except ConnectionError:  # uv asks for a whole wheel, reads its directory, and leaves
            handler.close_connection = True


def _send_page(handler: BaseHTTPRequestHandler, body: bytes) -> None:
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    if handler.command == "GET":
        handler.wfile.write(body)
