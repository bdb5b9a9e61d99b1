"""A small Jupyter Server: the REST interface and one kernel's channel."""

import http
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import pytest
from websockets.datastructures import Headers
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

from imagekit.checks.check import CheckFailedError, CheckSkippedError
from imagekit.checks.jupyter import check_jupyter
from imagekit.container import Secrets
from imagekit.names import JUPYTER_PORT
from imagekit.plan.model import Python
from imagekit.wait import Deadline

TOKEN = "x7Kq2mV9"
PYTHON = Python("3.11", "os", "/opt/venv", "", (), (), (), "", ("jupyterlab",), (), ())


@dataclass
class FakeJupyter:
    """What the server answers; websockets serves GET alone, so kernels come by a patch."""

    token: str = TOKEN
    text: str = "2|/opt/venv|zh_CN.UTF-8\n"
    starting: int = 0
    page: int = 200
    error: str = ""
    open_to_all: bool = False

    def answer(self, _connection: ServerConnection, request: Request) -> Response | None:
        allowed = request.headers.get("Authorization") == f"token {self.token}"
        if request.path == "/api":
            self.starting -= 1
            status = 503 if self.starting >= 0 else 200
            return _json(status, {"version": "2.21.1"})
        if not (allowed or self.open_to_all):
            return _json(403, {})
        if request.path.endswith("/channels"):
            return None
        return _json(self.page if request.path == "/lab" else 200, {})

    def kernel(self, connection: ServerConnection) -> None:
        request = json.loads(connection.recv())
        parent = request["header"]

        def send(kind: str, content: dict[str, Any], of: dict[str, Any]) -> None:
            message = {"header": {"msg_type": kind}, "parent_header": of, "content": content}
            connection.send(json.dumps(message))

        send("status", {"execution_state": "idle"}, {})
        if self.error:
            send("error", {"ename": "NameError", "evalue": self.error}, parent)
        for piece in (self.text[:1], self.text[1:]):
            send("stream", {"text": piece}, parent)
        send("status", {"execution_state": "idle"}, parent)


def _json(status: int, data: dict[str, Any]) -> Response:
    body = json.dumps(data).encode()
    headers = Headers({"Content-Type": "application/json", "Content-Length": str(len(body))})
    return Response(status, http.HTTPStatus(status).phrase, headers, body)


@pytest.fixture
def ask(subject: Any, plan: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    from imagekit.checks import jupyter  # noqa: PLC0415

    real = jupyter._request

    def request(address: Any, method: str, path: str, token: str, deadline: Any) -> Any:
        if method == "GET":
            return real(address, method, path, token, deadline)
        return (201, b'{"id": "k1"}') if method == "POST" else (204, b"")

    monkeypatch.setattr(jupyter, "_request", request)
    with ExitStack() as stack:

        def run(fake: FakeJupyter | None = None, **changes: Any) -> Any:
            fake = fake or FakeJupyter()
            server = serve(fake.kernel, "127.0.0.1", 0, process_request=fake.answer)
            thread = threading.Thread(target=server.serve_forever, daemon=True)
            thread.start()
            stack.callback(thread.join, 5)
            stack.callback(server.shutdown)
            the_plan = replace(plan, **{"jupyter": True, "python": PYTHON, **changes})
            made = subject(the_plan=the_plan)
            address = server.socket.getsockname()[:2]
            made = replace(
                made,
                addresses={JUPYTER_PORT: address},
                secrets=Secrets("", "", jupyter_token=TOKEN),
            )
            return check_jupyter(made, Deadline.after(5))

        yield run


def test_passes(ask: Any) -> None:
    assert ask(FakeJupyter(starting=2)) == {
        "jupyter_server": "2.21.1",
        "kernel": "2|/opt/venv|zh_CN.UTF-8",
        "wrong_token": "refused",
    }


@pytest.mark.parametrize(
    ("fake", "message"),
    [
        (FakeJupyter(open_to_all=True), "a refusal of a wrong token; got status 200"),
        (FakeJupyter(token="another"), "page with the token; got status 403"),
        (FakeJupyter(page=500), "page with the token; got status 500"),
        (FakeJupyter(text="2|/usr|zh_CN.UTF-8\n"), "got '2|/usr"),
        (FakeJupyter(error="x is not defined"), "NameError: x is not defined"),
    ],
)
def test_fails(ask: Any, fake: FakeJupyter, message: str) -> None:
    with pytest.raises(CheckFailedError) as failed:
        ask(fake)
    assert message in str(failed.value)
    assert TOKEN not in str(failed.value)


def test_a_server_that_does_not_come_up_fails(ask: Any) -> None:
    with pytest.raises(CheckFailedError, match="Jupyter's page; got"):
        ask(FakeJupyter(starting=10_000))


def test_skipped_without_jupyter(ask: Any) -> None:
    with pytest.raises(CheckSkippedError, match="no Jupyter"):
        ask(jupyter=False)
