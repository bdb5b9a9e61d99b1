"""YAML files as located text: what arrives, and what is refused with its place."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest
import yaml

from imagekit import document
from imagekit.document import Document, Mapping, Scalar, Sequence
from imagekit.errors import InputError

MOMENT = 10.0
"""Seconds of CPU; a trick that works takes minutes, and a busy machine is no trick."""


def messages(text: str) -> list[str]:
    """Everything that is wrong with a text, whether it can be read or not."""
    try:
        return [str(problem.message) for problem in document.parse(text, "f").problems]
    except InputError as error:
        return [str(message) for message in error.messages]


def value(text: str) -> str:
    """The text of the scalar under ``a``."""
    node = document.parse(text, "f").root.get("a")
    assert isinstance(node, Scalar)
    return node.text


# What YAML 1.1 would turn into something else.
VERBATIM = [
    "3.10",
    "10.0",
    "3.1",
    "1e3",
    "22:22",
    "0755",
    "0o755",
    "1_000",
    "12345678",
    ".nan",
    ".inf",
    "-.inf",
    "no",
    "NO",
    "yes",
    "on",
    "off",
    "true",
    "null",
    "~",
    "2024-01-01",
    "2024-01-01T00:00:00Z",
    "0x10",
    "+1",
    "=",
    "1.",
    "中文",
    "{{7*7}}x",
]


@pytest.mark.parametrize("text", VERBATIM)
def test_a_scalar_keeps_its_written_text(text: str) -> None:
    written = f'"{text}"' if text.startswith("{") else text
    assert value(f"a: {written}") == text


@pytest.mark.parametrize("text", ["~", "null", ""])
def test_only_a_plain_nothing_is_missing(text: str) -> None:
    node = document.parse(f"a: {text}\nb: '{text}'", "f").root
    plain, quoted = node.get("a"), node.get("b")
    assert isinstance(plain, Scalar)
    assert isinstance(quoted, Scalar)
    assert (plain.is_missing, quoted.is_missing) == (True, False)


def test_values_remember_where_they_were_written() -> None:
    root = document.parse("a: 1\nb:\n  - x\n  - {c: d}\n", "f").root
    listed = root.get("b")
    assert isinstance(listed, Sequence)
    inner = listed.items[1]
    assert isinstance(inner, Mapping)
    assert str(inner.entries[0].mark) == "f:4:6"
    assert str(inner.entries[0].value.mark) == "f:4:9"
    assert [str(entry.mark) for entry in root.entries] == ["f:1:1", "f:2:1"]


def test_columns_count_characters_not_bytes() -> None:
    node = document.parse("中文中文: x\na: {中: 1, b: 2}", "f").root.get("a")
    assert isinstance(node, Mapping)
    assert str(node.entries[1].mark) == "f:2:11"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\na: 2", 'f:2:1: key "a" again; first at line 1'),
        ("x:\n  a: 1\n  a: 2", 'f:3:3: key "a" again; first at line 2'),
        ("a: &a 1", "f:1:4: anchors (&name) are not allowed\n  hint: write the value out"),
        ("a: *a", "f:1:4: aliases (*name) are not allowed\n  hint: write the value out"),
        ("a: {<<: 1}", "f:1:5: merge keys (<<) are not allowed\n  hint: write the value out"),
        ("a: !!binary aGk=", "tags (tag:yaml.org,2002:binary) are not allowed"),
        ("a: !vault x", "f:1:4: tags (!vault) are not allowed\n  hint: write the plain value"),
        ("a: ! x", "f:1:4: tags (!) are not allowed"),
        ("!!map {a: 1}", "f:1:1: tags"),
        ("", "f: expected a mapping (key: value), found nothing"),
        ("# only a comment", "f: expected a mapping (key: value), found nothing"),
        ("- a", "f: expected a mapping (key: value), found a list"),
        ("word", 'f: expected a mapping (key: value), found "word"'),
        ("a:\n\tb: 1", "f:2:1: not valid YAML"),
        ('a: "\\x1b[31m"', "f:1:4: control character U+001B\n  hint: remove it"),
        ('a: "\\0"', "f:1:4: control character U+0000"),
        ('a: "\\N"', "f:1:4: control character U+0085"),
        ('a: "x\\L"', "f:1:4: control character U+2028"),
        ('a: "x\\u2029y"', "f:1:4: control character U+2029"),
        ('a: "\\ud800"', "f:1:7: not valid YAML"),
        ('"\\e": 1', "f:1:1: control character U+001B"),
        ("a: x\x00y", "f:1:5: control character U+0000"),
        ("b: 1\na: x\x7fy", "f:2:5: control character U+007F"),
        ("a: \u2028y", "f:1:4: control character U+2028"),
        ("a: abc\u202edef", "f:1:7: control character U+202E"),
        ("a: \u2066x", "f:1:4: control character U+2066"),
        ("a: x\ufffe", "f:1:5: control character U+FFFE"),
        ('a: "\\uFFFF"', "f:1:4: control character U+FFFF"),
        ("a: !%1b[2J x", "f:1:8: not valid YAML"),
        ("a: !%1bx y", "tags (!\\x1bx) are not allowed"),
        ("[a]: x", "f:1:1: a key must be text, found a list"),
        ("? {a: 1}\n: x", "f:1:3: a key must be text, found a mapping"),
        ("%YAML 1.1\n---\na: 1", "YAML directives are not allowed"),
        ("%TAG ! tag:x,2000:\n---\na: 1", "YAML directives are not allowed"),
        ("a: 1\n---\nb: 2", "f:2:1: a second document\n  hint: one a file"),
        ("a: [1", "not valid YAML"),
        ("a: 'x", "not valid YAML"),
        ("a: @x", "not valid YAML"),
        ("a: {b: c", "not valid YAML"),
        ("a: b: c", "not valid YAML"),
    ],
)
def test_what_could_hide_a_mistake_is_refused_with_its_place(text: str, message: str) -> None:
    found = messages(text)
    assert len(found) == 1
    assert message in found[0]
    assert found[0].startswith("f:")


def test_a_tab_in_the_indentation_is_called_a_tab() -> None:
    assert "tab" in messages("a:\n\tb: 1")[0]


# What people get wrong, and what both of PyYAML's parsers have to make of it.
SYNTAX = [
    ("a: [1", "expected , or ]", "the list that begins at line 1, column 4"),
    ("a: {b: c", "expected , or }", "the mapping that begins at line 1, column 4"),
    ("a: 'x", "a quote is not closed", "it begins at line 1, column 4"),
    ("a: '\n---\n'", "a quote is not closed", "it begins at line 1, column 4"),
    ('a: "\\q"', "no such escape sequence", "single quotes"),
    ('a: "\\u12"', "no such escape sequence", "single quotes"),
    ("a: @x", "cannot begin with this character", "quotes"),
    ("a: %x", "cannot begin with this character", "quotes"),
    ("a: ]", "cannot begin with this character", "quotes"),
    ("a: b: c", "a colon where none can be", "quote a value"),
    ("a:\n  b: 1\n c: 2", "expected a new key here", "line 1, column 1"),
    ("a:\n  - x\n y: 1", "expected a new key here", "line 1, column 1"),
    ('a: "b" c', "expected a new key here", "line 1, column 1"),
    ("- a\nb: 1", "expected a new item", "line 1, column 1"),
    ("a: x\nfoo\nb: 1", "a key without a colon", "key: value"),
    ("a: - x", "a list item where none can be", "a line of its own"),
    ("a: |x\n b", "after | or > comes a line break", "next line"),
    ("a: *", "cannot begin with *", "quotes"),
    ("a: &", "cannot begin with &", "quotes"),
    ("a: !<x", "cannot begin with !", "quotes"),
    ("a: !e!x y", "cannot begin with !", "quotes"),
    ("a:\n\tb: 1", "a tab in the indentation", "spaces"),
    ("a: b\n\tc", "a tab in the indentation", "spaces"),
    ("%YAML 9.9\n---\na: 1", "directives are not allowed", "%"),
    ("%YAML 1.1\n%YAML 1.1\n---\na: 1", "directives are not allowed", "%"),
    ("{a: 1}}", "something follows the end", "a bracket too many"),
    ("a:\n\u00a0- b\nc: 1", "an invisible character U+00A0 in the indentation", "spaces"),
    ("a: 1\nb：2\nc: 3", "a colon of another script", "write :"),
    ("a：\n  b: 2", "a colon of another script", "write :"),
]


@pytest.mark.parametrize("parser", ["CSafeLoader", "SafeLoader"])
@pytest.mark.parametrize(("text", "what", "hint"), SYNTAX)
def test_what_is_no_yaml_is_explained(
    monkeypatch: pytest.MonkeyPatch, parser: str, text: str, what: str, hint: str
) -> None:
    monkeypatch.setattr(yaml, "CSafeLoader", getattr(yaml, parser), raising=False)
    (found,) = messages(text)
    assert f"not valid YAML: {what}" in found or f"value {what}" in found
    assert hint in found.partition("\n  hint: ")[2]


@pytest.mark.parametrize("text", ["a: 1\n\rb", "a: 1\r\rb", "a: 1\r\n\r\nb", "\r\r\r:\r\r- ]"])
def test_lines_are_counted_as_yaml_counts_them(text: str) -> None:
    (found,) = messages(text)
    assert found.startswith(("f:3:", "f:4:", "f:5:", "f:6:")), found


def test_who_forgot_the_first_line_is_told() -> None:
    with pytest.raises(InputError, match="begin with site: 1"):
        document.parse("", "f", "site: 1")


def test_everything_wrong_is_said_at_once_in_file_order() -> None:
    found = messages("a: &x 1\nb: !t 2\nb: 3\nc: *x\n<<: 4")
    assert [message.partition(": ")[0] for message in found] == [
        "f:1:4",
        "f:2:4",
        "f:3:1",
        "f:4:4",
        "f:5:1",
    ]


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
MERGE_BOMB = "a0: &a0 {k: v}\n" + "".join(
    f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}\n" for n in range(1, 25)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOMB, "anchors"),
        (MERGE_BOMB, "anchors"),
        ("a: &a [*a]", "aliases"),
        ("a: " + "[" * 20, "f:1:19: nested more than 16 levels deep"),
        ("a: " + "[" * 200_000, "nested more than 16 levels deep"),
        ("a:\n  " + "- " * 100_000, "nested more than 16 levels deep"),
        ("? " * 100_000, "nested more than 16 levels deep"),
        ("{a: " * 60_000, "nested more than 16 levels deep"),
        ("".join(f"k{n}: 1\n" for n in range(6_000)), "f:2500:8: more than 5000 values"),
        ("a: [" + "x," * 6_000 + "]", "more than 5000 values in one file"),
        ("a: " + "9" * 5_000, ""),
        ("a: " + "x" * 250_000, ""),
        ("k" * 250_000 + ": 1", ""),
        ("a: '" + "''" * 100_000 + "'", ""),
        ("\n" * 250_000 + "a: 1", ""),
        ("a: |\n" + " x\n" * 80_000, ""),
    ],
)
def test_no_size_depth_or_alias_trick_takes_more_than_a_moment(text: str, message: str) -> None:
    began = time.process_time()
    found = messages(text)
    assert time.process_time() - began < MOMENT
    assert message in "\n".join(found)


def test_a_flood_of_control_characters_takes_no_more_than_a_moment() -> None:
    began = time.process_time()
    found = messages("\x01\n" * (document.MAX_BYTES // 2))
    assert time.process_time() - began < MOMENT
    assert len(found) < 1000  # nobody reads more


def test_garbage_is_refused_or_read_but_never_crashes() -> None:
    chance = random.Random(4)  # noqa: S311
    pieces = [
        *"abc:-?[]{}&*!|>'\"%@`#, \n\t\\~<",
        "- ",
        ": ",
        "\n  ",
        "中",
        "\ufeff",
        "\x85",
        "---\n",
    ]
    for _ in range(3_000):
        messages("".join(chance.choices(pieces, k=chance.randrange(1, 40))))


def test_a_file_is_read_as_utf8_with_or_without_a_mark(tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    for start in (b"", b"\xef\xbb\xbf"):
        file.write_bytes(start + "a: 中文\r\n".encode())
        loaded = document.load(file)
        assert isinstance(loaded, Document)
        assert loaded.problems == ()
        assert loaded.root.entries[0].key == "a"


def test_a_file_in_another_encoding_is_refused_where_it_begins_to_differ(tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    file.write_bytes(b"b: 1\na: \xd6\xd0\n")  # GBK
    with pytest.raises(InputError) as refused:
        document.load(file)
    assert str(refused.value) == f"{file}:2:4: not UTF-8\n  hint: save the file as UTF-8"


@pytest.mark.parametrize(
    ("data", "what"),
    [(b"a: 1\n" + b"#" * 300 * 1024, "larger than 256 KiB"), (None, "no such file")],
)
def test_files_that_cannot_be_read_are_refused(
    tmp_path: Path, data: bytes | None, what: str
) -> None:
    file = tmp_path / "f.yaml"
    if data is not None:
        file.write_bytes(data)
    with pytest.raises(InputError, match=what):
        document.load(file)


def test_a_file_of_the_largest_size_is_read(tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    file.write_bytes(b"a: 1\n".ljust(document.MAX_BYTES, b"#"))
    assert document.load(file).root.get("a") is not None


@pytest.mark.parametrize("kind", ["folder", "fifo", "device", "loop", "dangling"])
def test_what_is_no_regular_file_is_refused_without_being_opened(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "f.yaml"
    if kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)  # opening it would wait for a writer
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "loop":
        path.symlink_to(path)
    else:
        path.symlink_to(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"not a regular file|no such file"):
        document.load(path)


def test_a_path_that_is_too_long_is_refused() -> None:
    with pytest.raises(InputError):
        document.load(Path("a" * 5_000 + "/f.yaml"))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a", '"a"'),
        ('a"b\\', '"a\\"b\\\\"'),
        ("a\nb\x1b", '"a\\nb\\x1b"'),
        ("中文", '"中文"'),
        ("\u202e\ud800", '"\\u202e\\ud800"'),
        ("x" * 81, '"' + "x" * 79 + '…"'),
        ("x" * 80, '"' + "x" * 80 + '"'),
    ],
)
def test_values_are_shown_escaped_and_cut(text: str, shown: str) -> None:
    assert document.quote(text) == shown
