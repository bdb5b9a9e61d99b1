"""An HTTP request to the engine that turns into a two-way stream of bytes.

requests can neither repeat a header nor hand over an upgraded connection, so the
request is written by hand on a connection that docker-py's adapter opens. That
connection is a plain socket (unix, tcp), an ``ssl.SSLSocket`` or a paramiko channel
(ssh); ``Wire`` gives all of them one face to asyncio, which accepts only the first.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from typing import Protocol, cast

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool
from urllib3.connection import HTTPConnection

from imagekit.engine.connection import Engine, knock
from imagekit.engine.faults import in_words, shorten
from imagekit.errors import EngineError, Message

_CHUNK = 65536  # bytes per read
_MAX_HEAD = 65536  # bytes of an answer's headers
_TIMEOUT = 30.0  # seconds to connect and to be answered


class RawSocket(Protocol):
    """What a socket, an SSL socket and a paramiko channel have in common."""

    def recv(self, size: int, /) -> bytes:
        """Up to ``size`` bytes; none at the end."""

    def send(self, data: memoryview, /) -> int:
        """Send some of ``data``; how much of it."""

    def sendall(self, data: bytes, /) -> None:
        """Send ``data``."""

    def settimeout(self, seconds: float | None, /) -> None:
        """How long the others wait; 0.0 is not at all."""

    def fileno(self) -> int:
        """A descriptor that is readable when there is something to receive."""

    def close(self) -> None:
        """End it."""


class Wire:
    """A two-way stream of bytes for one asyncio event loop.

    One coroutine may read and another one write at the same time.
    """

    def __init__(self, sock: RawSocket, early: bytes = b"") -> None:
        """Take over ``sock``; ``early`` is what was received of the stream already."""
        self._sock = sock
        self._early = early
        sock.settimeout(0.0)

    async def read(self) -> bytes:
        """The next bytes; empty at the end.

        Raises:
            OSError: the connection broke.
        """
        if self._early:
            early, self._early = self._early, b""
            return early
        while True:
            try:
                return self._sock.recv(_CHUNK)
            except (BlockingIOError, ssl.SSLWantReadError):
                await self._readable()
            except ssl.SSLWantWriteError:
                await asyncio.sleep(0.01)
            except TimeoutError as error:
                if error.errno:  # the network's own time-out, not "nothing there yet"
                    raise
                await self._readable()

    async def write(self, data: bytes) -> None:
        """Send all of ``data``.

        Raises:
            OSError: the connection broke.
        """
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[self._sock.send(rest) :]
            except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                # Session messages are small and rarely fill a socket's buffer, and a
                # paramiko channel has no descriptor that tells when it takes more.
                await asyncio.sleep(0.01)
            except TimeoutError as error:
                if error.errno:
                    raise
                await asyncio.sleep(0.01)

    def close(self) -> None:
        """End the stream; the loop must no longer wait for it."""
        self._sock.close()

    async def _readable(self) -> None:
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        fd = self._sock.fileno()
        loop.add_reader(fd, ready.set)
        try:
            await ready.wait()
        finally:
            loop.remove_reader(fd)


def upgrade(engine: Engine, path: str, headers: Sequence[tuple[str, str]]) -> Wire:
    """Ask the engine to turn a connection into a stream (RFC 9110, section 7.8).

    Args:
        engine: the engine.
        path: the API's path without its version, for instance ``/session``.
        headers: all headers but Host and Connection; names may repeat.

    Returns:
        The stream after ``101 Switching Protocols``. The caller closes it.

    Raises:
        EngineError: the connection failed, or the engine refused.
    """
    head = [
        f"POST /v{engine.api_version}{path} HTTP/1.1",
        "Host: docker",
        "Connection: Upgrade",
        "Content-Length: 0",
        *(f"{name}: {value}" for name, value in headers),
    ]
    with in_words(engine.where):
        knock(engine.address)
        sock = _open(engine)
        try:
            sock.settimeout(_TIMEOUT)
            sock.sendall("\r\n".join([*head, "", ""]).encode("ascii"))
            answer, early = _read_head(sock)
            _check(engine, path, answer, early)
            return Wire(sock, early)
        except BaseException:
            sock.close()
            raise


def _check(engine: Engine, path: str, answer: str, body: bytes) -> None:
    """Raise unless the status line ``answer`` agrees to the upgrade."""
    if answer.split(" ")[1:2] != ["101"]:
        text = shorten(f"{answer} {body.decode(errors='replace')}", 200).strip()
        raise EngineError(
            Message(engine.where, f"the engine refused {path}: {text or 'no answer'}")
        )


def _open(engine: Engine) -> RawSocket:
    """A fresh connection of the kind that docker-py uses for this engine."""
    api = engine.client.api
    request = requests.Request("POST", f"{api.base_url}/session").prepare()
    # requests' own adapter and docker-py's have this method; the base class has not.
    adapter = cast("HTTPAdapter", api.get_adapter(url=str(request.url)))
    pool = cast(
        "HTTPConnectionPool",
        adapter.get_connection_with_tls_context(request, verify=api.verify, cert=api.cert),
    )
    # The hook that urllib3's pools, docker-py's among them, make connections with.
    connection = cast("HTTPConnection", pool._new_conn())
    connection.connect()
    return cast("RawSocket", connection.sock)


def _read_head(sock: RawSocket) -> tuple[str, bytes]:
    """An answer's status line, and what was received after its headers."""
    data = b""
    while b"\r\n\r\n" not in data and len(data) < _MAX_HEAD:
        chunk = sock.recv(_CHUNK)
        if not chunk:
            break
        data += chunk
    head, _, rest = data.partition(b"\r\n\r\n")
    return head.split(b"\r\n")[0].decode("latin-1"), rest
