"""Archives of a root: what is taken for one, and what is refused before the engine is told."""

from __future__ import annotations

import io
import itertools
import os
import sys
import tarfile
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from imagekit import archives
from imagekit.engine import images
from imagekit.errors import InputError
from imagekit.site import Archive, Site

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

ENGINE: Any = object()
ROOT = ("./", "./bin", "./etc/passwd")
REF = "localhost/imagekit/base:debian12-x"


@pytest.fixture
def imported(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the engine was given."""
    given: dict[str, Any] = {}

    def import_root(engine: object, chunks: Iterable[bytes], ref: str, **told: Any) -> Any:
        given.update(data=b"".join(chunks), ref=ref, **told)
        return SimpleNamespace(id="sha256:made")

    monkeypatch.setattr(images, "import_root", import_root)
    return given


def tar(names: Iterable[str], mode: str = "w") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:  # type: ignore[call-overload]
        for name in names:
            archive.addfile(tarfile.TarInfo(name))
    return out.getvalue()


def load(folder: Path, data: bytes, checksum: str = "") -> Any:
    file = folder / "base.tar"
    file.write_bytes(data)
    archive = Archive("debian12", str(file), checksum or sha256(data).hexdigest())
    return archives.load(ENGINE, archive, REF, Site(), labels={"k": "v"})


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_a_root_arrives_unpacked(imported: dict[str, Any], tmp_path: Path, mode: str) -> None:
    data = tar(ROOT, mode)
    assert load(tmp_path, data).id == "sha256:made"
    with tarfile.open(fileobj=io.BytesIO(imported["data"]), mode="r:") as archive:
        assert len(archive.getnames()) == len(ROOT)
    assert imported["ref"] == REF
    assert imported["labels"] == {"k": "v", archives.LABEL: sha256(data).hexdigest()}


def test_zstd(imported: dict[str, Any], tmp_path: Path) -> None:
    plain = tar(ROOT)
    # Two frames, as zstd makes of two files.
    load(tmp_path, zstd.compress(plain[:700]) + zstd.compress(plain[700:]))
    assert imported["data"] == plain


def test_another_file_than_was_meant(imported: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"its sha256 is [0-9a-f]{{64}}, and not {'0' * 64}"):
        load(tmp_path, tar(ROOT), "0" * 64)
    assert imported == {}


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (tar(["manifest.json"]), "holds an image and no root folder\n  hint: docker load -i"),
        (tar(["blobs/", "blobs/sha256/"]), "holds an image"),
        (tar(["oci-layout"]), "holds an image"),
        (tar([f"{'a' * 64}/", f"{'a' * 64}/layer.tar"]), "holds an image"),
        (tar(["rootfs/", "rootfs/etc/passwd"]), "holds no root folder"),
        (tar([]), "holds no root folder"),
        (b"", "cannot be read"),
        (b"no archive" * 100, "cannot be read"),
        (tar(ROOT, "w:xz")[:40], "cannot be read"),
        (tar(ROOT, "w:gz")[:20], "cannot be read"),
        (zstd.compress(tar(ROOT))[:40], "cannot be read"),
        (b"\x28\xb5\x2f\xfdnot really", "cannot be read"),
    ],
    ids=itertools.count(),  # the bytes of a compressed one tell the time
)
def test_what_holds_no_root(
    imported: dict[str, Any], tmp_path: Path, data: bytes, what: str
) -> None:
    with pytest.raises(InputError, match=what):
        load(tmp_path, data)
    assert imported == {}


@pytest.mark.parametrize("kind", ["none", "folder", "fifo"])
def test_no_ordinary_file(imported: dict[str, Any], tmp_path: Path, kind: str) -> None:
    file = tmp_path / "base.tar"
    if kind == "folder":
        file.mkdir()
    elif kind == "fifo":
        os.mkfifo(file)
    with pytest.raises(InputError, match=r"base\.tar: no such file"):
        archives.load(ENGINE, Archive("debian12", str(file), "0" * 64), REF, Site())
    assert imported == {}


def test_an_image_is_an_archives_only_by_its_whole_checksum(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    archive = Archive("debian12", "/a", "ab" * 32)
    assert (
        archives.reference(archive, "localhost/imagekit/base")
        == "localhost/imagekit/base:debian12-abababababab"
    )
    labels = {archives.LABEL: archive.sha256}
    monkeypatch.setattr(images, "find", lambda *_: SimpleNamespace(labels=labels))
    assert archives.find(ENGINE, archive, REF)
    labels[archives.LABEL] = "ab" * 31 + "cd"
    assert archives.find(ENGINE, archive, REF) is None
