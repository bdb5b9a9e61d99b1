"""A small scripted Jupyter Server on the loopback."""

from __future__ import annotations

import http
import json
from dataclasses import dataclass, field
from typing import Any

from websockets.datastructures import Headers
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection

JUPYTER_TOKEN = "x7Kq2mV9"


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
    ends: bool = False  # before what was made is taken away
    made: bytes = b'{"id": "k1", "name": "1"}'  # what a new kernel or terminal is
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
