"""What a YAML parser complains of, in words that say what to change.

Both of PyYAML's parsers are read: libyaml's, and the one in Python that stands in where
libyaml is missing. What neither is known to say is shown as it is.
"""

from __future__ import annotations

import re

# What a parser says (its context and its problem in one text): what is wrong, and what to
# do. ``{begin}`` stands for the place where the construct begins. The first match counts.
_WORDS: tuple[tuple[str, str, str], ...] = (
    (
        r"flow sequence .*expected ',' or '\]'",
        "expected , or ]",
        "the list that begins at {begin} is not closed before this",
    ),
    (
        r"flow mapping .*expected ',' or '\}'",
        "expected , or }",
        "the mapping that begins at {begin} is not closed before this",
    ),
    (
        r"scalar found unexpected (end of stream|document)",
        "a quote is not closed",
        "it begins at {begin}",
    ),
    (
        r"unknown escape character|hexdecimal|hexadecimal",
        "no such escape sequence",
        "in double quotes a backslash begins one; use single quotes for the character itself",
    ),
    (
        r"mapping values are not allowed",
        "a colon where none can be",
        'quote a value that holds ": "; else a colon is missing before this, or the indent is off',
    ),
    (
        r"(block )?sequence entries are not allowed",
        "a list item where none can be",
        "begin the list on a line of its own",
    ),
    (
        r"scanning a simple key.*could not find expected ':'",
        "a key without a colon",
        "write key: value",
    ),
    (
        r"block collection .*(expected '-'|expected <block end>)",
        "expected a new item of the list here",
        "the list begins at {begin}; its items begin in the same column",
    ),
    (
        r"block mapping .*(expected key|expected <block end>)",
        "expected a new key here",
        "the mapping begins at {begin}; its keys begin in the same column, one a line",
    ),
    (
        r"tab character|'\\t'",
        "a tab in the indentation",
        "indent with spaces, not tabs",
    ),
    (
        r"cannot start any token",
        "a value cannot begin with this character",
        "put the value in quotes",
    ),
    (
        r"block scalar ",
        "after | or > comes a line break",
        "begin the text on the next line, indented",
    ),
    (
        r"expected (the )?node content",
        "a value cannot begin with this character",
        "put the value in quotes",
    ),
    (
        r"scanning an alias",
        "a value cannot begin with *",
        "put the value in quotes",
    ),
    (
        r"scanning an anchor",
        "a value cannot begin with &",
        "put the value in quotes",
    ),
    (
        r"(scanning|parsing) a tag|tag handle",
        "a value cannot begin with !",
        "put the value in quotes",
    ),
    (
        r"directive|incompatible YAML document",
        "directives are not allowed",
        "remove the lines that begin with %",
    ),
    (
        r"expected '?<document start>",
        "something follows the end of the document",
        "remove it, or a bracket too many before it",
    ),
)

# What comes along when text is copied from a web page or a word processor, or typed with an
# input method.
_UNSEEN = re.compile(r"\s*([\ufeff\u00a0\u200b\u2003\u3000])")
_WIDE_COLON = "\uff1a"


def explained(said: str, begin: str, before: str, line: str) -> tuple[str, str]:
    """What is wrong, and what to do.

    Args:
        said: the parser's words, context and problem.
        begin: where the construct begins, for instance ``line 3, column 8``; may be empty.
        before: the text of the line before the one that the parser stopped at.
        line: the text of that line.
    """
    if line.startswith("\t"):
        return "a tab in the indentation", "indent with spaces, not tabs"
    if unseen := _UNSEEN.match(line) or _UNSEEN.match(before):
        what = f"an invisible character U+{ord(unseen[1]):04X} in the indentation"
        return what, "write plain spaces, here or in the line before"
    if _WIDE_COLON in before + line:
        what = f"a colon of another script ({_WIDE_COLON})"
        return what, "write : and a space, here or in the line before"
    for pattern, what, hint in _WORDS:
        if re.search(pattern, said):
            return what, hint.replace("{begin}", begin or "the line before")
    return said, ""
