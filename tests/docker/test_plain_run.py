"""The image without imagekit: plain `docker run`, as the tutorials have it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from docker.models.containers import Container

from imagekit.checks import rfb
from imagekit.checks.transport import websocket
from imagekit.engine.connection import Engine
from imagekit.wait import Deadline, NotYetError, until

Run = Callable[..., Container]
SECONDS = 60.0


@pytest.fixture
def run(engine: Engine, image: str) -> Iterator[Run]:
    """`docker run -d -p …:80 -e …`; removed afterwards."""
    started: list[Container] = []

    def go(**environment: str) -> Container:
        ports = {"80/tcp": ("127.0.0.1", None)}
        container = engine.client.containers.run(
            image, detach=True, ports=ports, environment=environment
        )
        started.append(container)
        await_health(container)
        return container

    yield go
    for container in started:
        container.remove(force=True, v=True)


def await_health(container: Container) -> None:
    def healthy() -> None:
        answer = container.exec_run(["/usr/lib/imagekit/health"])
        if answer.exit_code != 0:
            raise NotYetError(answer.output.decode())

    until(healthy, Deadline.after(SECONDS))


def opens(container: Container, password: str) -> bool:
    """Whether a password opens the desktop, over the WebSocket that browsers use."""
    container.reload()
    port = int(container.ports["80/tcp"][0]["HostPort"])
    deadline = Deadline.after(SECONDS)
    with websocket(("127.0.0.1", port), "/websockify", deadline) as stream:
        client = rfb.Client(stream, deadline)
        client.handshake()
        try:
            client.authenticate(password)
        except rfb.RefusedError:
            return False
        return True


def test_the_tutorials_variable_is_the_password_and_warned_about(run: Run) -> None:
    container = run(VNC_PASSWORD="12345678")
    assert opens(container, "12345678")
    assert not opens(container, "87654321")
    log = container.logs().decode()
    assert "VNC_PASSWORD can be read by everyone" in log
    assert "12345678" not in log


def test_passwords_are_made_and_said_once(run: Run) -> None:
    container = run()
    log = container.logs().decode()
    (desktop,) = re.findall(r"desktop password, shown this once: (\S+)", log)
    assert len(re.findall(r"ssh password of lab, shown this once: (\S{16})", log)) == 1
    assert opens(container, desktop)
    container.restart()
    await_health(container)
    assert opens(container, desktop)
    assert container.logs().decode().count("shown this once") == 2


def test_sessions_get_variables_but_no_secrets(run: Run) -> None:
    container = run(GREETING='你好 "world" $x #1', API_TOKEN="hidden", VNC_PASSWORD="12345678")
    command = "exec env -i HOME=/home/lab bash -lc 'echo $GREETING; env'"
    code, output = container.exec_run(["sh", "-c", command], user="lab")
    text = output.decode()
    assert code == 0
    assert text.splitlines()[0] == '你好 "world" $x #1'
    assert "LANG=zh_CN.UTF-8" in text
    assert "hidden" not in text
    assert "12345678" not in text


def test_a_command_runs_instead_of_the_services(engine: Engine, image: str) -> None:
    assert engine.client.containers.run(image, ["id", "-un"], remove=True) == b"root\n"
