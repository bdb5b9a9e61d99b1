"""Where a secret could be seen from outside: each place as a stream of bytes, and the search.

Canaries begin with one mark, so that gigabytes are searched as fast as they come.
"""

from __future__ import annotations

import gzip
import io
import json
import secrets
import string
import sys
import tarfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from tests.docker.box import Box

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MARK = "Kan7"
_LONGEST = 64
_ALPHABET = string.ascii_letters + string.digits


def canary(length: int = 32) -> str:
    """A random text that stands nowhere else."""
    return MARK + "".join(secrets.choice(_ALPHABET) for _ in range(length - len(MARK)))


def found(streams: Iterable[bytes], canaries: Iterable[str]) -> set[str]:
    """Which canaries occur, in pieces that may be cut anywhere."""
    wanted = {text.encode() for text in canaries}
    mark = MARK.encode()
    seen: set[str] = set()
    rest = b""
    for piece in streams:
        data = rest + piece
        at = data.find(mark)
        while at >= 0:
            seen |= {text.decode() for text in wanted if data.startswith(text, at)}
            at = data.find(mark, at + 1)
        rest = data[-_LONGEST:]
    return seen


@dataclass(frozen=True, slots=True)
class Scene:
    """A container that was built and started with canaries.

    Attributes:
        box: the running container.
        build: everything that the build told.
        said: everything that imagekit printed and reported of the image.
    """

    box: Box
    build: str
    said: str


Place = Callable[[Scene], Iterable[bytes]]


def _image_attributes(scene: Scene) -> Iterable[bytes]:
    return [json.dumps(scene.box.container.image.attrs).encode()]


def _image_labels(scene: Scene) -> Iterable[bytes]:
    return [json.dumps([scene.box.container.image.labels, scene.box.container.labels]).encode()]


def _history(scene: Scene) -> Iterable[bytes]:
    return [json.dumps(scene.box.container.image.history()).encode()]


def _layers(scene: Scene) -> Iterator[bytes]:
    """The contents of every layer, unpacked where the engine stores them packed."""
    with tarfile.open(fileobj=_Pipe(scene.box.container.image.save()), mode="r|") as archive:
        for member in archive:
            if not (file := archive.extractfile(member)):
                continue
            head = file.read(4)
            whole = _Pipe(_joined(head, file))
            if head.startswith(b"\x1f\x8b"):
                whole = gzip.GzipFile(fileobj=whole)
            elif head == b"\x28\xb5\x2f\xfd":
                whole = zstd.ZstdFile(whole)
            yield from _pieces(whole)


def _build_log(scene: Scene) -> Iterable[bytes]:
    return [scene.build.encode()]


def _log(scene: Scene) -> Iterable[bytes]:
    return [scene.box.container.logs()]


def _changed_files(scene: Scene) -> Iterable[bytes]:
    """The container's own layer with the image below it, volumes left out."""
    return scene.box.container.export()


def _arguments(scene: Scene) -> Iterable[bytes]:
    top = scene.box.container.top(ps_args="-eo pid,args")
    return [json.dumps(top).encode(), scene.box.over_ssh("cat /proc/[0-9]*/cmdline").text.encode()]


def _environments(scene: Scene) -> Iterable[bytes]:
    """Of all processes, as the user may read them, and of the sessions themselves."""
    script = "cat /proc/[0-9]*/environ 2> /dev/null; env; bash -lc env"
    return [scene.box.over_ssh(script).text.encode()]


def _readable_by_others(*folders: str) -> Place:
    def place(scene: Scene) -> Iterable[bytes]:
        command = ["tar", "--create", "--ignore-failed-read", *folders]
        return [scene.box.container.exec_run(command, user="nobody").output]

    return place


def _health(scene: Scene) -> Iterable[bytes]:
    scene.box.container.reload()
    health = scene.box.container.attrs["State"].get("Health", {})
    code, text = scene.box.stage.execute(["/usr/lib/imagekit/health"])
    return [json.dumps(health).encode(), f"{code} {text}".encode()]


def _said(scene: Scene) -> Iterable[bytes]:
    return [scene.said.encode()]


def _container_attributes(scene: Scene) -> Iterable[bytes]:
    scene.box.container.reload()
    return [json.dumps(scene.box.container.attrs).encode()]


PLACES: dict[str, Place] = {
    "docker inspect of the container": _container_attributes,
    "docker inspect of the image": _image_attributes,
    "labels": _image_labels,
    "image history": _history,
    "image layers": _layers,
    "build log": _build_log,
    "container log": _log,
    "the container's files": _changed_files,
    "process list": _arguments,
    "environments": _environments,
    "files in /run that others may read": _readable_by_others("/run"),
    "files in /etc and /var that others may read": _readable_by_others("/etc", "/var"),
    "health log": _health,
    "what imagekit says": _said,
}
"""Fourteen places."""


class _Pipe(io.RawIOBase):
    """Pieces of bytes as a file."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """All of ``size`` bytes, unless the end comes before."""
        parts = [self._rest]
        length = len(self._rest)
        with suppress(StopIteration):
            while size < 0 or length < size:
                parts.append(next(self._pieces))
                length += len(parts[-1])
        data = b"".join(parts)
        if size < 0:
            self._rest = b""
            return data
        self._rest = data[size:]
        return data[:size]


def _joined(head: bytes, file: io.BufferedIOBase) -> Iterator[bytes]:
    yield head
    yield from _pieces(file)


def _pieces(file: io.RawIOBase | io.BufferedIOBase) -> Iterator[bytes]:
    while piece := file.read(1 << 20):
        yield piece
