"""Text that people and terminals can be shown, and characters that no file may hold."""

from __future__ import annotations

import re
import unicodedata

_SPACES = "\n\r\t"
_LOGIN = re.compile(r"(?<=://)[^/@\s]+@")  # the user and password of an address


def quote(text: str) -> str:
    """Text for a message: in double quotes, escaped, cut at 80 characters, without passwords."""
    text = _LOGIN.sub("…@", text[:1000])  # more is not shown
    shown = text if len(text) <= 80 else text[:79] + "…"
    return '"' + printable(shown.replace("\\", "\\\\").replace('"', '\\"')) + '"'


def printable(text: str) -> str:
    """Text that is safe on a terminal: what is not printable becomes an escape sequence."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def first_control(text: str) -> str:
    """The first character that may not stand in a profile, or nothing."""
    return next((char for char in text if is_control(char)), "")


def is_control(char: str) -> bool:
    """Whether a character may not stand in a profile or site file.

    Refused are Unicode's categories Cc (controls), Cs (surrogates), Zl, Zp (line and
    paragraph separators), the two characters of the basic plane that YAML does not have,
    and the bidirectional controls of UAX #9, which make text read differently from what
    it is.
    """
    if char < "\x7f":
        return char < " " and char not in _SPACES
    return (
        unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"}
        or char in "\ufffe\uffff"
        or "\u202a" <= char <= "\u202e"
        or "\u2066" <= char <= "\u2069"
    )
