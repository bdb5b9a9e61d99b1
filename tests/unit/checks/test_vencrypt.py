import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from imagekit.checks.rfb import RefusedError, RfbError
from imagekit.checks.vencrypt import X509_PLAIN, login
from imagekit.wait import Deadline

PASSWORD = "correct 密码"


@pytest.fixture
def server(tls_context: ssl.SSLContext) -> Iterator[Callable[..., Any]]:
    """Servers of VeNCrypt that know one password; give their address."""
    listeners = []

    def start(types: bytes = b"\x13\x02", subtypes: tuple[int, ...] = (X509_PLAIN, 2)) -> Any:
        plain = socket.create_server(("127.0.0.1", 0))
        listeners.append(plain)

        def speak() -> None:
            while True:
                connection, _ = plain.accept()
                with connection, suppress(AssertionError):  # the client went away
                    assert negotiate(connection, types, subtypes)
                    with tls_context.wrap_socket(connection, server_side=True) as secure:
                        authenticate(secure)

        def run() -> None:
            with suppress(OSError):  # the test is over
                speak()

        threading.Thread(target=run, daemon=True).start()
        return plain.getsockname()

    yield start
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def negotiate(connection: socket.socket, types: bytes, subtypes: tuple[int, ...]) -> bool:
    connection.sendall(b"RFB 003.008\n")
    assert connection.recv(12) == b"RFB 003.008\n"
    connection.sendall(bytes([len(types)]) + types)
    if not types:
        reason = b"Too many security failures"
        connection.sendall(struct.pack("!I", len(reason)) + reason)
    assert connection.recv(1) == b"\x13"
    connection.sendall(b"\0\2")
    assert connection.recv(2) == b"\0\2"
    connection.sendall(
        b"\0" + bytes([len(subtypes)]) + struct.pack(f"!{len(subtypes)}I", *subtypes)
    )
    chosen = connection.recv(4)
    assert chosen == struct.pack("!I", X509_PLAIN)
    connection.sendall(b"\1")
    return True


def authenticate(secure: socket.socket) -> None:
    user, password = b"lab", PASSWORD.encode()
    right = struct.pack("!II", len(user), len(password)) + user + password
    if secure.recv(1000) == right:
        secure.sendall(bytes(4))
    else:
        secure.sendall(struct.pack("!II", 1, 3) + b"no!")


def test_the_password_opens_and_offers_are_told(server: Any) -> None:
    offer = login(server(), "lab", PASSWORD, Deadline.after(5))
    assert (offer.types, offer.subtypes) == ((19, 2), (X509_PLAIN, 2))


def test_a_wrong_password_is_refused(server: Any) -> None:
    with pytest.raises(RefusedError, match="no!"):
        login(server(), "lab", "wrong", Deadline.after(5))


def test_a_server_that_offers_nothing_says_why(server: Any) -> None:
    with pytest.raises(RfbError, match="no security types: Too many security fail") as failed:
        login(server(types=b""), "lab", PASSWORD, Deadline.after(5))
    assert not isinstance(failed.value, RefusedError), "no password was looked at"


@pytest.mark.parametrize(
    ("offered", "message"),
    [
        ({"types": b"\x02"}, r"no VeNCrypt among the security types \(2,\)"),
        ({"subtypes": (2,)}, r"no X509Plain among VeNCrypt's subtypes \(2,\)"),
    ],
)
def test_another_way_in_is_told(server: Any, offered: dict[str, Any], message: str) -> None:
    with pytest.raises(RfbError, match=message):
        login(server(**offered), "lab", PASSWORD, Deadline.after(5))
