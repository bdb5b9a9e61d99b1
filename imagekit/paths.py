"""Paths into a located document: where a value was written, what it is called, what is left."""

from __future__ import annotations

import re
from typing import TypeAlias

from imagekit.document import Entry, Mapping, Mark, Node, Sequence, quote

Path: TypeAlias = tuple[str | int, ...]

# Keys that can stand in a message as they are.
_PLAIN = re.compile(r"[^\s\"']{1,80}\Z")


def place(root: Node, path: Path) -> Mark:
    """Where the value at ``path`` was written, or the nearest thing around it."""
    return nodes(root, path)[-1].mark


def node_at(root: Node, path: Path) -> Node:
    """The value at ``path``, or the nearest thing around it."""
    return nodes(root, path)[-1]


def key_mark(root: Node, path: Path) -> Mark:
    """Where the key at the end of ``path`` was written, or the nearest thing around it."""
    around = node_at(root, path[:-1])
    found = around.entry(str(path[-1])) if isinstance(around, Mapping) else None
    return found.mark if found else around.mark


def nodes(root: Node, path: Path) -> list[Node]:
    """The root and all values on the way to ``path``, as far as there are some."""
    found = [root]
    for part in path:
        node, below = found[-1], None
        if isinstance(node, Mapping) and isinstance(part, str):
            below = node.get(part)
        elif isinstance(node, Sequence) and isinstance(part, int) and part < len(node.items):
            below = node.items[part]
        if below is None:
            break
        found.append(below)
    return found


def dotted(path: Path) -> str:
    """A key path for people: ``packages.apt[2]``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            shown = part if _PLAIN.match(part) and part.isprintable() else quote(part)
            text += f".{shown}" if text else shown
    return text


def named(root: Node, path: Path) -> str:
    """The same with the numbers that the items of lists have in their own files."""
    parts: list[str | int] = list(path)
    for index, node in enumerate(nodes(root, path)[: len(path)]):
        part = path[index]
        if isinstance(node, Sequence) and isinstance(part, int) and part < len(node.items):
            parts[index] = node.number(part)
    return dotted(tuple(parts))


def prune(node: Mapping, bad: frozenset[Path], path: Path = ()) -> Mapping:
    """The document without the values at the paths ``bad``, so that the rest can be checked."""
    entries = [
        Entry(entry.key, entry.mark, _pruned(entry.value, bad, (*path, entry.key)))
        for entry in node.entries
        if (*path, entry.key) not in bad
    ]
    return Mapping(tuple(entries), node.mark)


def _pruned(node: Node, bad: frozenset[Path], path: Path) -> Node:
    if isinstance(node, Mapping):
        return prune(node, bad, path)
    if isinstance(node, Sequence):
        kept = [index for index in range(len(node.items)) if (*path, index) not in bad]
        items = tuple(_pruned(node.items[index], bad, (*path, index)) for index in kept)
        return Sequence(items, node.mark, tuple(map(node.number, kept)))
    return node
