"""Text from a container, made fit to be shown: any bytes may have come."""

from __future__ import annotations

import re

MOST = 256_000
"""Characters of one text that a form shows at most, its last ones."""

# Colours, cursor movements, titles: CSI, OSC, and short sequences (ECMA-48, 5.3 and 5.4, https://ecma-international.org/publications-and-standards/standards/ecma-48/).
_SEQUENCE = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]+[0-~]|[0-Z\\^_`-~])"
)
_LINE_END = re.compile(r"\r\n?")

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
# What no XML document may hold (https://www.w3.org/TR/xml/#charsets), what drives a terminal,
# and what makes text read differently from what it is (bidirectional controls, UAX #9). C0
# controls have pictures of their own, from U+2400 on.
_SHOWN: dict[int, str] = {
    **{code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in "\t\n"},
    0x7F: "\N{SYMBOL FOR DELETE}",
    **dict.fromkeys(range(0x80, 0xA0), _REPLACEMENT),
    **dict.fromkeys((0x061C, 0x200E, 0x200F), _REPLACEMENT),
    **dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A)), _REPLACEMENT),
    **dict.fromkeys((*range(0xD800, 0xE000), 0xFFFE, 0xFFFF), _REPLACEMENT),
}


def shown(text: str, most: int = MOST) -> str:
    r"""A text without terminal sequences, and with something visible for each control.

    Tabs and line ends stay, as ``\t`` and ``\n``. Of what is longer than ``most``
    characters the last ones are kept, after a line that says so.
    """
    left_out = len(text) - most
    note = f"… {left_out} characters before this are left out\n" if left_out > 0 else ""
    kept = text[left_out:] if left_out > 0 else text
    kept = _LINE_END.sub("\n", _SEQUENCE.sub("", kept))
    return note + kept.translate(_SHOWN)


def last_lines(text: str, count: int) -> str:
    """The last lines of a text."""
    return "\n".join(text.splitlines()[-count:])
