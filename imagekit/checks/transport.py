"""Byte streams that end in time: plain TCP, and a WebSocket that carries bytes."""

from __future__ import annotations

import logging
import socket
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from imagekit.checks.check import AnswerError
from imagekit.wait import Deadline, NotYetError, until

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

# A frame of Full HD pixels has 8 MiB; a proxy sends it in far smaller messages.
_LARGEST_MESSAGE = 32 << 20
_CHUNK = 1 << 16

NO_HEADERS: Mapping[str, str] = MappingProxyType({})

QUIET = logging.getLogger("imagekit.checks.websocket")
"""For websockets, which else prints tracebacks of connections that end to a user's terminal."""

QUIET.addHandler(logging.NullHandler())
QUIET.propagate = False


class UpgradeRefusedError(AnswerError):
    """The server answered a WebSocket's request with ``status``, an HTTP one, not 101.

    With it comes the reason phrase, in which the image's own bridge says what it lacks.
    """

    def __init__(self, path: str, status: int, phrase: str = "") -> None:
        self.status = status
        super().__init__(f"no WebSocket at {path}: {status} {phrase}".rstrip())


class Stream(Protocol):
    """Bytes in both directions."""

    def send(self, data: bytes) -> None:
        """Send everything.

        Raises:
            OSError: the connection is gone.
        """
        ...

    def receive(self, deadline: Deadline) -> bytes:
        """Some bytes, at least one.

        Raises:
            EOFError: the peer closed the connection.
            TimeoutError: nothing came in time.
            AnswerError: what came were not bytes.
        """
        ...


def connect(address: tuple[str, int], deadline: Deadline) -> socket.socket:
    """A TCP connection, tried again while nobody listens.

    An engine's proxy may accept for a service that is not up yet, so that a connection
    does not prove a service: only its first bytes do.

    Raises:
        OSError: there is no way to the address, or it never listened.
    """

    def attempt() -> socket.socket:
        try:
            return socket.create_connection(address, deadline.timeout())
        except ConnectionRefusedError as error:
            raise NotYetError(f"nobody listens on {address[0]} port {address[1]}") from error

    return until(attempt, deadline)


def unverified() -> ssl.SSLContext:
    """TLS with any certificate: those that containers make for themselves have no issuer."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    # Browsers offer it; nginx before 1.15.2 tells TLS by it (RFC 7301).
    context.set_alpn_protocols(["http/1.1"])
    return context


def secured(plain: socket.socket) -> ssl.SSLSocket:
    """TLS over a connection, with any certificate.

    Raises:
        ConnectionResetError: the server broke off before TLS came about, which the error of
            ``ssl`` does not say by its kind.
        OSError: TLS does not come about.
    """
    try:
        return unverified().wrap_socket(plain)
    except ssl.SSLEOFError as error:
        raise ConnectionResetError(f"broken off in TLS's handshake ({error})") from error


class TcpStream:
    """A byte stream over a connected socket."""

    __slots__ = ("_socket",)

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection

    def send(self, data: bytes) -> None:
        """See ``Stream``."""
        self._socket.sendall(data)

    def receive(self, deadline: Deadline) -> bytes:
        """See ``Stream``."""
        self._socket.settimeout(deadline.timeout())
        data = self._socket.recv(_CHUNK)
        if not data:
            raise EOFError("the connection was closed")
        return data


class WebSocketStream:
    """A byte stream over binary messages."""

    __slots__ = ("_connection",)

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    def send(self, data: bytes) -> None:
        """See ``Stream``."""
        from websockets.exceptions import ConnectionClosed  # noqa: PLC0415 (slow import)

        try:
            self._connection.send(data)
        except ConnectionClosed as error:
            raise ConnectionResetError("the WebSocket was closed") from error

    def receive(self, deadline: Deadline) -> bytes:
        """See ``Stream``."""
        from websockets.exceptions import ConnectionClosed  # noqa: PLC0415 (slow import)

        try:
            data = self._connection.recv(timeout=deadline.timeout())
        except ConnectionClosed as error:
            raise EOFError("the WebSocket was closed") from error
        if isinstance(data, str):
            raise AnswerError("a text message where bytes were due")
        return data


@contextmanager
def websocket(  # noqa: PLR0913 (a request's parts)
    address: tuple[str, int],
    path: str,
    deadline: Deadline,
    protocols: Sequence[str] = ("binary",),
    headers: Mapping[str, str] = NO_HEADERS,
    *,
    tls: bool = False,
) -> Iterator[WebSocketStream]:
    """A WebSocket to ``ws://address/path`` (RFC 6455, section 4.1), or ``wss``.

    Args:
        address: host name and port.
        path: absolute, on the server.
        deadline: for the upgrade.
        protocols: the subprotocols that are offered; ``binary`` is websockify's stream of
            bytes (https://github.com/novnc/websockify/wiki/Binary-data).
        headers: more headers of the request, such as ``Origin``.
        tls: over TLS, with any certificate.

    Raises:
        OSError: there is no way to the address.
        UpgradeRefusedError: the server answered with a status of another kind.
        AnswerError: the server did not agree to the upgrade.
    """
    from websockets.sync.client import connect as upgrade  # noqa: PLC0415 (slow import)
    from websockets.typing import Subprotocol  # noqa: PLC0415

    host, port = address
    connection = connect(address, deadline)
    try:
        if tls:
            connection.settimeout(deadline.timeout())
            connection = secured(connection)
        # A socket of our own, because a proxy of the environment must not be used here.
        with (
            _refusals(path),
            upgrade(
                f"ws://{host}:{port}{path}",
                sock=connection,
                subprotocols=[Subprotocol(name) for name in protocols],
                additional_headers=dict(headers),
                compression=None,
                open_timeout=deadline.timeout(),
                close_timeout=1,
                max_size=_LARGEST_MESSAGE,
                logger=QUIET,
            ) as client,
        ):
            yield WebSocketStream(client)
    finally:
        connection.close()


@contextmanager
def _refusals(path: str) -> Iterator[None]:
    """What the library says of an upgrade, in our own words."""
    from websockets.exceptions import (  # noqa: PLC0415 (slow import)
        ConnectionClosed,
        InvalidHandshake,
        InvalidMessage,
        InvalidStatus,
    )

    try:
        yield
    except (ConnectionClosed, InvalidMessage) as error:
        raise ConnectionResetError(f"no WebSocket at {path}: {error}") from error
    except InvalidStatus as error:
        answer = error.response
        raise UpgradeRefusedError(path, answer.status_code, answer.reason_phrase) from error
    except InvalidHandshake as error:
        raise AnswerError(f"no WebSocket at {path}: {error}") from error
