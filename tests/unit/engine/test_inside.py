"""Containers that are only looked into."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from imagekit.engine import inside
from imagekit.errors import EngineError
from imagekit.names import RUN_LABEL


def test_a_container_that_is_left_can_be_found() -> None:
    made: list[dict[str, Any]] = []
    ended: list[dict[str, Any]] = []

    def broken(_path: str) -> None:
        raise OSError("gone")

    def create(_image: str, **options: Any) -> SimpleNamespace:
        made.append(options)
        return SimpleNamespace(get_archive=broken, remove=lambda **how: ended.append(how))

    client = SimpleNamespace(containers=SimpleNamespace(create=create))
    engine: Any = SimpleNamespace(client=client, where="e")
    for _ in range(2):
        with pytest.raises(EngineError):
            inside.copied(engine, "x", "/y")
    assert ended == [{"force": True, "v": True}] * 2
    one, other = (options["labels"] for options in made)
    assert set(one) == set(other) == {RUN_LABEL}
    assert one != other
