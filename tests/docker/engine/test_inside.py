"""Files out of images on a real engine."""

from __future__ import annotations

import pytest

from imagekit.engine import images, inside
from imagekit.engine.connection import Engine
from imagekit.errors import EngineError, WorkFailedError


def left(engine: Engine, image: str) -> list[object]:
    """Containers of an image."""
    return list(engine.client.containers.list(all=True, filters={"ancestor": image}))


def test_a_script_chooses_the_files(engine: Engine, tiny_base: str) -> None:
    before = left(engine, tiny_base)
    found = inside.packed(engine, tiny_base, r"printf './etc/passwd\0./etc\0'")
    assert found["etc/passwd"].startswith(b"root:x:0:0:")
    assert "etc/shells" in found
    assert left(engine, tiny_base) == before


def test_a_script_that_fails_says_why(engine: Engine, tiny_base: str) -> None:
    with pytest.raises(WorkFailedError, match=r"cannot be looked into \(3\): broken"):
        inside.packed(engine, tiny_base, "echo broken >&2; exit 3")


def test_a_folder_is_copied_without_a_start(engine: Engine, tiny_base: str) -> None:
    found = inside.copied(engine, tiny_base, "/etc/apt")
    assert "apt/sources.list" in found or any("sources.list.d" in path for path in found)
    with pytest.raises(EngineError, match="no-such-folder"):
        inside.copied(engine, tiny_base, "/no-such-folder")


def test_a_name_is_taken_away(engine: Engine, tiny_base: str, name: str) -> None:
    base = images.find(engine, tiny_base)
    assert base is not None
    images.tag(engine, base.id, [f"{name}:1"])
    images.remove(engine, f"{name}:1")
    assert images.find(engine, f"{name}:1") is None
    assert images.find(engine, tiny_base) == base
