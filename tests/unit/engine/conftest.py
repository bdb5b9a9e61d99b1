"""A scripted engine on a unix socket: what goes wrong, on demand and at once."""

from __future__ import annotations

import base64
import json
import select
import socketserver
import sys
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from imagekit.engine.connection import Engine, connect
from imagekit.engine.protocol.control_pb2 import StatusResponse

IMAGE = "sha256:" + "a" * 64


@dataclass
class Answer:
    """How a stream goes: its pieces, and how it ends."""

    chunks: Iterable[bytes] = ()
    end: str = "clean"  # clean, cut, silence
    status: int = 200


@dataclass
class FakeEngine:
    """The script, and what was asked."""

    path: Path
    version: dict[str, Any] = field(
        default_factory=lambda: {
            "Version": "20.10.24",
            "ApiVersion": "1.41",
            "Os": "linux",
            "Components": [{"Name": "Engine"}],
        }
    )
    info: dict[str, Any] = field(default_factory=lambda: {"Driver": "overlay2"})
    ping_headers: dict[str, str] = field(default_factory=dict)
    images: dict[str, dict[str, Any]] = field(default_factory=dict)
    streams: dict[str, Answer] = field(default_factory=dict)  # by path: /build, /images/create
    refused: dict[str, tuple[int, bytes]] = field(default_factory=dict)  # by path
    # By image name, in turn: a digest, or a status and a message; the last one stays.
    registry: dict[str, list[str | tuple[int, str]]] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    queries: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    headers: dict[str, dict[str, str]] = field(default_factory=dict)
    bodies: dict[str, bytes] = field(default_factory=dict)
    gone: threading.Event = field(default_factory=threading.Event)  # a silent stream was left

    IMAGE: ClassVar[str] = IMAGE

    @property
    def url(self) -> str:
        return f"unix://{self.path}"

    def connect(self) -> Engine:
        return connect(self.url)

    def builds(self, *messages: object, end: str = "clean") -> None:
        """Script ``/build``; a message is JSON, or bytes to be sent as they are."""
        chunks = [m if isinstance(m, bytes) else json.dumps(m).encode() + b"\n" for m in messages]
        self.streams["/build"] = Answer(chunks, end)

    def pulls(self, *messages: object, end: str = "clean") -> None:
        chunks = [json.dumps(m).encode() + b"\r\n" for m in messages]
        self.streams["/images/create"] = Answer(chunks, end)

    def pushes(self, repository: str, *messages: object, end: str = "clean") -> None:
        chunks = [json.dumps(m).encode() + b"\r\n" for m in messages]
        self.streams[f"/images/{repository}/push"] = Answer(chunks, end)

    @staticmethod
    def trace(record: StatusResponse) -> dict[str, str]:
        aux = base64.b64encode(record.SerializeToString()).decode()
        return {"id": "moby.buildkit.trace", "aux": aux}

    @staticmethod
    def result(image_id: str = IMAGE) -> dict[str, Any]:
        return {"id": "moby.image.id", "aux": {"ID": image_id}}

    def has(self, ref: str, image_id: str = IMAGE, **facts: object) -> None:
        self.images[ref] = {"Id": image_id, "Size": 5, "Config": {"Labels": None}, **facts}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    fake: FakeEngine

    def log_message(self, format: str, *args: object) -> None:
        pass

    def address_string(self) -> str:
        return "unix"

    def do_GET(self) -> None:
        path = self._path()
        if path in self.fake.refused:
            self._send(*self.fake.refused[path])
        elif path == "/_ping":
            self._send(200, b"OK", self.fake.ping_headers)
        elif path in {"/version", "/info"}:
            self._send(200, json.dumps(getattr(self.fake, path[1:])).encode())
        elif path.startswith("/distribution/"):
            self._distribution(unquote(path[len("/distribution/") : -len("/json")]))
        elif path.startswith("/images/") and path.endswith("/json"):
            found = self.fake.images.get(unquote(path[len("/images/") : -len("/json")]))
            missing = {"message": "No such image"}
            self._send(200 if found else 404, json.dumps(found or missing).encode())
        else:
            self._send(404, b'{"message": "page not found"}')

    def _distribution(self, ref: str) -> None:
        answers = self.fake.registry.get(ref, [(404, "manifest unknown")])
        answer = answers[0] if len(answers) == 1 else answers.pop(0)
        if isinstance(answer, str):
            self._send(200, json.dumps({"Descriptor": {"digest": answer}}).encode())
        else:
            self._send(answer[0], json.dumps({"message": answer[1]}).encode())

    def do_POST(self) -> None:
        path = self._path()
        self.fake.headers[path] = dict(self.headers.items())
        if path in self.fake.refused:
            self._body()
            self._send(*self.fake.refused[path])
        elif path == "/session":
            self.wfile.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n")
            while self.connection.recv(4096):
                pass
            self.close_connection = True
        elif path in self.fake.streams:
            self.fake.bodies[path] = self._body()
            self._stream(self.fake.streams[path])
        else:
            self._body()
            self._send(200, b"")

    def _path(self) -> str:
        parts = urlsplit(self.path)
        version, _, rest = parts.path[1:].partition("/")
        path = f"/{rest}" if version.startswith("v1.") else parts.path
        self.fake.asked.append((self.command, path))
        self.fake.queries[path] = parse_qs(parts.query, keep_blank_values=True)
        return path

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline() or b"0", 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, answer: Answer) -> None:
        self.send_response(answer.status)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.close_connection = True
        try:
            for chunk in answer.chunks:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
            if answer.end == "clean":
                self.wfile.write(b"0\r\n\r\n")
            if answer.end == "silence":
                select.select([self.connection], [], [], 20)
                self.fake.gone.set()
        except (BrokenPipeError, ConnectionResetError):
            self.fake.gone.set()


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):  # the client left
            super().handle_error(request, client_address)


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No engine or docker configuration of this host."""
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS", "DOCKER_TLS_VERIFY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("DOCKER_CERT_PATH", raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker-config"))


@pytest.fixture
def fake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeEngine]:
    script = FakeEngine(tmp_path_factory.mktemp("e") / "s")
    handler = type("Handler", (_Handler,), {"fake": script})
    with _Server(str(script.path), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield script
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def engine(fake: FakeEngine) -> Iterator[Engine]:
    """A connection to the scripted engine."""
    engine = fake.connect()
    try:
        yield engine
    finally:
        engine.close()
