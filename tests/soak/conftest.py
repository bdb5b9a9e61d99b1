"""What the long runs share: the engine, and the image, which the environment may name."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from imagekit import build, profile
from imagekit.engine.connection import Engine, connect
from imagekit.events import ignore
from imagekit.plan.resolve import resolve
from imagekit.site import load
from tests.docker.support import PROFILE


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """An engine is not optional here."""
    connected = connect()
    yield connected
    connected.close()


@pytest.fixture(scope="session")
def image(engine: Engine) -> str:
    """The id of ``IMAGEKIT_IMAGE``, or of the image of the tests' profile."""
    if reference := os.environ.get("IMAGEKIT_IMAGE"):
        return str(engine.client.images.get(reference).id)
    plan = resolve(profile.load(PROFILE))
    return build.build(engine, plan, load(), build.Options(), ignore).image_id
