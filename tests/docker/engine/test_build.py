"""Builds on a real engine."""

from __future__ import annotations

import io
import os
import signal
import tarfile
import threading
import uuid
from typing import TYPE_CHECKING

import pytest

from imagekit.context import Context, ContextFile
from imagekit.engine import images
from imagekit.engine.buildkit import build
from imagekit.engine.failures import BuildFailedError
from imagekit.errors import EngineError, NetworkError
from imagekit.events import Event, StepFinished, StepLog, StepStarted
from tests.docker.support import gone

if TYPE_CHECKING:
    from imagekit.engine.connection import Engine

pytestmark = pytest.mark.engine


def context(base: str, *lines: str, **files: str) -> Context:
    dockerfile = ContextFile("Dockerfile", "\n".join((f"FROM {base}", *lines, "")).encode())
    more = [ContextFile(path, text.encode()) for path, text in files.items()]
    return Context(tuple(sorted((dockerfile, *more))))


def lines(events: list[Event]) -> list[str]:
    return [line for event in events if isinstance(event, StepLog) for line in event.lines]


def unique() -> str:
    """A comment that no build before had, so that a step is not cached."""
    return f": {uuid.uuid4().hex};"


def test_secret_argument_label_and_tags(engine: Engine, tiny_base: str, name: str) -> None:
    events: list[Event] = []
    result = build(
        engine,
        context(
            tiny_base,
            "ARG GREETING",
            f"RUN --mount=type=secret,id=s,required=true {unique()}"
            ' echo "$GREETING $(cat /run/secrets/s)"',
            "RUN test ! -s /run/secrets/s",
            "COPY note /note",
            note="x",
        ),
        tags=[f"{name}:1", f"{name}:2"],
        secrets={"s": b"sesame"},
        build_args={"GREETING": "open"},
        labels={"dev.imagekit.test": 'a "b" $c'},
        on_event=events.append,
    )
    assert "open sesame" in lines(events)
    for ref in (result.image_id, f"{name}:1", f"{name}:2"):
        found = images.find(engine, ref)
        assert found is not None
        assert found.id == result.image_id
        assert found.labels["dev.imagekit.test"] == 'a "b" $c'
    assert any("COPY note" in step.name for step in result.steps)
    history = engine.client.api.history(result.image_id)
    assert "sesame" not in str(history)


def test_secret_of_full_size(engine: Engine, tiny_base: str, name: str) -> None:
    events: list[Event] = []
    build(
        engine,
        context(tiny_base, f"RUN --mount=type=secret,id=s {unique()} wc -c < /run/secrets/s"),
        tags=[name],
        secrets={"s": b"s" * 500 * 1024},
        on_event=events.append,
    )
    assert [line.strip() for line in lines(events)] == ["512000"]


def test_optional_secret_may_be_missing(engine: Engine, tiny_base: str, name: str) -> None:
    build(
        engine,
        context(tiny_base, f"RUN --mount=type=secret,id=s {unique()} test ! -e /run/secrets/s"),
        tags=[name],
    )


def test_required_secret_that_is_missing(engine: Engine, tiny_base: str) -> None:
    step = f"RUN --mount=type=secret,id=s,required=true {unique()} true"
    with pytest.raises(BuildFailedError, match=r"secret s.* not found"):
        build(engine, context(tiny_base, step))


def test_failing_step_with_its_last_lines(engine: Engine, tiny_base: str) -> None:
    events: list[Event] = []
    step = f"RUN {unique()} for i in $(seq 40); do echo line $i; done; printf end; exit 7"
    with pytest.raises(BuildFailedError, match="ended with exit code 7") as caught:
        build(engine, context(tiny_base, step), on_event=events.append)
    assert step in caught.value.step
    assert caught.value.log_tail == (*(f"line {i}" for i in range(22, 41)), "end")
    assert "exit code: 7" in caught.value.engine_message
    ended = [e for e in events if isinstance(e, StepFinished) and e.error]
    assert len(ended) == 1


