"""Base images made of a root file system in a tar archive.

What Debian, Ubuntu and the like publish as a root or base tarball, or what
``imagekit bootstrap --output`` wrote. The checksum is what makes it trusted.
"""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import re
import sys
import tarfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO, cast

from imagekit import fetch
from imagekit.engine import images
from imagekit.engine.connection import Engine
from imagekit.engine.images import ImageFacts
from imagekit.errors import InputError, Message
from imagekit.events import Emit, ignore
from imagekit.site import Archive, Site

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LABEL = "dev.imagekit.base.archive"
"""The label whose value is the sha256 of the archive that a base was made of."""

_CHUNK = 1 << 18  # bytes
_OPENERS: dict[bytes, Callable[[IO[bytes]], IO[bytes]]] = {
    b"\x1f\x8b": lambda raw: cast("IO[bytes]", gzip.GzipFile(fileobj=raw)),
    b"BZh": lambda raw: cast("IO[bytes]", bz2.BZ2File(raw)),
    b"\xfd7zXZ\x00": lambda raw: cast("IO[bytes]", lzma.LZMAFile(raw)),  # noqa: SIM115 - _opened closes it
    # RFC 8878, section 3.1.1
    b"\x28\xb5\x2f\xfd": lambda raw: cast("IO[bytes]", zstd.ZstdFile(raw)),
}

# What lies at the top of a root (file-hierarchy(7)), and at the top of an archive that
# `docker save` wrote (https://github.com/moby/docker-image-spec and the OCI image layout).
_OF_A_ROOT = frozenset({"bin", "boot", "dev", "etc", "home", "lib", "sbin", "usr", "var"})
_OF_AN_IMAGE = re.compile(r"manifest\.json|index\.json|oci-layout|blobs|[0-9a-f]{64}(\.json)?")
_UNREADABLE = (
    *(OSError, EOFError, tarfile.TarError),
    *(lzma.LZMAError, zlib.error, zstd.ZstdError),
)


def reference(archive: Archive, repository: str) -> str:
    """The name of the image that is made of an archive; another archive has another one."""
    return f"{repository}:{archive.release}-{archive.sha256[:12]}"


def find(engine: Engine, archive: Archive, ref: str) -> ImageFacts | None:
    """The image that was made of this very archive, when it is there.

    Raises:
        EngineError: the engine did not answer.
    """
    found = images.find(engine, ref)
    return found if found and found.labels.get(LABEL) == archive.sha256 else None


def load(  # noqa: PLR0913 - what an image is made of, each by name
    engine: Engine,
    archive: Archive,
    ref: str,
    site: Site,
    *,
    labels: Mapping[str, str] = {},
    on_event: Emit = ignore,
) -> ImageFacts:
    """Make an image of an archive, after fetching it where it has an address.

    Args:
        engine: where the image goes.
        archive: a tar archive, as it is or compressed with gzip, bzip2, xz or zstd.
        ref: the image's name.
        site: the way to the address.
        labels: the image's labels, beside the one that says the checksum.
        on_event: told of the transfer.

    Raises:
        InputError: the file is not there, is another than the checksum says, or holds no
            root file system.
        NetworkError: it could not be fetched.
        EngineError: the engine refused it.
    """
    try:
        file = (
            fetch.kept(archive.place, archive.sha256, site, on_event)
            if archive.remote
            else Path(archive.place)
        )
        _demand_checksum(file, archive.sha256)
        _demand_root(file, archive.place)
        return images.import_root(
            engine,
            _pieces(file),
            ref,
            labels={**labels, LABEL: archive.sha256},
            changes=('CMD ["/bin/bash"]',),
        )
    except _UNREADABLE as error:
        what = getattr(error, "strerror", None) or str(error) or "it ends in the middle"
        raise InputError(Message(archive.place, f"cannot be read: {what}")) from error


def _demand_checksum(file: Path, sha256: str) -> None:
    """Raise unless a file is the one that was meant; before anything of it is used."""
    if not file.is_file():  # a FIFO or a device would block or never end
        hint = "the path is relative to the site file's folder"
        raise InputError(Message(str(file), "no such file", hint))
    digest = hashlib.sha256()
    with file.open("rb") as opened:
        while chunk := opened.read(_CHUNK):
            digest.update(chunk)
    if (found := digest.hexdigest()) != sha256:
        what = f"its sha256 is {found}, and not {sha256}"
        raise InputError(Message(str(file), what, "check the sha256, and where it came from"))


def _demand_root(file: Path, place: str) -> None:
    """Raise unless the first names in an archive are those of a root."""
    with _opened(file) as opened, tarfile.open(fileobj=opened, mode="r|") as names:
        for member in names:
            top = member.name.removeprefix("./").partition("/")[0]
            if top in _OF_A_ROOT:
                return
            if _OF_AN_IMAGE.fullmatch(top):
                hint = f"docker load -i {place}; the image has its own name, and that is found"
                raise InputError(Message(place, "holds an image and no root folder", hint))
    hint = "a root tarball has etc, usr and the like at its top"
    raise InputError(Message(place, "holds no root folder", hint))


@contextmanager
def _opened(file: Path) -> Iterator[IO[bytes]]:
    """A file unpacked, to be read in order."""
    with file.open("rb") as raw:
        start = raw.read(6)
        raw.seek(0)
        opener = next((one for magic, one in _OPENERS.items() if start.startswith(magic)), None)
        with opener(raw) if opener else nullcontext(raw) as opened:
            yield opened


def _pieces(file: Path) -> Iterator[bytes]:
    """All of a file, unpacked."""
    with _opened(file) as opened:
        while chunk := opened.read(_CHUNK):
            yield chunk
