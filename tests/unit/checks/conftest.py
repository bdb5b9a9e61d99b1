"""What checks are asked of: scripted servers on the loopback, and a subject made of them."""

from __future__ import annotations

import logging
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import paramiko
import pytest
from websockets.sync.server import serve

from imagekit.checks import ssh
from imagekit.checks.notebook import Answer, Notebook
from imagekit.checks.subject import Gpus, Inside, Subject
from imagekit.container import Secrets
from imagekit.names import JUPYTER_PORT, SSH_PORT, VNC_PORT, WEB_PORT
from imagekit.plan.model import Desktop, Locale, Os, Plan, Sshd, User
from tests.unit.checks.fakedesktop import (
    DESKTOP_PASSWORD,
    FakeDesktop,
    both_listener,
    server_context,
)
from tests.unit.checks.fakeinside import FakeInside
from tests.unit.checks.fakejupyter import JUPYTER_TOKEN, FakeJupyter
from tests.unit.checks.fakessh import PASSWORD, FakeSsh

LOG = logging.getLogger("tests.checks")
LOG.addHandler(logging.NullHandler())
LOG.propagate = False

ROOT_PASSWORD = "root-pass"


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
            listener = both_listener(fake.names, tmp_path, fake.days)
            listener.every_other = fake.every_other
            server = serve(
                fake.websocket,
                sock=listener,
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
        if method == "POST":
            return Answer(201, "", made)
        if ends:
            raise ConnectionRefusedError("nobody listens")
        return Answer(204, "", b"")

    made, ends = b"", False
    monkeypatch.setattr(Notebook, "request", request)
    with ExitStack() as stack:

        def start(**behaviour: Any) -> tuple[str, int]:
            nonlocal made, ends
            fake = FakeJupyter(**behaviour)
            made, ends = fake.made, fake.ends
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
