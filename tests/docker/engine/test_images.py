"""Images in a real engine."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from imagekit.engine import images
from imagekit.errors import EngineError, NetworkError

if TYPE_CHECKING:
    from imagekit.engine.connection import Engine

pytestmark = pytest.mark.engine


def root() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        info = tarfile.TarInfo("file")
        info.size = 3
        archive.addfile(info, io.BytesIO(b"abc"))
    return out.getvalue()


def test_import_find_and_tag(engine: Engine, name: str) -> None:
    labels = {"dev.imagekit.test": 'a "b" $HOME c\\d é', "empty": ""}
    found = images.import_root(
        engine, [root()], f"{name}:1", labels=labels, changes=['CMD ["/bin/sh"]']
    )
    assert found.labels == labels
    assert found.tags == (f"{name}:1",)
    assert found.os == "linux"
    assert found == images.find(engine, f"{name}:1")
    images.tag(engine, found.id, [f"{name}:2"])
    other = images.find(engine, f"{name}:2")
    assert other is not None
    assert other.id == found.id


def test_unknown_image(engine: Engine) -> None:
    assert images.find(engine, "imagekit-test/none:1") is None
    assert images.find(engine, "sha256:" + "0" * 64) is None


def test_broken_archive_leaves_no_image(engine: Engine, name: str) -> None:
    with pytest.raises(EngineError):
        images.import_root(engine, [b"this is no archive" * 100], name)
    assert images.find(engine, name) is None


def test_source_that_fails_leaves_no_image(engine: Engine, name: str) -> None:
    def broken() -> Iterator[bytes]:
        yield root()[:600]
        raise EngineError(())

    with pytest.raises(EngineError):
        images.import_root(engine, broken(), name)
    assert images.find(engine, name) is None


def test_failed_pull_never_gives_the_old_image(engine: Engine, name: str) -> None:
    ref = f"registry.invalid/{name}:1"  # never resolves (RFC 2606, section 2)
    found = images.import_root(engine, [root()], ref)
    try:
        with pytest.raises(NetworkError, match=r"^registry\.invalid/"):
            images.pull(engine, ref)
    finally:
        engine.client.images.remove(found.id, force=True)
