"""What a profile is made of: the defaults, all that it extends, itself, and overrides."""

from __future__ import annotations

from pathlib import Path

from imagekit import assets, document, library
from imagekit.document import (
    MAX_DEPTH,
    Document,
    Entry,
    Mapping,
    Mark,
    Node,
    Problem,
    Scalar,
    Sequence,
    printable,
)
from imagekit.errors import InputError, Message

BASE_NAME = "_base"
"""The mixin that lies under every profile without being named."""

MAX_FILES = 20
MAX_PARENTS = 16  # the schema's maxItems of `extends`
_VERSION = "profile"


def lineage(path: Path) -> list[Document]:
    """All documents that make up a profile, the most general first.

    Raises:
        InputError: a file cannot be read, they extend each other in a circle, or there
            are too many.
    """
    shipped = assets.folder("profiles") / f"{BASE_NAME}{library.SUFFIX}"
    ordered: dict[Path, Document] = {shipped: _load(shipped)}
    _collect(library.find(BASE_NAME), (), ordered)  # a lab's own defaults, where it has some
    _collect(path, (), ordered)
    return list(ordered.values())


def merge(under: Mapping, over: Mapping) -> Mapping:
    """Mappings deeply, lists appended without repeats, everything else replaced."""
    entries = {entry.key: entry for entry in under.entries}
    for entry in over.entries:
        before = entries.pop(entry.key, None)
        value = entry.value if before is None else _merge_values(before.value, entry.value)
        entries[entry.key] = Entry(entry.key, entry.mark, value)
    return Mapping(tuple(entries.values()), over.mark)


def override(text: str) -> Mapping:
    """``a.b=c`` as a document of its own; ``[x, y]`` is a list.

    Raises:
        InputError: the text has another form, or says what cannot be overridden.
    """
    mark = Mark(f"--set {printable(text[:80])}")
    path, equals, value = text.partition("=")
    keys = path.split(".")
    if not equals or not all(keys) or len(keys) > MAX_DEPTH:
        hint = "write --set key.path=value, for instance --set user.name=zhang"
        raise InputError(Message(str(mark), "not of the form key.path=value", hint))
    if bad := document.first_control(text):
        what = f"control character U+{ord(bad):04X}"
        raise InputError(Message(str(mark), what, "remove it"))
    if keys[0] == "extends":
        hint = "write a profile of your own that extends what you need"
        raise InputError(Message(str(mark), "extends cannot be overridden", hint))
    entry = Entry(keys[-1], mark, _override_value(value, mark))
    for key in reversed(keys[:-1]):
        entry = Entry(key, mark, Mapping((entry,), mark))
    return Mapping((entry,), mark)


def _override_value(text: str, mark: Mark) -> Node:
    if text.startswith("[") and text.endswith("]"):
        items = [item.strip() for item in text[1:-1].split(",") if item.strip()]
        return Sequence(tuple(Scalar(item, mark) for item in items), mark)
    return Scalar(text, mark)


def _collect(path: Path, chain: tuple[Path, ...], ordered: dict[Path, Document]) -> None:
    """Add a file after all that it extends; each file counts once."""
    if path in ordered:
        return
    loaded = _load(path)
    problems = [*loaded.problems, *_version_problems(loaded.root)]
    for item in _parents(loaded.root):
        try:
            parent = library.find(item.text)
        except InputError as error:
            for message in error.messages:
                problems.append(Problem(item.mark, f"extends: {message.what}", message.hint))
            continue
        if parent in (*chain, path):
            cycle = " -> ".join(part.stem for part in (*chain, path, parent))
            what, hint = f"extends: goes round in a circle: {cycle}", "remove one of these extends"
            raise document.refusal([*problems, Problem(item.mark, what, hint)])
        if parent not in ordered and len(ordered) + len(chain) + 1 >= MAX_FILES:
            what = f"extends: more than {MAX_FILES} files make up this profile"
            raise document.refusal([*problems, Problem(item.mark, what, "extend fewer of them")])
        _collect(parent, (*chain, path), ordered)
    ordered[path] = Document(loaded.root, tuple(problems))


def _load(path: Path) -> Document:
    return document.load(path, f"{_VERSION}: 1")


def _version_problems(root: Mapping) -> list[Problem]:
    """Every file says for itself which version of the format it is written in.

    Whether it is one that we know, the schema says of what is merged; a file that another
    one covers would get away with anything.
    """
    node = root.get(_VERSION)
    if node is None:
        return [Problem(root.mark, f'missing key "{_VERSION}"', f"write {_VERSION}: 1")]
    if isinstance(node, Scalar) and node.text != "1":
        what = f"{_VERSION}: expected the version of this format, 1, found"
        return [Problem(node.mark, f"{what} {document.describe(node)}", "for instance 1")]
    return []


def _parents(root: Mapping) -> list[Scalar]:
    """The names under ``extends``; anything that is not a name is left for the schema."""
    node = root.get("extends")
    items = node.items[:MAX_PARENTS] if isinstance(node, Sequence) else ()
    return [item for item in items if isinstance(item, Scalar) and library.is_name(item.text)]


def _merge_values(under: Node, over: Node) -> Node:
    if isinstance(under, Mapping) and isinstance(over, Mapping):
        return merge(under, over)
    if isinstance(under, Sequence) and isinstance(over, Sequence):
        known = {item.text for item in under.items if isinstance(item, Scalar)}
        added = [
            (item, over.number(index))
            for index, item in enumerate(over.items)
            if not (isinstance(item, Scalar) and item.text in known)
        ]
        items = (*under.items, *(item for item, _ in added))
        numbers = (*map(under.number, range(len(under.items))), *(number for _, number in added))
        return Sequence(items, over.mark, numbers)
    return over
