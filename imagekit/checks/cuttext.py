"""The extended clipboard of RFB: text in any language, as noVNC and TigerVNC exchange it.

Source: https://github.com/rfbproto/rfbproto/blob/master/rfbproto.rst, "Extended Clipboard
Pseudo-Encoding". Whoever has a new text says so (notify), and gives it to whom asks for it
(request, provide): so does noVNC 1.7.0 (core/rfb.js, _handleExtendedClipboard).
"""

from __future__ import annotations

import struct
import zlib

from imagekit.checks.check import AnswerError
from imagekit.checks.rfb import Client

# Encodings are signed.
EXTENDED_CLIPBOARD = 0xC0A1E5CE - (1 << 32)

_TEXT = 1
_FORMATS = 0xFFFF
_CAPS, _REQUEST, _PEEK, _NOTIFY, _PROVIDE = (1 << bit for bit in range(24, 29))
_MOST_TEXT = 1 << 20


class Clipboard:
    """The client's side of the clipboard that it shares with the desktop.

    Attributes:
        spoken: whether the server speaks the extension.
        received: the last text that the desktop gave; None before the first.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._own = ""
        self.spoken = False
        self.received: str | None = None

    def offer(self, text: str) -> None:
        """Tell the desktop that there is a new text; it is given when it is asked for."""
        self._own = text
        self._send(_NOTIFY | _TEXT)

    def serve(self, seconds: float) -> None:
        """Answer one message of the server's, or wait for one.

        Raises:
            AnswerError: what came is against the protocol.
            EOFError: the server closed the connection.
            OSError: it is gone, or did not end its message in time.
        """
        if not self._client.heard(seconds):
            return
        cut = self._client.next_cut_text()
        if cut is not None and cut.extended:
            self._answer(cut.content)

    def _answer(self, message: bytes) -> None:
        if len(message) < 4:
            raise AnswerError(f"{len(message)} bytes of extended clipboard")
        (flags,) = struct.unpack("!I", message[:4])
        if flags & _CAPS:
            self.spoken = True
            # As noVNC: text alone, and none of it unasked.
            actions = _CAPS | _REQUEST | _PEEK | _NOTIFY | _PROVIDE
            self._send(actions | _TEXT, struct.pack("!I", 0))
        elif flags & _REQUEST and flags & _TEXT:
            self._send(_PROVIDE | _TEXT, _packed(self._own))
        elif flags & _PEEK:
            self._send(_NOTIFY | (_TEXT if self._own else 0))
        elif flags & _NOTIFY and flags & _TEXT:
            self._send(_REQUEST | _TEXT)
        elif flags & _PROVIDE and flags & _TEXT:
            self.received = _unpacked(message[4:])

    def _send(self, flags: int, data: bytes = b"") -> None:
        body = struct.pack("!I", flags) + data
        self._client.send(struct.pack("!Bxxxi", 6, -len(body)) + body)


def _packed(text: str) -> bytes:
    """Lines end with CR LF, and the text with a zero that counts."""
    data = text.replace("\n", "\r\n").encode() + b"\0"
    return zlib.compress(struct.pack("!I", len(data)) + data)


def _unpacked(data: bytes) -> str:
    try:
        plain = zlib.decompressobj().decompress(data, _MOST_TEXT)
    except zlib.error as error:
        raise AnswerError(f"a clipboard that is not packed as it should: {error}") from error
    if len(plain) < 4:
        raise AnswerError("a clipboard without its length")
    (length,) = struct.unpack("!I", plain[:4])
    text = plain[4 : 4 + length].rstrip(b"\0").decode(errors="replace")
    return text.replace("\r\n", "\n")
