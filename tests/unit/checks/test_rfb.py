import struct
from collections.abc import Callable

import pytest

from imagekit.checks.rfb import Client, Frame, RefusedError, RfbError
from imagekit.wait import Deadline

SERVER_INIT = struct.pack("!HH16xI", 2, 1, 4) + b"name"


class Script:
    """A stream that says what it was told to, a few bytes at a time, and then ends."""

    def __init__(self, says: bytes) -> None:
        self.says = says
        self.heard = b""

    def send(self, data: bytes) -> None:
        self.heard += data

    def receive(self, deadline: Deadline) -> bytes:
        deadline.timeout()
        if not self.says:
            raise EOFError("the connection was closed")
        piece, self.says = self.says[:3], self.says[3:]
        return piece


@pytest.fixture
def client() -> Callable[[bytes], tuple[Client, Script]]:
    def make(says: bytes) -> tuple[Client, Script]:
        script = Script(says)
        return Client(script, Deadline.after(5)), script

    return make


Make = Callable[[bytes], tuple[Client, Script]]


def test_handshake_gives_the_security_types(client: Make) -> None:
    rfb, script = client(b"RFB 003.008\n\x02\x02\x13")
    assert rfb.read_banner() == "003.008"
    assert rfb.handshake() == (2, 19)
    assert script.heard == b"RFB 003.008\n"


def test_server_without_security_types_says_why(client: Make) -> None:
    rfb, _ = client(b"RFB 003.008\n\x00" + struct.pack("!I", 8) + b"too many")
    with pytest.raises(RefusedError, match="too many"):
        rfb.handshake()


@pytest.mark.parametrize("banner", [b"SSH-2.0-Open", b"RFB 003.003\n"])
def test_another_protocol_is_told(client: Make, banner: bytes) -> None:
    with pytest.raises(RfbError):
        client(banner)[0].handshake()


def test_wrong_password_is_refused_with_the_servers_reason(client: Make) -> None:
    rfb, script = client(bytes(16) + struct.pack("!II", 1, 3) + b"no!")
    with pytest.raises(RefusedError) as caught:
        rfb.authenticate("secret")
    assert caught.value.reason == "no!"
    assert "secret" not in str(caught.value)
    assert len(script.heard) == 17


def started(client: Make, after: bytes) -> Client:
    rfb, _ = client(SERVER_INIT + after)
    screen = rfb.start()
    assert (screen.width, screen.height, screen.name) == (2, 1, "name")
    return rfb


def raw(x: int, y: int, width: int, height: int, pixels: bytes) -> bytes:
    return struct.pack("!HHHHi", x, y, width, height, 0) + pixels


def test_frame_is_read_over_several_updates(client: Make) -> None:
    one = struct.pack("!BxH", 0, 1)
    rfb = started(
        client,
        one
        + raw(0, 0, 1, 1, b"\1\2\3\xff")
        + b"\x02"  # a bell in between
        + struct.pack("!BxHH6x", 1, 0, 1)  # and a colour map
        + one
        + raw(1, 0, 1, 1, b"\1\2\3\x00"),
    )
    frame = rfb.read_frame()
    assert frame == Frame(2, 1, b"\1\2\3\0\1\2\3\0")
    assert frame.colours() == 1


def test_another_size_begins_the_frame_again(client: Make) -> None:
    resized = struct.pack("!BxH", 0, 1) + struct.pack("!HHHHi", 0, 0, 1, 1, -223)
    rfb = started(client, resized + struct.pack("!BxH", 0, 1) + raw(0, 0, 1, 1, bytes(4)))
    assert rfb.read_frame() == Frame(1, 1, bytes(4))


@pytest.mark.parametrize(
    "says",
    [
        struct.pack("!BxH", 0, 1) + raw(1, 0, 2, 1, b""),  # outside
        struct.pack("!BxH", 0, 1) + struct.pack("!HHHHi", 0, 0, 1, 1, 7),  # not asked for
        struct.pack("!BxH", 0, 1) + struct.pack("!HHHHi", 0, 0, 65535, 65535, -223),  # too large
        struct.pack("!BxxxI", 3, 1 << 31),  # a clipboard of 2 GiB
        b"\xf0",  # unknown
    ],
)
def test_nonsense_is_refused(client: Make, says: bytes) -> None:
    with pytest.raises(RfbError):
        started(client, says).read_frame()


def test_name_and_size_are_bounded(client: Make) -> None:
    for init in (struct.pack("!HH16xI", 2, 1, 1 << 31), struct.pack("!HH16xI", 0, 1, 0)):
        with pytest.raises(RfbError):
            client(init)[0].start()


def test_end_of_the_connection_is_told(client: Make) -> None:
    with pytest.raises(EOFError):
        client(b"RFB 003")[0].handshake()
