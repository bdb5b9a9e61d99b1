"""A real registry on loopback, with or without a password, and a proxy that breaks it."""

from __future__ import annotations

import http.client
import re
import select
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import bcrypt

from imagekit.wait import Deadline, NotYetError, until
from tests.required import missing

_CONFIG = """\
version: 0.1
log: {{level: warn, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {folder}/data}}, delete: {{enabled: true}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""
_AUTH = "auth: {{htpasswd: {{realm: lab, path: {folder}/htpasswd}}}}\n"


def free_port() -> int:
    """A port of loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def registry(folder: Path, login: tuple[str, str] | None = None) -> Iterator[int]:
    """Run Debian's ``docker-registry``; gives its port. All data are below ``folder``."""
    program = shutil.which("docker-registry")
    if program is None:
        missing("registry", "docker-registry is not installed")
    port = free_port()
    config = _CONFIG.format(folder=folder, port=port)
    if login:
        hashed = bcrypt.hashpw(login[1].encode(), bcrypt.gensalt(4)).decode()
        (folder / "htpasswd").write_text(f"{login[0]}:{hashed}\n")
        config += _AUTH.format(folder=folder)
    (folder / "config.yaml").write_text(config)
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [program, "serve", str(folder / "config.yaml")], stdout=output, stderr=output
        )
    try:
        until(lambda: _answers(port, process, log), Deadline.after(20))
        yield port
    finally:
        process.terminate()
        process.wait(10)


def _answers(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    if process.poll() is not None:
        raise AssertionError(log.read_text(errors="replace"))
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError as error:
        raise NotYetError(str(error)) from error


@dataclass
class Fault:
    """What happens to requests that match, the first ``times`` of them.

    ``action`` is an HTTP status to answer with, ``cut`` (the connection ends while the
    request's body is read), ``silence`` (nothing is ever answered), or ``lie`` (a
    manifest's digest in the answer's header is another one).
    """

    method: str
    path: str
    action: int | str
    times: int = 1
    headers: dict[str, str] = field(default_factory=dict)


class FaultProxy(ThreadingHTTPServer):
    """Passes requests on to a registry, except those that a fault matches."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, upstream: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = upstream
        self.faults: list[Fault] = []
        self.asked: list[tuple[str, str, int | str]] = []  # method, path, status or action
        self.busy_for = 0  # seconds, counted from when imagekit itself asked, not the engine
        self._told = 0.0
        self._lock = threading.Lock()

    def is_busy(self, agent: str) -> bool:
        """Whether a request of a client gets 429."""
        with self._lock:
            if self.busy_for and not self._told:
                if agent.startswith("python-requests"):
                    self._told = time.monotonic()
                return True
            return bool(self.busy_for) and time.monotonic() < self._told + self.busy_for

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    def fault_for(self, method: str, path: str) -> Fault | None:
        with self._lock:
            for fault in self.faults:
                matches = re.fullmatch(fault.method, method) and re.search(fault.path, path)
                if matches and fault.times > 0:
                    fault.times -= 1
                    return fault
        return None

    def count(self, method: str, path: str, what: int | str | None = None) -> int:
        """How many requests came, of those that were answered with ``what``."""
        return sum(
            bool(re.fullmatch(method, asked) and re.search(path, at) and what in {None, answer})
            for asked, at, answer in self.asked
        )

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # clients that leave are what this is made for


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FaultProxy

    def log_message(self, format: str, *args: object) -> None:
        pass

    def handle(self) -> None:
        """Tell engines that try TLS first that this is plain HTTP, as Go's servers do."""
        if self.connection.recv(1, socket.MSG_PEEK) == b"\x16":
            self.connection.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n")
        else:
            super().handle()

    def _handle(self) -> None:
        fault = self.server.fault_for(self.command, self.path)
        action = fault.action if fault else ""
        if action == "cut":
            self._note(action)
            self.rfile.read1(1000)
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        elif action == "silence":
            self._note(action)
            self._body()
            select.select([self.connection], [], [], 60)
            self.close_connection = True
        elif self.server.is_busy(self.headers.get("User-Agent", "")):
            self._body()
            self._answer(429, [("Retry-After", str(self.server.busy_for))], b"")
        elif fault and isinstance(action, int):
            self._body()
            self._answer(action, list(fault.headers.items()), b"")
        else:
            self._pass_on(lie=action == "lie")

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _handle  # noqa: N815

    def _note(self, what: int | str) -> None:
        self.server.asked.append((self.command, self.path, what))

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline().strip() or b"0", 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _pass_on(self, *, lie: bool) -> None:
        body = self._body()
        connection = http.client.HTTPConnection("127.0.0.1", self.server.upstream, timeout=30)
        try:
            connection.putrequest(
                self.command, self.path, skip_host=True, skip_accept_encoding=True
            )
            # One by one: `Accept` is repeated, and says which kinds of manifests are known.
            for name, value in self.headers.items():
                if name.lower() not in {"transfer-encoding", "content-length", "connection"}:
                    connection.putheader(name, value)
            if body or self.command in {"POST", "PUT", "PATCH"}:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            data = answer.read()
            kept = [
                (name, "sha256:" + "f" * 64 if lie and name == "Docker-Content-Digest" else value)
                for name, value in answer.getheaders()
                if name.lower() not in {"transfer-encoding", "connection", "content-length"}
            ]
            length = answer.getheader("Content-Length") if self.command == "HEAD" else None
        finally:
            connection.close()
        self._answer(answer.status, kept, data, length)

    def _answer(
        self, status: int, headers: list[tuple[str, str]], body: bytes, length: str | None = None
    ) -> None:
        self._note(status)
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", length or str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@contextmanager
def fault_proxy(upstream: int) -> Iterator[FaultProxy]:
    """Run a proxy in front of the registry at a port."""
    with FaultProxy(upstream) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
