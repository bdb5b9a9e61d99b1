"""A secret that a step used is nowhere; one that a step gives away is found everywhere."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from imagekit.context import Context, ContextFile
from imagekit.engine.buildkit import build
from imagekit.engine.trace import Trace
from imagekit.events import Event
from tests.docker.leaks import PLACES, Scene, canary, found

if TYPE_CHECKING:
    from imagekit.engine.connection import Engine
    from tests.docker.box import Box

IN_THE_IMAGE = (
    "docker inspect of the image",
    "labels",
    "image history",
    "image layers",
    "build log",
)
USES = "cp /run/secrets/s /tmp/s && grep -q . /tmp/s && rm /tmp/s"
# What a careless Dockerfile would do with an argument in place of a secret.
LEAKS = "cp /run/secrets/s /leak && cat /leak && : $WORD"


@pytest.mark.parametrize("script", [USES, LEAKS])
def test_where_a_secret_is(
    engine: Engine, tiny_base: str, name: str, script: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    records: list[bytes] = []
    feed = Trace.feed

    def recorded(trace: Trace, record: bytes) -> None:
        records.append(record)
        feed(trace, record)

    monkeypatch.setattr(Trace, "feed", recorded)
    secret = canary()
    leaks = script == LEAKS
    given = {"WORD": secret} if leaks else {}
    lines = [
        f"FROM {tiny_base}",
        *(f"ARG {key}" for key in given),
        *(f"LABEL leak=${key}" for key in given),
        f"RUN --mount=type=secret,id=s,required=true {script} # {uuid.uuid4().hex}",
    ]
    events: list[Event] = []
    result = build(
        engine,
        Context((ContextFile("Dockerfile", "\n".join((*lines, "")).encode()),)),
        tags=[name],
        secrets={"s": secret.encode()},
        build_args=given,
        on_event=events.append,
    )
    image = engine.client.images.get(result.image_id)
    container = SimpleNamespace(image=image, labels={})
    scene = Scene(cast("Box", SimpleNamespace(container=container)), repr(events), "")
    places: dict[str, Iterable[bytes]] = {place: PLACES[place](scene) for place in IN_THE_IMAGE}
    places["trace"] = records
    assert {place for place, seen in places.items() if found(seen, [secret])} == (
        set(places) if leaks else set()
    )
