"""What ``docker save`` gives, read as it comes: every file of every layer, none kept.

Two forms are known, and both have a ``manifest.json`` that names the layers in order: the
older one with ``ID/layer.tar`` (a link where two layers are alike), and since Engine 25 an
OCI layout with ``blobs/sha256/…``, whose layers may be packed with gzip or zstd
(https://github.com/moby/moby/blob/master/image/spec/spec.md and
https://github.com/opencontainers/image-spec/blob/main/image-layout.md).
"""

from __future__ import annotations

import gzip
import io
import json
import posixpath
import sys
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import IO, Any, TypeAlias, cast

from imagekit.checks.check import AnswerError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_BUFFER = 1 << 20
_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_TAR = slice(257, 262)  # where a header says "ustar"
_HEAD = 512
_MANIFEST = "manifest.json"
_BROKEN = (
    *(tarfile.TarError, EOFError, zlib.error, zstd.ZstdError),
    *(ValueError, LookupError, TypeError),
)

Look: TypeAlias = Callable[[str, int, Callable[[], bytes]], Iterable[str]]
"""Gets a regular file's path, its size, and what reads it; gives what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer.

    Attributes:
        entries: path without a leading ``/`` and bytes of everything that is no folder;
            ``.wh.`` before a name says that it is gone.
        wrong: what the look at its files gave.
    """

    entries: list[tuple[str, int]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def read(pieces: Iterator[bytes], look: Look) -> tuple[Layer, ...]:
    """The layers of an archive, the lowest first; it is read to its end.

    What is kept is the names of files, about 200 bytes each, and what was found.

    Raises:
        AnswerError: it is not such an archive, or not whole.
    """
    layers: dict[str, Layer] = {}
    links: dict[str, str] = {}
    order: list[str] = []
    try:
        with tarfile.open(fileobj=cast("IO[bytes]", _Pipe(pieces)), mode="r|", bufsize=_BUFFER) as (
            archive
        ):
            for member in archive:
                name = posixpath.normpath(member.name)
                if member.issym() or member.islnk():
                    folder = posixpath.dirname(name) if member.issym() else ""
                    links[name] = posixpath.normpath(posixpath.join(folder, member.linkname))
                file = archive.extractfile(member) if member.isfile() else None
                if file is None:
                    continue
                if name == _MANIFEST:
                    order = json.load(file)[0]["Layers"]
                elif _is_layer(head := _peek(file)):
                    layers[name] = _layer(_unpacked(file, head), look)
        named = [layers[links.get(name, name)] for name in map(posixpath.normpath, order)]
    except _BROKEN as error:
        raise AnswerError(f"an archive that is not whole or none: {error!r}") from error
    if not named:
        raise AnswerError("an archive without a manifest")
    return tuple(named)


def wasted(layers: Iterable[Layer]) -> Iterator[tuple[int, str]]:
    """Bytes and path of what a later layer hides: files that it has again, or takes away."""
    root: _Folder = {}
    for layer in layers:
        for path, _ in layer.entries:
            folder, _, name = path.rpartition("/")
            if name.startswith(".wh."):
                yield from _take_away(root, folder, name)
        for path, size in layer.entries:
            if not path.rpartition("/")[2].startswith(".wh."):
                yield from _put(root, path, size)


_Folder: TypeAlias = dict[str, Any]  # a name to its size, or to a folder


def _take_away(root: _Folder, folder: str, name: str) -> Iterator[tuple[int, str]]:
    """What a whiteout hides.

    https://github.com/opencontainers/image-spec/blob/main/layer.md#whiteouts
    """
    node: Any = root
    for part in filter(None, folder.split("/")):
        node = node.get(part) if isinstance(node, dict) else None
    if not isinstance(node, dict):
        return
    gone = list(node) if name == ".wh..wh..opq" else [name.removeprefix(".wh.")]
    for one in gone:
        if one in node:
            yield _bytes(node.pop(one)), f"{folder}/{one}".lstrip("/")


def _put(root: _Folder, path: str, size: int) -> Iterator[tuple[int, str]]:
    *parents, name = path.split("/")
    node = root
    for number, part in enumerate(parents, start=1):
        below = node.setdefault(part, {})
        if not isinstance(below, dict):  # a file that becomes a folder
            yield below, "/".join(parents[:number])
            below = node[part] = {}
        node = below
    if name in node:
        yield _bytes(node[name]), path
    node[name] = size


def _bytes(node: Any) -> int:
    return sum(map(_bytes, node.values())) if isinstance(node, dict) else int(node)


def _is_layer(head: bytes) -> bool:
    # A layer without a file is no more than the end of an archive: blocks of zeros.
    empty = bool(head) and not any(head)
    return empty or head.startswith((_GZIP, _ZSTD)) or head[_TAR] == b"ustar"


def _peek(file: IO[bytes]) -> bytes:
    return cast("io.BufferedReader", file).peek(_HEAD)[:_HEAD]


def _unpacked(file: IO[bytes], head: bytes) -> IO[bytes]:
    if head.startswith(_GZIP):
        return cast("IO[bytes]", gzip.GzipFile(fileobj=file))
    if head.startswith(_ZSTD):
        return cast("IO[bytes]", zstd.ZstdFile(file))
    return file


def _layer(file: IO[bytes], look: Look) -> Layer:
    layer = Layer()
    with tarfile.open(fileobj=file, mode="r|", bufsize=_BUFFER) as archive:
        for member in archive:
            # Else it keeps all of them, for a second round that there is not.
            archive.members = []  # type: ignore[attr-defined]
            if member.isdir():
                continue
            path = posixpath.normpath(member.name).lstrip("/")
            layer.entries.append((path, member.size if member.isfile() else 0))
            if member.isfile():
                layer.wrong.extend(look(path, member.size, lambda: _content(archive, member)))  # noqa: B023
    return layer


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    return b"" if file is None else file.read()


class _Pipe:
    """Pieces of bytes as a file that can only be read on."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = memoryview(b"")

    def read(self, size: int) -> bytes:
        """At most ``size`` bytes; none at the end."""
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return b""
            self._rest = memoryview(piece)
        data, self._rest = self._rest[:size], self._rest[size:]
        return bytes(data)