def test_wrong_dockerfile(engine: Engine, tiny_base: str) -> None:
    with pytest.raises(BuildFailedError, match=r"^Dockerfile: dockerfile parse error"):
        build(engine, context(tiny_base, "RUNX true"))


def test_second_build_is_cached(engine: Engine, tiny_base: str, name: str) -> None:
    plan = context(tiny_base, f"RUN {unique()} echo once")
    first = build(engine, plan, tags=[f"{name}:1"])
    events: list[Event] = []
    second = build(engine, plan, tags=[f"{name}:2"], on_event=events.append)
    runs = [step for step in second.steps if "RUN" in step.name]
    assert [(step.cached, step.seconds) for step in runs] == [(True, 0.0)]
    assert lines(events) == []
    assert [step.cached for step in first.steps if "RUN" in step.name] == [False]
    third = build(engine, plan, tags=[f"{name}:3"], no_cache=True)
    assert [step.cached for step in third.steps if "RUN" in step.name] == [False]


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_layers_are_compressed_as_asked_where_they_are(
    engine: Engine, tiny_base: str, name: str, kind: str
) -> None:
    step = f"RUN {unique()} head -c 1000000 /dev/zero > /zeros"
    result = build(engine, context(tiny_base, step), tags=[name], compression=kind)
    saved = io.BytesIO(b"".join(engine.client.images.get(name).save()))
    with tarfile.open(fileobj=saved) as archive:
        begins = [
            archive.extractfile(member).read(4)  # type: ignore[union-attr]
            for member in archive
            if member.isfile() and member.size
        ]
    assert images.demand(engine, name).id == result.image_id
    magic = {"gzip": b"\x1f\x8b", "zstd": b"\x28\xb5\x2f\xfd"}[kind]
    compressed = any(begin.startswith(magic) for begin in begins)
    assert compressed == (engine.store == "containerd")


def test_target(engine: Engine, tiny_base: str, name: str) -> None:
    plan = context(f"{tiny_base} AS first", "LABEL stage=first", f"FROM {tiny_base}", "RUN exit 1")
    result = build(engine, plan, target="first", tags=[name])
    found = images.find(engine, result.image_id)
    assert found is not None
    assert found.labels["stage"] == "first"


def test_base_that_nobody_has(engine: Engine) -> None:
    # .invalid never resolves (RFC 2606, section 2), so no network is needed to fail.
    with pytest.raises(NetworkError, match=r"^registry\.invalid/none:1: "):
        build(engine, context("registry.invalid/none:1"))


def test_silent_step_is_cancelled(engine: Engine, tiny_base: str) -> None:
    seconds = f"30.{uuid.uuid4().int % 10**9:09d}"
    with pytest.raises(EngineError, match=rf"said nothing for 2 s; running: .*{seconds}"):
        build(engine, context(tiny_base, f"RUN sleep {seconds}"), idle_timeout=2)
    assert gone(seconds)


@pytest.mark.usefixtures("interruptible")
def test_interrupt_cancels(engine: Engine, tiny_base: str) -> None:
    seconds = f"31.{uuid.uuid4().int % 10**9:09d}"
    before = {t for t in threading.enumerate() if t.name.startswith("session")}
    timers: list[threading.Timer] = []

    def soon(event: Event) -> None:
        if isinstance(event, StepStarted) and seconds in event.name:
            timers.append(threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT)))
            timers[0].start()

    with pytest.raises(KeyboardInterrupt):
        build(engine, context(tiny_base, f"RUN sleep {seconds}"), on_event=soon)
    assert {t for t in threading.enumerate() if t.name.startswith("session")} <= before
    assert gone(seconds)


def test_large_output_arrives_whole_or_clipped(engine: Engine, tiny_base: str, name: str) -> None:
    """The engine may clip a step's output (2 MiB in Engine 20.10); we must not choke on it."""
    events: list[Event] = []
    step = f"RUN {unique()} seq 100000; printf '%200000s\\n' x | tr ' ' y"
    build(engine, context(tiny_base, step), tags=[name], on_event=events.append)
    found = lines(events)
    assert found[:2] == ["1", "2"]
    assert max(map(len, found)) <= 65536
