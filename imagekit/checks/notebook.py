"""A client of Jupyter Server: its REST interface, a kernel, a terminal.

Sources: https://jupyter-server.readthedocs.io/en/latest/developers/rest-api.html,
https://jupyter-client.readthedocs.io/en/stable/messaging.html#execute,
https://github.com/jupyter/terminado/blob/main/terminado/websocket.py
"""

from __future__ import annotations

import http.client
import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from imagekit.checks.check import AnswerError, afterwards
from imagekit.checks.transport import QUIET
from imagekit.wait import Deadline, NotYetError, until

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

BASE = "/jupyter"
"""The path below which Jupyter is, on its own port and on the desktop's."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer; ``location`` is empty unless it leads elsewhere."""

    status: int
    location: str
    body: bytes


class Notebook:
    """One Jupyter Server, as whoever has a token sees it.

    Args:
        address: host name and port.
        token: for all that asks for one.
        deadline: when to give up; everything raises ``TimeoutError`` then.
        base: the path below which it is; empty for ``/``.
    """

    def __init__(
        self, address: tuple[str, int], token: str, deadline: Deadline, base: str = BASE
    ) -> None:
        self._base = base
        self._address = address
        self._token = token
        self._deadline = deadline

    def request(self, method: str, path: str, token: str | None = None) -> Answer:
        """One request; redirects are not followed.

        Args:
            method: HTTP's.
            path: whole, so usually with the base.
            token: another token than the client's own.

        Raises:
            OSError: the server cannot be reached, or it did not answer in time.
            AnswerError: what came back is not HTTP.
        """
        connection = http.client.HTTPConnection(*self._address, timeout=self._deadline.timeout())
        try:
            connection.request(method, path, headers=_headers(token or self._token))
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers.get("Location", ""), answer.read())
        except http.client.HTTPException as error:
            if isinstance(error, ConnectionError):
                raise
            raise AnswerError(f"no HTTP at {path}: {error!r}") from error
        finally:
            connection.close()

    def await_version(self) -> str:
        """What the server says of itself to everyone, as soon as it is up.

        Raises:
            OSError: it was not up in time.
            AnswerError: something else answers there.
        """
        return until(self._version, self._deadline)

    def _version(self) -> str:
        try:
            answer = self.request("GET", f"{self._base}/api")
        except ConnectionError as error:
            raise NotYetError(str(error) or "Jupyter closes connections") from error
        if answer.status >= 500:  # a proxy in front of it, too
            raise NotYetError(f"status {answer.status} at {self._base}/api")
        try:
            return str(json.loads(answer.body)["version"])
        except (ValueError, LookupError, TypeError) as error:
            raise AnswerError(
                f"status {answer.status} and no version at {self._base}/api"
            ) from error

    def compute(self, code: str) -> str:
        """What Python code prints in a kernel of its own.

        Raises:
            OSError: as for ``request``.
            AnswerError: there is no kernel, or the code raised an exception.
        """
        with (
            self._made("kernels", "id") as kernel,
            self._channel(f"api/kernels/{kernel}/channels") as channel,
        ):
            request = _execute_request(code)
            channel.send(json.dumps(request))
            printed = ""
            while True:
                message = json.loads(channel.recv(timeout=self._deadline.timeout()))
                if message["parent_header"].get("msg_id") != request["header"]["msg_id"]:
                    continue
                kind, content = message["header"]["msg_type"], message["content"]
                if kind == "stream":
                    printed += content["text"]
                elif kind == "error":
                    raise AnswerError(f"{content['ename']}: {content['evalue']}")
                elif kind == "status" and content["execution_state"] == "idle":
                    return printed

    def type(self, command: str) -> str:
        """What a terminal of its own shows until its shell ends, the command's echo included.

        Raises:
            OSError: as for ``request``.
            AnswerError: there is no terminal.
        """
        with (
            self._made("terminals", "name") as terminal,
            self._channel(f"terminals/websocket/{terminal}") as channel,
        ):
            channel.send(json.dumps(["stdin", f"{command}\rexit\r"]))
            shown = ""
            while True:
                kind, *data = json.loads(channel.recv(timeout=self._deadline.timeout()))
                if kind == "disconnect":
                    return shown
                if kind == "stdout":
                    shown += data[0]

    @contextmanager
    def _made(self, kind: str, key: str) -> Iterator[str]:
        """A new kernel or terminal, taken away in the end."""
        path = f"{self._base}/api/{kind}"
        answer = self.request("POST", path)
        got = f"status {answer.status} for a new one at {path}: {answer.body[-300:]!r}"
        if answer.status not in {200, 201}:
            raise AnswerError(got)
        try:
            name = str(json.loads(answer.body)[key])
        except (ValueError, LookupError, TypeError) as error:
            raise AnswerError(got) from error
        # Maybe not there any more, which is all right: a terminal goes when its shell ends.
        with afterwards(lambda: self.request("DELETE", f"{path}/{name}")):
            yield name

    @contextmanager
    def _channel(self, path: str) -> Iterator[ClientConnection]:
        from websockets.exceptions import WebSocketException  # noqa: PLC0415 (slow import)
        from websockets.sync.client import connect  # noqa: PLC0415

        host, port = self._address
        try:
            with connect(
                f"ws://{host}:{port}{self._base}/{path}",
                additional_headers=_headers(self._token),
                open_timeout=self._deadline.timeout(),
                close_timeout=1,
                max_size=1 << 20,
                proxy=None,
                logger=QUIET,
            ) as channel:
                yield channel
        except WebSocketException as error:
            raise AnswerError(f"no WebSocket at {self._base}/{path}: {error}") from error


def _headers(token: str) -> dict[str, str]:
    return {"Authorization": f"token {token}"}


def _execute_request(code: str) -> dict[str, Any]:
    return {
        "header": {
            "msg_id": uuid.uuid4().hex,
            "msg_type": "execute_request",
            "username": "",
            "session": uuid.uuid4().hex,
            "date": "",
            "version": "5.3",
        },
        "parent_header": {},
        "metadata": {},
        "content": {"code": code, "silent": False, "store_history": False, "allow_stdin": False},
        "channel": "shell",
        "buffers": [],
    }
