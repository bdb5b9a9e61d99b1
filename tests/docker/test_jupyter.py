"""Jupyter in the ways that the everyday checks do not start it, and what lies behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest
from docker.models.containers import Container

from imagekit.checks.notebook import BASE, Notebook
from imagekit.container import SECRETS_FOLDER, ContainerSpec, Mount, Port, generate_secrets
from imagekit.engine.connection import Engine
from imagekit.names import JUPYTER_PORT
from imagekit.plan.model import Plan, Python
from imagekit.wait import Deadline, NotYetError, until
from tests.docker.support import Builder

pytestmark = pytest.mark.image

PYTHON = Python("3.11", "os", "/opt/venv", "", (), (), (), "", (), (), ())
TMP = "/tmp"  # noqa: S108 (in the container)
JUPYTER = ("jupyterlab", "jupyter-server-proxy")

Start = Callable[..., tuple[Container, Notebook]]


@pytest.fixture
def start(engine: Engine, builder: Builder, ssh_plan: Plan) -> Iterator[Start]:
    """Start an image with Jupyter alone; the container, and its server when it is up."""
    plan = replace(
        ssh_plan,
        profile="ik-jupyter",
        sshd=None,
        apt=ssh_plan.apt[:1],
        jupyter=True,
        python=replace(PYTHON, jupyter=JUPYTER),
    )
    image = builder.image(plan)
    secrets = generate_secrets()

    def run(tmpfs: dict[str, str] | None = None, **how: Any) -> tuple[Container, Notebook]:
        spec = ContainerSpec(
            image,
            ports=(Port(JUPYTER_PORT, "127.0.0.1", 0),),
            mounts=(Mount("", SECRETS_FOLDER),),
        )
        arguments = {**spec.arguments(), **how}
        arguments["tmpfs"] = tmpfs or arguments["tmpfs"]
        container = engine.client.containers.create(image, **arguments)
        stack.callback(container.remove, v=True, force=True)
        if not how:  # others than root cannot read what lies there
            container.put_archive(SECRETS_FOLDER, secrets.tar())
        container.start()
        container.reload()
        port = int(container.ports[f"{JUPYTER_PORT}/tcp"][0]["HostPort"])
        notebook = Notebook(("127.0.0.1", port), secrets.jupyter_token, Deadline.after(90))
        notebook.await_version()
        return container, notebook

    with ExitStack() as stack:
        yield run


def test_a_page_on_another_port_is_there_with_the_token_alone(start: Start) -> None:
    container, notebook = start()
    script = "mkdir /tmp/x && cd /tmp/x && echo hello > file && exec python -m http.server 6006"
    container.exec_run(["sh", "-c", script], user="lab", detach=True)

    def served() -> bytes:
        answer = notebook.request("GET", f"{BASE}/proxy/6006/file")
        if answer.status != 200:
            raise NotYetError(f"status {answer.status}")
        return answer.body

    assert until(served, Deadline.after(30)) == b"hello\n"
    refused = notebook.request("GET", f"{BASE}/proxy/6006/file", token="wrong")
    assert (refused.status, b"hello" in refused.body) == (302, False)
    assert refused.location.startswith(f"{BASE}/login?")
    # Only the container's own ports: it is no way to the network behind it.
    elsewhere = notebook.request("GET", f"{BASE}/proxy/192.0.2.1:80/")
    assert elsewhere.status == 403


@pytest.mark.parametrize(
    "how",
    [
        {"user": "1234:1234", "tmpfs": {TMP: ""}},
        {"read_only": True, "tmpfs": {"/run": "mode=0755", TMP: "", "/home/lab": ""}},
        {
            "read_only": True,
            "user": "1234:1234",
            "tmpfs": {"/run/imagekit": "mode=1777", TMP: ""},
        },
    ],
    ids=["user", "read-only", "both"],
)
def test_it_runs_without_privileges_and_with_a_root_that_cannot_be_written(
    start: Start, how: dict[str, Any]
) -> None:
    container, notebook = start(**how)
    # The token was made at the start, and said once.
    said = container.logs().decode()
    token = said.partition("Jupyter token, shown this once: ")[2].split()[0]
    assert notebook.request("GET", f"{BASE}/lab", token=token).status == 200
    assert notebook.request("GET", f"{BASE}/api/kernels").status == 403
    assert said.count(token) == 1


def test_a_port_that_is_taken_is_said_in_the_log(start: Start) -> None:
    container, _notebook = start()
    second = "HOME=/tmp /opt/venv/bin/jupyter-lab --config=/etc/imagekit/jupyter_server_config.py"
    code, output = container.exec_run(["sh", "-c", second], user="lab")
    assert code != 0
    assert f"port {JUPYTER_PORT} is not available" in output.decode()
