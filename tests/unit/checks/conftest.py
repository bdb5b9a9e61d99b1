"""Small scripted servers on loopback: ssh, and the desktop (HTTP, WebSocket, RFB) in one."""

from __future__ import annotations

import http
import logging
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import Any

import paramiko
import pytest
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

from imagekit.checks import ssh
from imagekit.checks.subject import Gpus, Subject
from imagekit.checks.vncauth import respond
from imagekit.container import Secrets
from imagekit.names import SSH_PORT, WEB_PORT
from imagekit.plan.model import Desktop, Locale, Os, Plan, Sshd, User

LOG = logging.getLogger("tests.checks")
LOG.addHandler(logging.NullHandler())
LOG.propagate = False

PASSWORD = "correct-horse-17"
DESKTOP_PASSWORD = "Batt3ry5"
HOST_KEY = paramiko.ECDSAKey.generate()

PAGES: dict[str, tuple[int, str, str]] = {
    "/": (
        200,
        "text/html; charset=utf-8",
        """<!doctype html><title> Our desktop </title>
        <script type="module">import RFB from "/novnc/core/rfb.js";</script>""",
    ),
    "/novnc/core/rfb.js": (200, "text/javascript", 'import * as Log from "./util/logging.js";'),
    "/novnc/core/util/logging.js": (200, "application/javascript", "export function Info() {}"),
}


@dataclass
class FakeSsh:
    """An ssh server. ``run`` gets a command and the variables that the client offered."""

    run: Callable[[str, dict[str, str]], tuple[int, str]] = lambda _command, _env: (0, "")
    user: str = "lab"
    password: str = PASSWORD
    key: str = ""
    passwords_allowed: bool = True
    any_password: bool = False
    root_allowed: bool = False
    host_key: paramiko.PKey = HOST_KEY
    hang_ups: int = 0  # as an engine's proxy does before the service is up
    listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))
    transports: list[paramiko.Transport] = field(default_factory=list)

    @property
    def address(self) -> tuple[str, int]:
        return self.listener.getsockname()[:2]

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            if self.hang_ups > 0:
                self.hang_ups -= 1
                connection.close()
                continue
            transport = paramiko.Transport(connection)
            transport.set_log_channel("tests.checks")
            transport.add_server_key(self.host_key)
            transport.start_server(event=threading.Event(), server=_Session(self))
            self.transports.append(transport)

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for transport in self.transports:
            transport.close()


class _Session(paramiko.ServerInterface):
    def __init__(self, fake: FakeSsh) -> None:
        self.fake = fake
        self.env: dict[str, str] = {}

    def get_allowed_auths(self, username: str) -> str:  # noqa: ARG002
        return "publickey,password" if self.fake.passwords_allowed else "publickey"

    def _known(self, username: str) -> bool:
        return username == self.fake.user or (username == "root" and self.fake.root_allowed)

    def check_auth_password(self, username: str, password: str) -> int:
        right = password == self.fake.password or self.fake.any_password
        if self._known(username) and right and self.fake.passwords_allowed:
            return paramiko.AUTH_SUCCESSFUL
        return paramiko.AUTH_FAILED

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        right = self._known(username) and key.get_base64() == self.fake.key
        return paramiko.AUTH_SUCCESSFUL if right else paramiko.AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:  # noqa: ARG002
        return paramiko.OPEN_SUCCEEDED

    def check_channel_env_request(self, _channel: Any, name: bytes, value: bytes) -> bool:
        self.env[name.decode()] = value.decode()
        return True

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        env, self.env = self.env, {}
        self._answer(channel, lambda _script: command.decode(), env)
        return True

    def check_channel_shell_request(self, channel: paramiko.Channel) -> bool:
        self._answer(channel, lambda script: script, {"SHELL": "login"})
        return True

    def _answer(
        self, channel: paramiko.Channel, command: Callable[[str], str], env: dict[str, str]
    ) -> None:
        def work() -> None:
            try:
                # The end of the input comes after the client knows that its request
                # was accepted; an answer and a close before that would overtake it.
                script = channel.makefile("r").read().decode()
                code, text = self.fake.run(command(script), env)
                channel.sendall(text.encode())
                channel.send_exit_status(code)
                channel.close()
            except (OSError, EOFError, paramiko.SSHException):  # the test is over
                return

        threading.Thread(target=work, daemon=True).start()


