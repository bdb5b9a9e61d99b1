"""What tests of the engine's client on a real engine share."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from imagekit.engine.connection import Engine


@pytest.fixture
def name(engine: Engine) -> Iterator[str]:
    """A fresh image name, removed afterwards."""
    name = f"imagekit-test/{uuid.uuid4().hex[:12]}"
    yield name
    for image in engine.client.images.list(name=name):
        engine.client.images.remove(image.id, force=True)
