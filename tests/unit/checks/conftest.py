"""Small scripted servers on loopback: ssh and Jupyter; the desktop is in ``fakedesktop``."""

from __future__ import annotations

import http
import json
import logging
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import paramiko
import pytest
from websockets.datastructures import Headers
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

from imagekit.checks import ssh
from imagekit.checks.notebook import Answer, Notebook
from imagekit.checks.subject import Gpus, Health, ImageConfig, Inside, Subject
from imagekit.container import Secrets
from imagekit.names import JUPYTER_PORT, SSH_PORT, VNC_PORT, WEB_PORT
from imagekit.plan.model import Desktop, Locale, Os, Plan, Sshd, User
from tests.unit.checks.fakedesktop import (
    DESKTOP_PASSWORD,
    FakeDesktop,
    both_listener,
    server_context,
)
from tests.unit.checks.sftpserver import MemorySftp

LOG = logging.getLogger("tests.checks")
LOG.addHandler(logging.NullHandler())
LOG.propagate = False

PASSWORD = "correct-horse-17"
ROOT_PASSWORD = "root-pass"
JUPYTER_TOKEN = "x7Kq2mV9"
HOST_KEY = paramiko.ECDSAKey.generate()


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
    root_password: str = PASSWORD
    host_key: paramiko.PKey = HOST_KEY
    hang_ups: int = 0  # as an engine's proxy does before the service is up
    thinks: Callable[[], object] = lambda: None  # before it answers a password
    sftp: str = ""  # what is wrong with it; see MemorySftp
    files: dict[str, bytes] = field(default_factory=dict)
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
            if self.sftp != "none":
                transport.set_subsystem_handler("sftp", paramiko.SFTPServer, MemorySftp)
            self.transports.append(transport)
            try:
                transport.start_server(event=threading.Event(), server=_Session(self))
            except (OSError, EOFError, paramiko.SSHException):  # the client has left
                transport.close()

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
        self.fake.thinks()
        own = self.fake.root_password if username == "root" else self.fake.password
        right = password == own or self.fake.any_password
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

    def check_channel_pty_request(self, *_: Any) -> bool:
        self.env["TERMINAL"] = "yes"
        return True

    def check_channel_shell_request(self, channel: paramiko.Channel) -> bool:
        env, self.env = {"SHELL": "login", **self.env}, {}
        self._answer(channel, lambda script: script, env)
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
class FakeJupyter:
    """A Jupyter Server; websockets serves GET alone, so the rest comes by a patch."""

    token: str = JUPYTER_TOKEN
    text: str = "2|/opt/venv|zh_CN.UTF-8\n"
    framework: str = ""  # what a cell prints that imports one
    terminal: str = "$ typed\r\nshown\r\n"
    starting: int = 0
    page: int = 200
    markup: str = '<script defer="defer" src="/jupyter/static/lab/main.1.js?v=1&amp;x"></script>'
    scripts: int = 200
    error: str = ""
    open_to_all: bool = False
    root: str = "/jupyter/?token=x"
    elsewhere: bool = False
    typed: list[str] = field(default_factory=list)

    def answer(self, _connection: ServerConnection, request: Request) -> Response | None:
        allowed = request.headers.get("Authorization") == f"token {self.token}"
        if self.elsewhere:
            return _json(404, {})
        if request.path.startswith("/?"):
            return _json(302 if self.root else 404, {}, self.root)
        if request.path == "/jupyter/api":
            self.starting -= 1
            return _json(503 if self.starting >= 0 else 200, {"version": "2.21.1"})
        if not (allowed or self.open_to_all):
            return _json(403, {})
        if "/channels" in request.path or "/websocket/" in request.path:
            return None
        return self._static(request.path)

    def _static(self, path: str) -> Response:
        statuses = {"/jupyter/lab": self.page, "/jupyter/static/lab/main.1.js?v=1&x": self.scripts}
        answer = _json(statuses.get(path, 200), {})
        if path == "/jupyter/lab":
            answer.body = self.markup.encode()
            del answer.headers["Content-Length"]
            answer.headers["Content-Length"] = str(len(answer.body))
        return answer

    def speak(self, connection: ServerConnection) -> None:
        request = json.loads(connection.recv())
        if isinstance(request, list):
            self.typed.append(request[1])
            connection.send(json.dumps(["setup", {}]))
            for piece in (self.terminal[:3], self.terminal[3:]):
                connection.send(json.dumps(["stdout", piece]))
            connection.send(json.dumps(["disconnect", 1]))
            return
        parent = request["header"]

        def send(kind: str, content: dict[str, Any], of: dict[str, Any]) -> None:
            message = {"header": {"msg_type": kind}, "parent_header": of, "content": content}
            connection.send(json.dumps(message))

        send("status", {"execution_state": "idle"}, {})
        if self.error:
            send("error", {"ename": "NameError", "evalue": self.error}, parent)
        text = self.framework if "ones" in request["content"]["code"] else self.text
        for piece in (text[:1], text[1:]):
            send("stream", {"text": piece}, parent)
        send("status", {"execution_state": "idle"}, parent)


