"""YAML files as located text: every value remembers where it was written.

Nothing is typed here. ``3.10`` stays ``3.10``, ``no`` stays ``no``; the schema
gives types later (``imagekit.validation``). What could hide a mistake or cost more
than a moment is refused: duplicate keys, tags, anchors, control characters, files
that are too large or too deep.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from imagekit.errors import InputError, Message
from imagekit.texts import first_control, is_control, printable, quote
from imagekit.yamlwords import explained

__all__ = [
    "MAX_BYTES",
    "MAX_DEPTH",
    "MAX_NODES",
    "Document",
    "Entry",
    "Mapping",
    "Mark",
    "Node",
    "Problem",
    "Scalar",
    "Sequence",
    "beyond",
    "describe",
    "first_control",
    "load",
    "parse",
    "printable",
    "quote",
    "refusal",
]

MAX_BYTES = 256 * 1024
MAX_DEPTH = 16
MAX_NODES = 5_000

_MAX_CONTROLS = 20  # reported of one file; more say nothing new
_BREAK = re.compile(r"\r\n|\r|\n")  # as YAML counts lines
_TAGGED = "write the plain value, in quotes where it begins with !"
_TOO_DEEP = re.compile("exceeded maximum nesting depth")
_SHARING = "write the value out; profiles share values with extends:"


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """A place in a file; lines and columns count from 1. Line 0 means the file as a whole."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        """``file:line:col``, as editors and compilers write it."""
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """Something wrong at a place; problems sort in file order."""

    mark: Mark
    what: str
    hint: str = ""

    @property
    def message(self) -> Message:
        """The problem as it is shown."""
        return Message(str(self.mark), self.what, self.hint)


def beyond(found: Iterable[Problem], more: Iterable[Problem]) -> tuple[Problem, ...]:
    """Of more problems those at places where nothing was found before, which says it all."""
    known = {problem.mark for problem in found}
    return tuple(problem for problem in more if problem.mark not in known)


def refusal(problems: Iterable[Problem]) -> InputError:
    """All problems as one error, in file order, each once."""
    return InputError(problem.message for problem in sorted(set(problems)))


def _nested(mark: Mark) -> InputError:
    return refusal([Problem(mark, f"nested more than {MAX_DEPTH} levels deep")])


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value as its text. ``quoted`` is false for a plain or block scalar."""

    text: str
    mark: Mark
    quoted: bool = True

    @property
    def is_missing(self) -> bool:
        """Whether nothing was written (``key:``), or YAML's words for that."""
        return not self.quoted and self.text in {"", "~", "null"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One key of a mapping."""

    key: str
    mark: Mark
    value: Node


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys and values in the order of the file."""

    entries: tuple[Entry, ...]
    mark: Mark
    _by_key: dict[str, Entry] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_key", {entry.key: entry for entry in self.entries})

    def entry(self, key: str) -> Entry | None:
        """The key and its value, or None."""
        return self._by_key.get(key)

    def get(self, key: str) -> Node | None:
        """The value of ``key``, or None."""
        found = self.entry(key)
        return found.value if found else None


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list.

    Attributes:
        items: its values.
        mark: where it begins.
        numbers: the places of the items in the lists that they were written in, where they
            are no longer their places here.
    """

    items: tuple[Node, ...]
    mark: Mark
    numbers: tuple[int, ...] = ()

    def number(self, index: int) -> int:
        """The place of an item in the list that it was written in."""
        return self.numbers[index] if self.numbers else index


Node: TypeAlias = Scalar | Mapping | Sequence


@dataclass(frozen=True, slots=True)
class Document:
    """A file's top mapping, and what is wrong with it although it can be read."""

    root: Mapping
    problems: tuple[Problem, ...]


def load(path: Path, first: str = "") -> Document:
    """Read a YAML file whose top level is a mapping.

    Args:
        path: a regular file, UTF-8, at most ``MAX_BYTES`` long.
        first: the line that such files begin with, for those who forgot it.

    Raises:
        InputError: the file cannot be read, is no YAML, or holds no mapping.
    """
    return parse(_read(path), printable(str(path)), first)


def parse(text: str, name: str, first: str = "") -> Document:
    """The same as ``load`` for text that is already there; ``name`` stands in messages.

    Raises:
        InputError: the text is no YAML, or holds no mapping.
    """
    parser = _Parser(name)
    parser.check_characters(text)
    root = parser.parse(text)
    if not isinstance(root, Mapping):
        found = "nothing" if root is None else describe(root)
        hint = f"begin with {first}" if first else ""
        parser.report(Mark(name), f"expected a mapping (key: value), found {found}", hint)
        raise refusal(parser.problems)
    return Document(root, tuple(parser.problems))


def describe(node: Node) -> str:
    """What a node is, in a person's words, for messages: ``"x"``, ``a list``, ``a mapping``."""
    if isinstance(node, Mapping):
        return "a mapping"
    if isinstance(node, Sequence):
        return "a list"
    return "no value" if node.is_missing else quote(node.text)


def _read(path: Path) -> str:
    name = printable(str(path))
    try:
        if not path.exists():
            raise InputError(Message(name, "no such file"))
        if not path.is_file():  # a FIFO or a device would block or never end
            raise InputError(Message(name, "not a regular file"))
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(Message(name, f"cannot be read: {error.strerror}")) from error
    if len(data) > MAX_BYTES:
        raise InputError(Message(name, f"larger than {MAX_BYTES // 1024} KiB"))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        where = str(Mark(name, line, column))
        raise InputError(Message(where, "not UTF-8", "save the file as UTF-8")) from error


class _Parser:
    """Turns parse events into nodes and collects what is wrong on the way."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.problems: list[Problem] = []
        self.nodes = 0

    def report(self, mark: Mark, what: str, hint: str = "") -> None:
        self.problems.append(Problem(mark, what, hint))

    def check_characters(self, text: str) -> None:
        """Refuse raw controls, which the YAML parser would stop at without saying where."""
        for number, line in enumerate(text.split("\n"), 1):
            if line.isprintable():
                continue
            for column, char in enumerate(line, 1):
                if is_control(char):
                    mark = Mark(self.name, number, column)
                    self.report(mark, f"control character U+{ord(char):04X}", "remove it")
                    if len(self.problems) == _MAX_CONTROLS:
                        raise refusal(self.problems)
        if self.problems:
            raise refusal(self.problems)

    def parse(self, text: str) -> Node | None:
        loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        try:
            return self._document(iter(yaml.parse(text, Loader=loader)))
        except yaml.MarkedYAMLError as error:
            mark, start = error.problem_mark or error.context_mark, error.context_mark
            said = " ".join(part for part in (error.context, error.problem) if part)
            if _TOO_DEEP.search(said):  # libyaml 0.2.6 reads ahead and counts by itself
                raise _nested(self._mark(mark)) from None
            lines = dict(enumerate(_BREAK.split(text)))
            at = mark.line if mark else 0
            begin = f"line {start.line + 1}, column {start.column + 1}" if start else ""
            what, hint = explained(said, begin, lines.get(at - 1, ""), lines.get(at, ""))
            self.report(self._mark(mark), f"not valid YAML: {what}", hint)
        except yaml.reader.ReaderError as error:
            self.report(Mark(self.name), f"not valid YAML: {error.reason}")
        raise refusal(self.problems)

    def _mark(self, mark: Any) -> Mark:
        return Mark(self.name, mark.line + 1, mark.column + 1) if mark else Mark(self.name)

    def _document(self, events: Iterator[Any]) -> Node | None:
        root: Node | None = None
        documents = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                mark = self._mark(event.start_mark)
                if documents == 2:
                    self.report(mark, "a second document", "one a file; remove the line ---")
                if event.version or event.tags:
                    hint = "remove the lines that begin with %"
                    self.report(mark, "YAML directives are not allowed", hint)
            elif isinstance(event, yaml.NodeEvent):
                node = self._node(event, events, depth=1)
                root = root or node
        return root

    def _node(self, event: Any, events: Iterator[Any], depth: int) -> Node:
        mark = self._mark(event.start_mark)
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise refusal([Problem(mark, f"more than {MAX_NODES} values in one file")])
        if depth > MAX_DEPTH:
            raise _nested(mark)
        if isinstance(event, yaml.AliasEvent):
            self.report(mark, "aliases (*name) are not allowed", _SHARING)
            return Scalar("", mark)
        if event.anchor is not None:
            self.report(mark, "anchors (&name) are not allowed", _SHARING)
        if event.tag is not None:
            tag = printable(event.tag[:80])
            self.report(mark, f"tags ({tag}) are not allowed", _TAGGED)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(mark, events, depth)
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(mark, events, depth)
        self.check_escaped(event.value, mark)
        return Scalar(event.value, mark, quoted=event.style in {"'", '"'})

    def check_escaped(self, text: str, mark: Mark) -> None:
        """Refuse controls that came in by an escape sequence in double quotes."""
        if bad := first_control(text):
            self.report(mark, f"control character U+{ord(bad):04X}", "remove it")

    def _sequence(self, mark: Mark, events: Iterator[Any], depth: int) -> Sequence:
        items = []
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            items.append(self._node(event, events, depth + 1))
        return Sequence(tuple(items), mark)

    def _mapping(self, mark: Mark, events: Iterator[Any], depth: int) -> Mapping:
        entries: dict[str, Entry] = {}
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key = self._node(event, events, depth + 1)
            value = self._node(next(events), events, depth + 1)
            if not isinstance(key, Scalar):
                hint = "put it in quotes" if isinstance(key, Mapping) else ""
                self.report(key.mark, f"a key must be text, found {describe(key)}", hint)
            elif key.text == "<<":
                self.report(key.mark, "merge keys (<<) are not allowed", _SHARING)
            elif key.text in entries:
                first = entries[key.text].mark.line
                self.report(key.mark, f"key {quote(key.text)} again; first at line {first}")
            else:
                entries[key.text] = Entry(key.text, key.mark, value)
        return Mapping(tuple(entries.values()), mark)