@dataclass
class FakeDesktop:
    """A web server whose WebSocket speaks RFB."""

    types: tuple[int, ...] = (2,)
    password: str = DESKTOP_PASSWORD
    any_password: bool = False
    width: int = 64
    height: int = 32
    blank: bool = False
    broken_upgrades: int = 0
    pages: dict[str, tuple[int, str, str]] = field(default_factory=lambda: dict(PAGES))

    def page(self, _connection: ServerConnection, request: Request) -> Response | None:
        if request.path == "/websockify":
            return None
        status, kind, text = self.pages.get(request.path, (404, "text/plain", "not found"))
        body = text.encode()
        headers = Headers({"Content-Type": kind, "Content-Length": str(len(body))})
        return Response(status, http.HTTPStatus(status).phrase, headers, body)

    def websocket(self, connection: ServerConnection) -> None:
        if self.broken_upgrades > 0:  # as websockify before the X server is up
            self.broken_upgrades -= 1
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
            if receive() != respond(self.password, challenge) and not self.any_password:
                reason = b"Authentication failed"
                send(struct.pack("!II", 1, len(reason)) + reason)
                return
        send(struct.pack("!I", 0))
        receive()
        name = "桌面".encode()
        send(struct.pack("!HH16xI", self.width, self.height, len(name)) + name)
        while message := receive():
            if message[0] == 3:
                self.picture(send)

    def picture(self, send: Callable[[bytes], object]) -> None:
        """Two rectangles after a bell and some clipboard, in uneven pieces."""
        send(b"\x02" + struct.pack("!BxxxI", 3, 4) + b"text")
        half = self.height // 2
        out = bytearray(struct.pack("!BxH", 0, 2))
        for top, rows in ((0, half), (half, self.height - half)):
            out += struct.pack("!HHHHi", 0, top, self.width, rows, 0)
            for y in range(top, top + rows):
                for x in range(self.width):
                    colour = 0 if self.blank else (x << 8) | y
                    out += struct.pack("<I", 0xFF000000 | colour)
        send(bytes(out[:7]))
        send(bytes(out[7:]))


@dataclass
class FakeInside:
    """A container seen through its engine; ``answers`` maps the command's name."""

    answers: dict[str, tuple[int, str]] = field(default_factory=dict)
    calls: list[tuple[tuple[str, ...], str]] = field(default_factory=list)

    def execute(
        self, argv: Sequence[str], user: str = "", timeout: float = 20.0
    ) -> tuple[int, str]:
        assert timeout > 0
        self.calls.append((tuple(argv), user))
        return self.answers[argv[0]]

    def logs(self) -> str:
        return "a line\n"


@pytest.fixture
def plan() -> Plan:
    return Plan(
        profile="demo",
        description="",
        os=Os("debian12", "debian:12-slim", "bookworm"),
        user=User("lab", 1000, 1000, (), "bash", sudo=True),
        sshd=Sshd(password=True),
        desktop=Desktop("xfce", "64x32", 24, ()),
        locale=Locale(
            lang="zh_CN.UTF-8",
            timezone="Asia/Shanghai",
            generate=("zh_CN.UTF-8",),
            fonts=("fonts-wqy-microhei",),
            input_method="",
        ),
        jupyter=False,
        conda=False,
        cuda=None,
        framework=None,
        python=None,
        mirrors=(),
        labels=(),
        files=(),
        health=None,
        apt=(),
        env=(),
    )


@pytest.fixture(scope="session")
def key() -> paramiko.PKey:
    return ssh.new_key()


@pytest.fixture
def ssh_server(key: paramiko.PKey) -> Iterator[Callable[..., FakeSsh]]:
    """Start ssh servers; they know ``key``."""
    with ExitStack() as stack:

        def start(**behaviour: Any) -> FakeSsh:
            fake = FakeSsh(key=key.get_base64(), **behaviour)
            thread = threading.Thread(target=fake.serve, daemon=True)
            thread.start()
            stack.callback(thread.join, 5)
            stack.enter_context(closing(fake))
            return fake

        yield start


@pytest.fixture
def desktop_server() -> Iterator[Callable[[FakeDesktop], tuple[str, int]]]:
    """Start desktops; gives their addresses."""
    with ExitStack() as stack:

        def start(fake: FakeDesktop) -> tuple[str, int]:
            server = serve(
                fake.websocket,
                "127.0.0.1",
                0,
                process_request=fake.page,
                subprotocols=["binary"],  # type: ignore[list-item]
                compression=None,
                logger=LOG,
            )
            thread = threading.Thread(target=server.serve_forever, daemon=True)
            thread.start()
            stack.callback(thread.join, 5)
            stack.callback(server.shutdown)
            host, port = server.socket.getsockname()[:2]
            return host, port

        yield start


@pytest.fixture
def fake_desktop() -> type[FakeDesktop]:
    return FakeDesktop


@pytest.fixture
def fake_inside() -> type[FakeInside]:
    return FakeInside


@pytest.fixture
def subject(plan: Plan, key: paramiko.PKey) -> Callable[..., Subject]:
    """Make subjects: ``subject(ssh=FakeSsh, web=address, plan=…, inside=…, gpus=…)``."""

    def make(
        ssh_at: tuple[str, int] | None = None,
        web_at: tuple[str, int] | None = None,
        the_plan: Plan = plan,
        inside: FakeInside | None = None,
        gpus: Gpus | None = None,
    ) -> Subject:
        addresses = {SSH_PORT: ssh_at, WEB_PORT: web_at}
        return Subject(
            plan=the_plan,
            addresses={port: at for port, at in addresses.items() if at},
            secrets=Secrets(PASSWORD, DESKTOP_PASSWORD, ssh.public_line(key)),
            key=key,
            inside=inside or FakeInside(),
            gpus=gpus or Gpus(),
        )

    return make