def _json(status: int, data: dict[str, Any], location: str = "") -> Response:
    body = json.dumps(data).encode()
    headers = Headers({"Content-Type": "application/json", "Content-Length": str(len(body))})
    if location:
        headers["Location"] = location
    return Response(status, http.HTTPStatus(status).phrase, headers, body)


@dataclass
class FakeInside:
    """A container seen through its engine; ``answers`` maps the command's name."""

    answers: dict[str, tuple[int, str]] = field(
        default_factory=lambda: {"hostname": (0, "box\n"), "/usr/bin/python3": (0, "[]\n")}
    )
    calls: list[tuple[tuple[str, ...], str]] = field(default_factory=list)
    config: ImageConfig = field(default_factory=lambda: ImageConfig("sha256:aa"))
    afresh: tuple[int, str] = (0, "")
    archive: bytes = b""

    def execute(
        self, argv: Sequence[str], user: str = "", timeout: float = 20.0
    ) -> tuple[int, str]:
        assert timeout > 0
        self.calls.append((tuple(argv), user))
        return self.answers[argv[0]]

    def logs(self) -> str:
        return "a line\n"

    def health(self) -> Health:
        return Health("healthy")

    def image(self) -> ImageConfig:
        return self.config

    def execute_afresh(self, argv: Sequence[str], timeout: float = 20.0) -> tuple[int, str]:
        assert timeout > 0
        self.calls.append((tuple(argv), "afresh"))
        return self.afresh

    def saved(self, timeout: float) -> Iterator[bytes]:
        assert timeout > 0
        for start in range(0, len(self.archive), 1000):
            yield self.archive[start : start + 1000]


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
def desktop_server(tmp_path: Path) -> Iterator[Callable[[FakeDesktop], tuple[str, int]]]:
    """Start desktops; gives their addresses."""
    with ExitStack() as stack:

        def start(fake: FakeDesktop) -> tuple[str, int]:
            server = serve(
                fake.websocket,
                sock=both_listener(fake.names, tmp_path, fake.days),
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
def jupyter_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., tuple[str, int]]]:
    """Start Jupyter Servers; gives their addresses."""
    real = Notebook.request

    def request(self: Notebook, method: str, path: str, token: str | None = None) -> Answer:
        if method == "GET":
            return real(self, method, path, token)
        made = b'{"id": "k1", "name": "1"}'
        return Answer(201, "", made) if method == "POST" else Answer(204, "", b"")

    monkeypatch.setattr(Notebook, "request", request)
    with ExitStack() as stack:

        def start(**behaviour: Any) -> tuple[str, int]:
            fake = FakeJupyter(**behaviour)
            server = serve(fake.speak, "127.0.0.1", 0, process_request=fake.answer, logger=LOG)
            thread = threading.Thread(target=server.serve_forever, daemon=True)
            thread.start()
            stack.callback(thread.join, 5)
            stack.callback(server.shutdown)
            host, port = server.socket.getsockname()[:2]
            return host, port

        yield start


@pytest.fixture
def tls_context(tmp_path: Path) -> ssl.SSLContext:
    return server_context(("localhost",), tmp_path)


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
        *,
        ssh_at: tuple[str, int] | None = None,
        web_at: tuple[str, int] | None = None,
        jupyter_at: tuple[str, int] | None = None,
        vnc_at: tuple[str, int] | None = None,
        the_plan: Plan = plan,
        inside: Inside | None = None,
        gpus: Gpus | None = None,
    ) -> Subject:
        addresses = {
            SSH_PORT: ssh_at,
            WEB_PORT: web_at,
            JUPYTER_PORT: jupyter_at,
            VNC_PORT: vnc_at,
        }
        return Subject(
            plan=the_plan,
            addresses={port: at for port, at in addresses.items() if at},
            secrets=Secrets(
                PASSWORD,
                DESKTOP_PASSWORD,
                ssh.public_line(key),
                JUPYTER_TOKEN,
                root_password=ROOT_PASSWORD,
                vnc_password="vncview8",
            ),
            key=key,
            inside=inside or FakeInside(),
            gpus=gpus or Gpus(),
        )

    return make
