"""Building for another platform than the engine's own."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from imagekit.context import Context, ContextFile
from imagekit.engine import images
from imagekit.engine.buildkit import build
from imagekit.errors import EngineError, NetworkError

if TYPE_CHECKING:
    from imagekit.engine.connection import Engine

FOREIGN_PROGRAM = ContextFile("sh", b"\x7fELF, but not for this machine", executable=True)


def other(engine: Engine) -> str:
    """A platform that the engine's programs are not for."""
    return "linux/amd64" if "aarch64" in engine.client.info()["Architecture"] else "linux/arm64"


def context(*lines: str) -> Context:
    text = "\n".join((*lines, f"LABEL unique={uuid.uuid4().hex}", ""))
    return Context((ContextFile("Dockerfile", text.encode()), FOREIGN_PROGRAM))


def test_what_runs_no_program_can_be_built_for_any_platform(engine: Engine, name: str) -> None:
    result = build(
        engine, context("FROM scratch", "COPY sh /sh"), tags=[name], platform=other(engine)
    )
    found = images.find(engine, result.image_id)
    assert found is not None
    assert f"{found.os}/{found.architecture}" == other(engine)


def test_a_program_that_does_not_run_there_is_told_from_a_failing_step(engine: Engine) -> None:
    said = f"cannot build for {other(engine)}: its programs do not run there"
    with pytest.raises(EngineError, match=said):
        build(engine, context("FROM scratch", "COPY sh /", 'RUN ["/sh"]'), platform=other(engine))


def test_a_base_of_another_platform_is_no_success(
    engine: Engine, tiny_base: str, name: str
) -> None:
    """Engine 28 builds on it and calls the result by the platform that was asked for."""
    lines = (f"FROM {tiny_base}", f"RUN : {uuid.uuid4().hex}")
    # Older ones ask the registry for the right one, which has none of this name.
    with pytest.raises((EngineError, NetworkError)):
        build(engine, context(*lines), tags=[name], platform=other(engine))
    assert images.find(engine, name) is None


def test_times_follow_source_date_epoch_where_the_engine_knows_it(
    engine: Engine, tiny_base: str, name: str
) -> None:
    lines = (f"FROM {tiny_base}", f"RUN : {uuid.uuid4().hex}")
    result = build(engine, context(*lines), tags=[name], build_args={"SOURCE_DATE_EPOCH": "86400"})
    found = images.find(engine, result.image_id)
    assert found is not None
    if int(engine.version.split(".")[0]) >= 26:
        assert found.created == "1970-01-02T00:00:00Z"
    else:  # takes no notice of it
        assert found.created
