"""Keys sent to a desktop, as the browser's keyboard sends them.

Source: RFC 6143, section 7.5.4 (KeyEvent), and X.org's keysymdef.h for the numbers:
printable ASCII stands for itself.
"""

from __future__ import annotations

import struct
import time

from imagekit.checks.rfb import Client

RETURN = 0xFF0D
CONTROL = 0xFFE3

_KEY_SECONDS = 0.04
"""Between two keys: a person's fastest. Programs ask the input method about each of them."""


def type_text(client: Client, text: str) -> None:
    """Press and release one key after another."""
    for letter in text:
        press(client, ord(letter))


def press(client: Client, key: int, held: int = 0) -> None:
    """Press and release a key, while another one is held when it is not 0."""
    if held:
        _event(client, held, down=True)
    _event(client, key, down=True)
    _event(client, key, down=False)
    if held:
        _event(client, held, down=False)
    time.sleep(_KEY_SECONDS)


def _event(client: Client, key: int, *, down: bool) -> None:
    client.send(struct.pack("!BBxxI", 4, down, key))
