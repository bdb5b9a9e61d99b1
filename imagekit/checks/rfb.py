"""A small client of the remote framebuffer protocol, version 3.8, over any byte stream.

Sources: RFC 6143 (https://www.rfc-editor.org/rfc/rfc6143), whose section is named where
each message is read or written, and for the sizes of the desktop the community's
https://github.com/rfbproto/rfbproto/blob/master/rfbproto.rst, "SetDesktopSize" and
"ExtendedDesktopSize Pseudo-encoding". Everything that a server says about sizes is bounded.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from imagekit.checks.check import AnswerError
from imagekit.checks.transport import Stream
from imagekit.checks.vncauth import CHALLENGE_BYTES, respond
from imagekit.wait import Deadline

NO_AUTHENTICATION = 1
VNC_AUTHENTICATION = 2

_VERSION = b"RFB 003.008\n"
_VERSION_FORM = re.compile(rb"RFB \d{3}\.\d{3}\n")
_BYTES_PER_PIXEL = 4
_RAW = 0
_DESKTOP_SIZE = -223
_EXTENDED_DESKTOP_SIZE = -308
_BY_THIS_CLIENT = 1
_RESIZE_ERRORS = {1: "resize is administratively prohibited", 2: "out of resources"}
_SCREEN_BYTES = 16
_LARGEST_SIDE = 16384
_LARGEST_AREA = 64 << 20
_LONGEST_TEXT = 4096
_LONGEST_CLIPBOARD = 1 << 20


class RfbError(AnswerError):
    """The server does not speak RFB 3.8 as the RFC has it."""


class RefusedError(RfbError):
    """The server refused the authentication. ``reason`` is its own text, maybe empty."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"refused: {reason}" if reason else "refused")


@dataclass(frozen=True, slots=True)
class Screen:
    """What the server says of itself: size in pixels and the desktop's name."""

    width: int
    height: int
    name: str


@dataclass(frozen=True, slots=True)
class Frame:
    """A whole picture.

    Attributes:
        width: pixels.
        height: pixels.
        pixels: rows from the top, 4 bytes a pixel: blue, green, red, and a zero.
    """

    width: int
    height: int
    pixels: bytes

    @property
    def size(self) -> str:
        """As in ``1600x900``."""
        return f"{self.width}x{self.height}"

    def colours(self) -> int:
        """How many distinct colours it has."""
        return len(set(memoryview(self.pixels).cast("I")))


@dataclass(frozen=True, slots=True)
class CutText:
    """What the server says of its clipboard.

    Attributes:
        extended: whether it is a message of the extended clipboard, or Latin-1 text.
        content: the message's bytes.
    """

    extended: bool
    content: bytes


