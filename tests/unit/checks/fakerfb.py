"""What an X server does for a viewer that has joined: pictures, sizes, and the clipboard."""

from __future__ import annotations

import json
import struct
import threading
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

EXTENDED_DESKTOP_SIZE = -308
EXTENDED_CLIPBOARD = -1063131698  # 0xC0A1E5CE

Send = Callable[[bytes], object]


class Viewer:
    """One that has joined; every message of its comes in one piece."""

    def __init__(self, desktop: Any, send: Send) -> None:
        self.desktop = desktop
        self.send = send
        self.encodings: tuple[int, ...] = ()
        self.owed = False  # the whole picture
        self.result: tuple[int, int, int] | None = None

    def hear(self, message: bytes) -> None:
        kind = message[0]
        board = self.desktop.clipboard
        if kind == 2:
            self.encodings = struct.unpack(f"!{(len(message) - 4) // 4}i", message[4:])
            if board and EXTENDED_CLIPBOARD in self.encodings:
                board.greet(self.send)
        elif kind == 3:
            self.update(incremental=bool(message[1]))
        elif kind == 6 and board:
            board.hear(message)
        elif kind == 251:
            self.resize(message)

    def update(self, *, incremental: bool) -> None:
        self.owed |= not incremental
        if self.result is not None:
            self.layout(1, *self.result)
            self.result = None
        elif not incremental and self.desktop.resizable and EXTENDED_DESKTOP_SIZE in self.encodings:
            # As TigerVNC: in an update without pixels, which answers the request.
            self.layout(0, 0, self.desktop.width, self.desktop.height)
        elif self.owed:
            self.owed = False
            self.picture()

    def layout(self, reason: int, status: int, width: int, height: int) -> None:
        head = struct.pack("!HHHHi", reason, status, width, height, EXTENDED_DESKTOP_SIZE)
        screen = struct.pack("!IHHHHI", 7, 0, 0, width, height, 9)
        self.send(struct.pack("!BxH", 0, 1) + head + struct.pack("!B3x", 1) + screen)

    def resize(self, message: bytes) -> None:
        width, height, count = struct.unpack("!xxHHBx", message[:8])
        screen = struct.unpack("!IHHHHI", message[8:])
        assert (count, screen) == (1, (7, 0, 0, width, height, 9)), "its own id and flags"
        self.result = (self.desktop.resize_status, width, height)
        if self.desktop.resize_status == 0 and not self.desktop.stays:
            self.desktop.width, self.desktop.height = width, height

    def picture(self) -> None:
        """Two rectangles after a bell and some clipboard, in uneven pieces."""
        width, height = self.desktop.width, self.desktop.height
        self.send(b"\x02" + struct.pack("!BxxxI", 3, 4) + b"text")
        half = height // 2
        out = bytearray(struct.pack("!BxH", 0, 2))
        for top, rows in ((0, half), (half, height - half)):
            out += struct.pack("!HHHHi", 0, top, width, rows, 0)
            for y in range(top, top + rows):
                for x in range(width):
                    colour = 0 if self.desktop.blank else (x << 8) | y
                    out += struct.pack("<I", 0xFF000000 | colour)
        self.send(bytes(out[:7]))
        self.send(bytes(out[7:]))


@dataclass
class FakeClipboard:
    """The desktop's clipboard, between a viewer and the programs in the container.

    Attributes:
        speaks: whether the X server has the extension.
        gives: whether it passes on what programs copy.
        takes: whether it passes on what the viewer copies.
        alphabet: what becomes of each text on the way.
    """

    speaks: bool = True
    gives: bool = True
    takes: bool = True
    alphabet: Callable[[str], str] = str
    send: Send = lambda _data: None
    copied: str = ""
    offered: threading.Event = field(default_factory=threading.Event)
    provided: threading.Event = field(default_factory=threading.Event)

    def greet(self, send: Send) -> None:
        self.send = send
        if self.speaks:
            self.say(0x1F000001, struct.pack("!I", 1 << 20))

    def say(self, flags: int, data: bytes = b"") -> None:
        body = struct.pack("!I", flags) + data
        self.send(struct.pack("!Bxxxi", 3, -len(body)) + body)

    def hear(self, message: bytes) -> None:
        (length,) = struct.unpack("!i", message[4:8])
        assert -length == len(message) - 8
        (flags,) = struct.unpack("!I", message[8:12])
        if flags == 1 << 27 | 1:  # notify
            self.offered.set()
        elif flags == 1 << 25 | 1:  # request
            data = self.alphabet(self.copied).encode() + b"\0"
            self.say(1 << 28 | 1, zlib.compress(struct.pack("!I", len(data)) + data))
        elif flags == 1 << 28 | 1:  # provide
            plain = zlib.decompress(message[12:])
            self.copied = self.alphabet(plain[4:].rstrip(b"\0").decode())
            self.provided.set()

    def execute(
        self, argv: Sequence[str], user: str = "", timeout: float = 20.0
    ) -> tuple[int, str]:
        """A program of the desktop that copies or pastes."""
        assert argv[0] == "/usr/bin/env"
        assert user == "lab"
        mode, text = argv[-3], bytes.fromhex(argv[-2]).decode()
        seconds = min(timeout, float(argv[-1]))
        if mode == "copy":
            self.copied = text
            if self.gives:
                self.say(1 << 27 | 1)
            return 0, f"imagekit:{json.dumps(self.offered.wait(seconds))}"
        if self.takes:
            self.say(1 << 25 | 1)
        found = self.provided.wait(min(seconds, 0.5) if not self.takes else seconds)
        return 0, "imagekit:" + json.dumps(self.copied if found else None)

    def logs(self) -> str:
        return ""
