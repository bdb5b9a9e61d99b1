"""Any text can be shown."""

from __future__ import annotations

import sys
import time

import pytest

from imagekit.checks.forms.text import last_lines, shown


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("plain 你好 😀\ttab\nline", "plain 你好 😀\ttab\nline"),
        ("a\r\nb\rc", "a\nb\nc"),
        (
            "\x1b[1;31mred\x1b[0m \x1b]0;title\x07x \x1b]8;;http://a\x1b\\y \x1b(B\x1bM!",
            "red x y !",
        ),
        ("\x00\x08\x1f\x7f", "␀␈␟␡"),
        ("\x1b", "␛"),
        ("\x9b31m\x85", "\ufffd31m\ufffd"),
        ("\udc80\ufffe\uffff", "\ufffd" * 3),
        ("a\u202eb\u2066c\u200f", "a\ufffdb\ufffdc\ufffd"),
    ],
)
def test_shown(text: str, seen: str) -> None:
    assert shown(text) == seen


def test_nothing_is_left_that_xml_or_a_terminal_minds() -> None:
    every = "".join(map(chr, range(0x20000)))
    left = {char for char in shown(every, len(every)) if not char.isprintable()}
    # What is neither assigned nor printable by Unicode's tables is no control.
    assert {char for char in left if ord(char) < 0xA0} == {"\t", "\n"}
    assert not any(0xD800 <= ord(char) < 0xE000 for char in left)


def test_of_a_long_text_the_end_is_kept() -> None:
    seen = shown("x" * 5_000_000 + "\nthe end", 1000)
    note, kept, end = seen.split("\n")
    assert note == "… 4999008 characters before this are left out"
    assert (set(kept), len(kept), end) == ({"x"}, 992, "the end")


@pytest.mark.parametrize("part", ["\x1b]", "\x1b[", "\x1b[0", "\x1b]0;\x1b"])
def test_sequences_without_an_end_take_no_time(part: str) -> None:
    text = part * (5_000_000 // len(part))
    begun = time.process_time()
    shown(text, sys.maxsize)
    assert time.process_time() - begun < 20  # quadratic would be hours


def test_last_lines() -> None:
    assert last_lines("a\nb\nc\n", 2) == "b\nc"
    assert last_lines("", 2) == ""
