"""Requests whose answer is a stream of JSON lines, read as they come."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Mapping, Sequence
from typing import Any

import requests

from imagekit.engine.connection import Engine
from imagekit.engine.faults import RAW, disk_full, fault, in_words, is_timeout, shorten
from imagekit.errors import EngineError, Message

_CHUNK = 65536  # bytes per read
_MAX_LINE = 16 * 1024 * 1024  # bytes; the engine's own lines stay below 1 MiB
_MAX_BODY = 65536  # bytes of a refusal that are read


class RefusedError(EngineError):
    """The engine answered with an error status instead of a stream.

    Attributes:
        status: the HTTP status.
        text: the engine's message.
    """

    def __init__(self, where: str, status: int, text: str) -> None:
        self.status = status
        self.text = text
        what = f"the engine answered {status}: {shorten(text) or 'nothing'}"
        super().__init__(Message(where, what, disk_full(text)))


class LostError(EngineError):
    """The connection to the engine broke."""


class IdleError(LostError):
    """The engine said nothing for too long."""


def post(  # noqa: PLR0913 - an HTTP request has that many parts
    engine: Engine,
    path: str,
    *,
    params: Sequence[tuple[str, str]],
    idle_timeout: float,
    headers: Mapping[str, str] | None = None,
    body: Any = None,
) -> Generator[dict[str, Any], None, None]:
    """Send a request and give its answer's JSON objects as they arrive.

    Close the generator to close the connection, which also cancels the work.

    Args:
        engine: the engine.
        path: the API's path without its version.
        params: the query; names may repeat.
        idle_timeout: seconds of silence that count as a failure.
        headers: additional headers.
        body: bytes, a file or an iterable of bytes.

    Yields:
        One JSON object per line.

    Raises:
        RefusedError: the status is not 2xx.
        IdleError: ``idle_timeout`` passed without a byte.
        LostError: the connection broke.
        EngineError: the answer is not JSON.
    """
    api = engine.client.api
    try:
        # The first time-out also limits how long the engine may leave the body unread.
        response = api.post(
            f"{api.base_url}/v{engine.api_version}{path}",
            params=params,
            data=body,
            headers=headers,
            stream=True,
            timeout=(idle_timeout, idle_timeout),
        )
    except RAW as error:
        raise _lost(engine, error, idle_timeout) from error
    try:
        if not response.ok:
            raise _refusal(engine, response)
        try:
            yield from _objects(engine, response.iter_content(_CHUNK))
        except RAW as error:
            raise _lost(engine, error, idle_timeout) from error
    finally:
        response.close()


def _objects(engine: Engine, chunks: Iterable[bytes]) -> Generator[dict[str, Any], None, None]:
    """The JSON objects of a body in pieces."""
    rest = bytearray()
    for chunk in chunks:
        rest += chunk
        # Only a new piece can hold a line end, so a long line is not searched again.
        if b"\n" not in chunk:
            if len(rest) > _MAX_LINE:
                raise EngineError(
                    Message(engine.where, f"the engine sent a line of over {_MAX_LINE} bytes")
                )
            continue
        *lines, last = bytes(rest).split(b"\n")
        rest = bytearray(last)
        for line in lines:
            if line.strip():
                yield _object(engine, line)
    if rest.strip():
        yield _object(engine, bytes(rest))


def _object(engine: Engine, line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError as error:
        raise _garbage(engine, line) from error
    if not isinstance(found, dict):
        raise _garbage(engine, line)
    return found


def _garbage(engine: Engine, line: bytes) -> EngineError:
    text = shorten(line[:200].decode(errors="replace"), 80)
    return EngineError(
        Message(
            engine.where,
            f"the engine's answer is not what its API promises: {text!r}",
            "check that a Docker Engine listens there, and its log",
        )
    )


def _lost(engine: Engine, error: Exception, idle_timeout: float) -> LostError:
    if is_timeout(error):
        return IdleError(Message(engine.where, f"the engine said nothing for {idle_timeout:g} s"))
    return LostError(fault(engine.where, error).messages)


def _refusal(engine: Engine, response: requests.Response) -> RefusedError:
    """The error of an answer that is no stream."""
    with in_words(engine.where):
        body = next(response.iter_content(_MAX_BODY), b"")
    try:
        text = str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        text = body.decode(errors="replace")
    return RefusedError(engine.where, response.status_code, text)
