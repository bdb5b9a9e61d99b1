import socket
import ssl
import threading
from collections.abc import Callable
from typing import Any

import pytest

from imagekit.checks.check import AnswerError
from imagekit.checks.transport import TcpStream, connect, secured, websocket
from imagekit.wait import Deadline


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_connect_waits_for_a_listener() -> None:
    port = closed_port()
    servers: list[socket.socket] = []
    timer = threading.Timer(0.15, lambda: servers.append(socket.create_server(("127.0.0.1", port))))
    timer.start()
    with connect(("127.0.0.1", port), Deadline.after(5)):
        pass
    timer.join()
    servers[0].close()


def test_connect_gives_up_at_the_deadline() -> None:
    with pytest.raises(TimeoutError, match="nobody listens"):
        connect(("127.0.0.1", closed_port()), Deadline.after(0.05))


def test_tcp_stream() -> None:
    ours, theirs = socket.socketpair()
    with ours:
        stream = TcpStream(ours)
        stream.send(b"ping")
        assert theirs.recv(10) == b"ping"
        with pytest.raises(TimeoutError):
            stream.receive(Deadline.after(0.02))
        theirs.close()
        with pytest.raises(EOFError):
            stream.receive(Deadline.after(1))


def test_websocket_carries_bytes(desktop_server: Callable[..., Any], fake_desktop: Any) -> None:
    address = desktop_server(fake_desktop(anyone=True))
    with websocket(address, "/websockify", Deadline.after(5)) as stream:
        assert stream.receive(Deadline.after(5)) == b"RFB 003.008\n"


def test_path_without_a_websocket(desktop_server: Callable[..., Any], fake_desktop: Any) -> None:
    address = desktop_server(fake_desktop())
    with (
        pytest.raises(AnswerError, match="404 Not Found"),
        websocket(address, "/nothing", Deadline.after(5)),
    ):
        pass


@pytest.mark.parametrize("reads", [False, True])
@pytest.mark.parametrize("tls", [False, True])
def test_server_that_hangs_up_on_the_upgrade(tls: bool, reads: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up() -> None:
            connection, _ = server.accept()
            if reads:
                connection.recv(1 << 16)
            connection.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        with (
            pytest.raises(ConnectionError),
            websocket(server.getsockname()[:2], "/websockify", Deadline.after(5), tls=tls),
        ):
            pass
        thread.join()


def test_tls_that_ends_in_the_handshake_is_a_connection_that_broke() -> None:
    ours, theirs = socket.socketpair()
    theirs.shutdown(socket.SHUT_WR)
    with ours, theirs, pytest.raises(ConnectionResetError, match="in TLS's handshake"):
        secured(ours)


def test_tls_that_is_none_is_no_connection_that_broke() -> None:
    ours, theirs = socket.socketpair()
    theirs.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    with ours, theirs, pytest.raises(ssl.SSLError) as failed:
        secured(ours)
    assert not isinstance(failed.value, ConnectionError)
