"""The desktop as a scripted server: a front that speaks HTTP, TLS, WebSocket and RFB."""

from __future__ import annotations

import base64
import datetime
import http
import ipaddress
import os
import socket
import ssl
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection

from imagekit.checks.vncauth import respond
from tests.unit.checks.fakerfb import FakeClipboard, Viewer

DESKTOP_PASSWORD = "Batt3ry5 Stapl3 密码"
TOKEN = "a-token_" * 5
# As nginx sends them with each page.
SAFE = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}

PAGES: dict[str, tuple[int, str, str]] = {
    "/": (
        200,
        "text/html; charset=utf-8",
        """<!doctype html><title> Our desktop </title>
        <input type="password" id="password">
        <script type="module">import RFB from "/novnc/core/rfb.js";</script>""",
    ),
    "/novnc/core/rfb.js": (200, "text/javascript", 'import * as Log from "./util/logging.js";'),
    "/novnc/core/util/logging.js": (200, "application/javascript", "export function Info() {}"),
}


@dataclass
class FakeDesktop:
    """A front: pages, sessions and TLS on one port, and a WebSocket that speaks RFB."""

    types: tuple[int, ...] = (2,)
    password: str = DESKTOP_PASSWORD
    any_password: bool = False
    any_vnc: bool = False
    too_many: int = 0  # logins that are refused for their number
    days: int = 1  # until the certificate ends
    anyone: bool = False
    any_origin: bool = False
    healthy: bool = True
    vnc: str = "vncpage1"
    told: str = "vncpage1"  # what the page is told of it
    names: tuple[str, ...] = ("localhost", "box")
    width: int = 64
    height: int = 32
    blank: bool = False
    broken_upgrades: int = 0
    broken_over_tls: int = 0
    every_other: bool = False  # connection is broken off before it is answered
    resizable: bool = True
    resize_status: int = 0
    stays: bool = False  # says that it has another size, and draws the old one
    clipboard: FakeClipboard | None = None
    headers: dict[str, str] = field(default_factory=lambda: dict(SAFE))
    pages: dict[str, tuple[int, str, str]] = field(default_factory=lambda: dict(PAGES))

    def page(self, _connection: ServerConnection, request: Request) -> Response | None:
        if request.path == "/websockify":
            return None if self.lets_in(request) else self.answer(403)
        if request.path == "/session":
            return self.session(request)
        if request.path == "/healthz":
            return self.answer(200 if self.healthy else 503)
        status, kind, text = self.pages.get(request.path, (404, "text/plain", "not found"))
        return self.answer(status, kind, text)

    def lets_in(self, request: Request) -> bool:
        origin = request.headers.get("Origin", "")
        offered = request.headers.get("Sec-WebSocket-Protocol", "")
        known = f"imagekit.{TOKEN}" in offered.split(", ") or self.anyone
        return known and (not origin or self.any_origin)

    def session(self, request: Request) -> Response:
        pair = base64.b64encode(f"desktop:{self.password}".encode()).decode()
        given = request.headers.get("Authorization", "")
        if given and self.too_many > 0:
            self.too_many -= 1
            return self.answer(429)
        if given == f"Basic {pair}" or (given and self.any_password):
            return self.answer(
                200, "application/json", f'{{"token": "{TOKEN}", "vnc": "{self.told}"}}'
            )
        return self.answer(401)

    def answer(self, status: int, kind: str = "text/plain", text: str = "") -> Response:
        body = text.encode()
        own = {"Content-Type": kind, "Content-Length": str(len(body))}
        phrase = http.HTTPStatus(status).phrase
        return Response(status, phrase, Headers({**self.headers, **own}), body)

    def websocket(self, connection: ServerConnection) -> None:
        if self.broken_upgrades > 0:  # as websockify before the X server is up
            self.broken_upgrades -= 1
            return
        if isinstance(connection.socket, ssl.SSLSocket) and self.broken_over_tls > 0:
            self.broken_over_tls -= 1
            return
        try:
            messages = iter(connection)
            self.speak(connection.send, lambda: bytes(next(messages)))
        except (ConnectionClosed, StopIteration):
            return

    def speak(self, send: Callable[[bytes], object], receive: Callable[[], bytes]) -> None:
        """RFB, as far as the client goes; every message of the client comes in one piece."""
        send(b"RFB 003.008\n")
        assert receive() == b"RFB 003.008\n"
        send(bytes([len(self.types), *self.types]))
        if receive() == b"\x02":
            challenge = os.urandom(16)
            send(challenge)
            if receive() != respond(self.vnc, challenge) and not self.any_vnc:
                reason = b"Authentication failed"
                send(struct.pack("!II", 1, len(reason)) + reason)
                return
        send(struct.pack("!I", 0))
        receive()
        name = "桌面".encode()
        send(struct.pack("!HH16xI", self.width, self.height, len(name)) + name)
        viewer = Viewer(self, send)
        while message := receive():
            self.heard(message)
            viewer.hear(message)

    def heard(self, message: bytes) -> None:
        """Whatever a viewer says; for tests that listen."""


class BothListener(socket.socket):
    """A listener that speaks TLS with whoever begins so, and leaves all others as they are."""

    context: ssl.SSLContext
    every_other = False
    count = 0

    def accept(self) -> tuple[socket.socket, Any]:
        connection, peer = super().accept()
        connection.settimeout(5)
        self.count += 1
        try:
            if self.every_other and self.count % 2:
                # What was sent is read, so that this is an end and no reset.
                connection.recv(1 << 16)
                connection.shutdown(socket.SHUT_RDWR)
            elif connection.recv(1, socket.MSG_PEEK) == b"\x16":
                connection = self.context.wrap_socket(connection, server_side=True)
        except OSError:  # a client that changed its mind
            return connection, peer
        connection.settimeout(None)
        return connection, peer


def both_listener(names: Sequence[str], folder: Path, days: int = 1) -> BothListener:
    """On loopback, with a certificate for names, 127.0.0.1 and ::1."""
    listener = BothListener(socket.AF_INET, socket.SOCK_STREAM)
    listener.context = server_context(names, folder, days)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    return listener


def server_context(names: Sequence[str], folder: Path, days: int = 1) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed(names, folder, days))
    return context


def self_signed(names: Sequence[str], folder: Path, days: int = 1) -> Path:
    """A key and its certificate, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "fake")])
    addresses = [x509.IPAddress(ipaddress.ip_address(text)) for text in ("127.0.0.1", "::1")]
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder(who, who, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=9))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(
            x509.SubjectAlternativeName([*map(x509.DNSName, names), *addresses]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    file = folder / "both.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return file
