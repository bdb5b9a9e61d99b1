"""Jupyter Lab: opens with the token and with no other, and a kernel computes."""

from __future__ import annotations

import http.client
import json
import uuid
from typing import Any

from imagekit.checks.check import AnswerError, CheckFailedError, CheckSkippedError, Data, asking
from imagekit.checks.subject import Subject
from imagekit.names import JUPYTER_PORT
from imagekit.wait import Deadline, NotYetError, until

_LOG = "the container's log, lines of ServerApp"
_WRONG = "imagekit-wrong-token"

_CODE = "import os, sys; print(1 + 1, sys.prefix, os.environ.get('LANG'), sep='|')"


def check_jupyter(subject: Subject, deadline: Deadline) -> Data:
    """The page opens, a wrong token does not, and a kernel of the environment adds 1 and 1."""
    plan = subject.plan
    if not plan.jupyter or plan.python is None:
        raise CheckSkippedError("the plan has no Jupyter")
    token = subject.secrets.jupyter_token
    with asking("Jupyter's page", _LOG):
        address = subject.address(JUPYTER_PORT)
        version = until(lambda: _version(address, deadline), deadline)
        refused = _status(address, "/api/kernels", _WRONG, deadline)
        page = _status(address, "/lab", token, deadline)
    if refused not in {401, 403}:
        raise CheckFailedError("a refusal of a wrong token", f"status {refused}", _LOG)
    if page != 200:
        raise CheckFailedError("Jupyter Lab's page with the token", f"status {page}", _LOG)
    with asking("a kernel's answer", _LOG):
        said = _compute(address, token, deadline)
    expected = f"2|{plan.python.prefix}|{plan.locale.lang}"
    if said.strip() != expected:
        raise CheckFailedError(f"{expected!r} from a kernel", repr(said[-500:]), _LOG)
    return {"jupyter_server": version, "kernel": said.strip(), "wrong_token": "refused"}


def _version(address: tuple[str, int], deadline: Deadline) -> str:
    """What the server says of itself to everyone; not yet, while it is starting."""
    try:
        status, body = _request(address, "GET", "/api", "", deadline)
    except (ConnectionError, http.client.HTTPException) as error:
        raise NotYetError(str(error) or "Jupyter closes connections") from error
    if status != 200:
        raise NotYetError(f"Jupyter answers {status}")
    return str(json.loads(body).get("version", ""))


def _status(address: tuple[str, int], path: str, token: str, deadline: Deadline) -> int:
    return _request(address, "GET", path, token, deadline)[0]


def _request(
    address: tuple[str, int], method: str, path: str, token: str, deadline: Deadline
) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(*address, timeout=deadline.timeout())
    try:
        connection.request(method, path, headers=_headers(token))
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def _headers(token: str) -> dict[str, str]:
    return {"Authorization": f"token {token}"} if token else {}


def _compute(address: tuple[str, int], token: str, deadline: Deadline) -> str:
    """Start a kernel, run the code there, end the kernel; what the code printed.

    https://jupyter-server.readthedocs.io/en/latest/developers/rest-api.html,
    https://jupyter-client.readthedocs.io/en/stable/messaging.html#execute
    """
    status, body = _request(address, "POST", "/api/kernels", token, deadline)
    if status != 201:
        raise AnswerError(f"status {status} for a new kernel: {body[-300:]!r}")
    kernel = json.loads(body)["id"]
    try:
        return _run(address, f"/api/kernels/{kernel}/channels", token, deadline)
    finally:
        _request(address, "DELETE", f"/api/kernels/{kernel}", token, deadline)


def _run(address: tuple[str, int], path: str, token: str, deadline: Deadline) -> str:
    from websockets.exceptions import WebSocketException  # noqa: PLC0415 (slow import)
    from websockets.sync.client import connect  # noqa: PLC0415

    request = _execute_request(_CODE)
    identity = request["header"]["msg_id"]
    printed = ""
    try:
        with connect(
            f"ws://{address[0]}:{address[1]}{path}",
            additional_headers=_headers(token),
            open_timeout=deadline.timeout(),
            max_size=1 << 20,
            proxy=None,
        ) as channel:
            channel.send(json.dumps(request))
            while True:
                message = json.loads(channel.recv(timeout=deadline.timeout()))
                if message["parent_header"].get("msg_id") != identity:
                    continue
                kind, content = message["header"]["msg_type"], message["content"]
                if kind == "stream":
                    printed += content["text"]
                elif kind == "error":
                    raise AnswerError(f"{content['ename']}: {content['evalue']}")
                elif kind == "status" and content["execution_state"] == "idle":
                    return printed
    except WebSocketException as error:
        raise AnswerError(f"no WebSocket to the kernel: {error}") from error


def _execute_request(code: str) -> dict[str, Any]:
    session = uuid.uuid4().hex
    return {
        "header": {
            "msg_id": uuid.uuid4().hex,
            "msg_type": "execute_request",
            "username": "",
            "session": session,
            "date": "",
            "version": "5.3",
        },
        "parent_header": {},
        "metadata": {},
        "content": {"code": code, "silent": False, "store_history": False, "allow_stdin": False},
        "channel": "shell",
        "buffers": [],
    }