class Client:
    """One connection, used in the order handshake, authenticate, start, and then the rest.

    All methods raise ``RfbError`` for an answer against the protocol, ``EOFError`` when
    the server closes the connection, and ``OSError`` (``TimeoutError`` among them).
    """

    def __init__(self, stream: Stream, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline
        self._buffer = bytearray()
        self._width = self._height = 0
        self._version = ""
        # The first screen's id and flags, once the server has told that it can be resized.
        self._screen: tuple[int, int] | None = None
        self._resized: int | None = None  # the status of our last SetDesktopSize

    def read_banner(self) -> str:
        """The server's version, such as ``003.008`` (section 7.1.1); read once, then kept."""
        if not self._version:
            banner = self._read(len(_VERSION))
            if not _VERSION_FORM.fullmatch(banner):
                raise RfbError(f"no RFB banner but {banner!r}")
            self._version = banner[4:11].decode()
        return self._version

    def handshake(self) -> tuple[int, ...]:
        """Agree on version 3.8 and learn which security types are offered (7.1.1, 7.1.2).

        Raises:
            RefusedError: the server offers none and says why.
        """
        version = self.read_banner()
        if version != "003.008":
            raise RfbError(f"RFB {version} where 003.008 was due")
        self._stream.send(_VERSION)
        (count,) = self._unpack("!B")
        if count == 0:
            raise RefusedError(self._text())
        return tuple(self._read(count))

    def authenticate(self, password: str) -> None:
        """Choose VNC authentication and answer its challenge (7.1.2, 7.2.2, 7.1.3).

        Raises:
            RefusedError: the password is wrong, or the server refuses for another reason.
        """
        self._stream.send(bytes([VNC_AUTHENTICATION]))
        self._stream.send(respond(password, self._read(CHALLENGE_BYTES)))
        (result,) = self._unpack("!I")
        if result != 0:
            raise RefusedError(self._text())

    def start(self, extensions: Sequence[int] = ()) -> Screen:
        """Join the desktop beside others, and fix pixel format and encodings (7.3, 7.5.1-2).

        Args:
            extensions: pseudo-encodings beside those of the desktop's size.
        """
        self._stream.send(b"\x01")
        self._resize(*self._unpack("!HH"))
        self._read(16)  # the server's own pixel format, replaced below
        screen = Screen(self._width, self._height, self._text())
        # SetPixelFormat: 32 bits a pixel, depth 24, little-endian, true colour.
        self._stream.send(struct.pack("!B3x4B3H3B3x", 0, 32, 24, 0, 1, 255, 255, 255, 16, 8, 0))
        encodings = (_RAW, _DESKTOP_SIZE, _EXTENDED_DESKTOP_SIZE, *extensions)
        self._stream.send(struct.pack(f"!BxH{len(encodings)}i", 2, len(encodings), *encodings))
        return screen

    def read_frame(self) -> Frame:
        """Ask for the whole picture and read until every pixel was sent (7.5.3, 7.6.1)."""
        self._request()
        pixels = bytearray(self._width * self._height * _BYTES_PER_PIXEL)
        seen = bytearray(self._width * self._height)
        while True:
            drawn = False
            for rectangle in self._next_update():
                if rectangle is None:  # another size: begin again
                    pixels = bytearray(self._width * self._height * _BYTES_PER_PIXEL)
                    seen = bytearray(self._width * self._height)
                    drawn = False
                else:
                    self._paint(rectangle, pixels, seen)
                    drawn = True
            if not drawn:
                # A size alone answers a request too, and each for the whole picture. What
                # was asked for is owed all the same.
                self._request(incremental=True)
            if 0 not in seen:
                pixels[3::_BYTES_PER_PIXEL] = bytes(len(seen))  # the unused byte may be anything
                return Frame(self._width, self._height, bytes(pixels))

    def resize(self, width: int, height: int) -> None:
        """Ask for another size of the desktop, as a browser's page does for its window.

        Raises:
            RfbError: the server knows no other size, or refuses this one.
        """
        self.read_frame()  # with which a server tells that it can be resized
        if self._screen is None:
            raise RfbError("no ExtendedDesktopSize: this server keeps its size")
        self._resized = None
        number, flags = self._screen
        layout = struct.pack("!IHHHHI", number, 0, 0, width, height, flags)
        self._stream.send(struct.pack("!BxHHBx", 251, width, height, 1) + layout)
        if status := self._await_status():
            why = _RESIZE_ERRORS.get(status, f"status {status}")
            raise RfbError(f"a refusal of {width}x{height}: {why}")

    def heard(self, seconds: float) -> bool:
        """Whether the server begins to say something within some seconds."""
        if not self._buffer:
            try:
                self._buffer += self._stream.receive(
                    Deadline.after(self._deadline.timeout(seconds))
                )
            except TimeoutError:
                return False
        return True

    def next_cut_text(self) -> CutText | None:
        """Read one message; None when it is another (7.6.2 to 7.6.4).

        Not while an update is asked for.
        """
        kind = self._unpack("!B")[0]
        if kind == 3:
            return self._cut_text()
        if kind == 0:
            for rectangle in self._rectangles():
                if rectangle is not None:
                    raise RfbError("pixels that were not asked for")
            return None
        self._skip_message(kind)
        return None

    def send(self, message: bytes) -> None:
        """Send a message of the client's, for instance a key (7.5.4)."""
        self._stream.send(message)

    def _await_status(self) -> int:
        """Read on until the server says what came of SetDesktopSize; 0 for the new size."""
        while True:
            self._request(incremental=True)
            for rectangle in self._next_update():
                if rectangle is not None:
                    self._read(rectangle[2] * rectangle[3] * _BYTES_PER_PIXEL)
            if self._resized is not None:
                return self._resized

    def _request(self, *, incremental: bool = False) -> None:
        self._stream.send(struct.pack("!BBHHHH", 3, incremental, 0, 0, self._width, self._height))

    def _next_update(self) -> Iterator[tuple[int, int, int, int] | None]:
        """The rectangles of the next update, whose pixels are yet to be read; None: resized."""
        while (kind := self._unpack("!B")[0]) != 0:
            self._skip_message(kind)
        yield from self._rectangles()

    def _rectangles(self) -> Iterator[tuple[int, int, int, int] | None]:
        """Those of an update whose type was read."""
        (count,) = self._unpack("!xH")
        for _ in range(count):
            x, y, width, height, encoding = self._unpack("!HHHHi")
            if encoding == _RAW:
                yield x, y, width, height
                continue
            if encoding == _EXTENDED_DESKTOP_SIZE:
                applies = self._read_layout(reason=x, status=y)
            elif encoding == _DESKTOP_SIZE:  # section 7.8.2
                applies = True
            else:
                raise RfbError(f"a rectangle in encoding {encoding}, which was not asked for")
            if applies and (width, height) != (self._width, self._height):
                self._resize(width, height)
                yield None

    def _read_layout(self, reason: int, status: int) -> bool:
        """Read the screens of an ExtendedDesktopSize; whether its size holds now."""
        (count,) = self._unpack("!B3x")
        screens = self._read(count * _SCREEN_BYTES)
        if count:
            number, flags = struct.unpack("!I8xI", screens[:_SCREEN_BYTES])
            self._screen = (number, flags)
        if reason != _BY_THIS_CLIENT:
            return True
        self._resized = status
        return status == 0

    def _paint(
        self, rectangle: tuple[int, int, int, int], pixels: bytearray, seen: bytearray
    ) -> None:
        """Read raw pixels (section 7.7.1) into their place."""
        x, y, width, height = rectangle
        if x + width > self._width or y + height > self._height:
            raise RfbError(f"a rectangle outside of {self._width}x{self._height} pixels")
        row = width * _BYTES_PER_PIXEL
        data = self._read(row * height)
        for line in range(height):
            start = (y + line) * self._width + x
            at = start * _BYTES_PER_PIXEL
            pixels[at : at + row] = data[line * row : (line + 1) * row]
            seen[start : start + width] = b"\1" * width

    def _skip_message(self, kind: int) -> None:
        """Read over what a client need not understand (7.6.2 to 7.6.4)."""
        if kind == 1:  # SetColourMapEntries
            (count,) = self._unpack("!xxxH")
            self._read(count * 6)
        elif kind == 3:
            self._cut_text()
        elif kind != 2:  # 2 is Bell, which has no more bytes
            raise RfbError(f"an unknown message of type {kind}")

    def _cut_text(self) -> CutText:
        """ServerCutText; a negative length is the extended clipboard's (see ``cuttext``)."""
        (length,) = self._unpack("!xxxi")
        if abs(length) > _LONGEST_CLIPBOARD:
            raise RfbError(f"{abs(length)} bytes of clipboard")
        return CutText(length < 0, self._read(abs(length)))

    def _resize(self, width: int, height: int) -> None:
        if not 0 < width <= _LARGEST_SIDE or not 0 < height <= _LARGEST_SIDE:
            raise RfbError(f"a desktop of {width}x{height} pixels")
        if width * height > _LARGEST_AREA:
            raise RfbError(f"a desktop of {width}x{height} pixels")
        self._width, self._height = width, height

    def _text(self) -> str:
        (length,) = self._unpack("!I")
        if length > _LONGEST_TEXT:
            raise RfbError(f"a text of {length} bytes")
        return self._read(length).decode(errors="replace")

    def _unpack(self, form: str) -> tuple[int, ...]:
        return struct.unpack(form, self._read(struct.calcsize(form)))

    def _read(self, count: int) -> bytes:
        while len(self._buffer) < count:
            self._buffer += self._stream.receive(self._deadline)
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        return data
