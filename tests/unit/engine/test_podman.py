"""What Podman says of a build, scripted, and what is made of it."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from imagekit.context import Context, ContextFile
from imagekit.engine.connection import Engine, connect
from imagekit.engine.failures import BuildFailedError
from imagekit.engine.podman import LACKS, build
from imagekit.errors import EngineError, NetworkError
from imagekit.events import Event, Notice, StepFinished, StepLog, StepStarted

if TYPE_CHECKING:
    from tests.unit.engine.conftest import FakeEngine

DOCKERFILE = """\
ARG BASE
FROM ${BASE} AS base
RUN make \\
    all
FROM base AS image
ENV A=b
COPY a /a
COPY b /b
"""
CONTEXT = Context(
    (ContextFile("Dockerfile", DOCKERFILE.encode()), ContextFile("a/b/c", b"", executable=True))
)
SAID = (
    "[1/2] STEP 1/2: FROM localhost/b:1 AS base\n",
    "[1/2] STEP 2/2: RUN make     all\n",
    "half a li",
    "ne\nanother\n",
    "--> 0123456789ab\n",
    f"[2/2] STEP 1/4: FROM {'c' * 64} AS image\n",
    "[2/2] STEP 2/4: ENV A=b\n",
    f"--> Using cache {'e' * 64}\n",
    "[2/2] STEP 3/4: COPY a /a\n",
    f"--> Using cache {'d' * 64}\n",
    "--> dddddddddddd\n",
    "[2/2] STEP 4/4: COPY b /b\n",
    "[2/2] COMMIT docker.io/a/b:1\n",
    "Successfully tagged docker.io/a/b:1\n",
)


@pytest.fixture
def podman(fake: FakeEngine) -> Iterator[Engine]:
    fake.version["Version"] = "5.4.2"
    fake.version["Components"] = [{"Name": "Podman Engine", "Version": "5.4.2"}]
    engine = connect(fake.url, podman=True)
    yield engine
    engine.close()


def streams(*said: str) -> list[object]:
    return [{"stream": text} for text in said]


def steps_of(events: list[Event]) -> list[tuple[str, bool]]:
    """Name and whether cached of each step that ended."""
    names = {event.step: event.name for event in events if isinstance(event, StepStarted)}
    ended = [event for event in events if isinstance(event, StepFinished)]
    return [(names[event.step], event.cached) for event in ended]


def test_its_words_are_told_as_buildkits_steps(fake: FakeEngine, podman: Engine) -> None:
    fake.builds(*streams(*SAID), {"aux": {"ID": fake.IMAGE}})
    fake.has(fake.IMAGE)
    fake.has("a/b:1")
    events: list[Event] = []
    result = build(podman, CONTEXT, tags=["a/b:1"], on_event=events.append)
    assert result.image_id == fake.IMAGE
    assert steps_of(events) == [
        ("[base 2/2] RUN make     all", False),
        ("[image 1/2] COPY a /a", True),
        ("[image 2/2] COPY b /b", False),
        ("exporting to image", False),
    ]
    assert [step.name for step in result.steps] == [name for name, _ in steps_of(events)]
    lines = [line for event in events if isinstance(event, StepLog) for line in event.lines]
    assert lines == ["half a line", "another"]


def test_every_build_begins_with_what_it_lacks(fake: FakeEngine, podman: Engine) -> None:
    fake.builds({"aux": {"ID": fake.IMAGE}})
    fake.has(fake.IMAGE)
    events: list[Event] = []
    build(podman, CONTEXT, on_event=events.append)
    assert events == [Notice(f"Podman 5.4.2: {lack}") for lack in LACKS]


def test_secrets_are_files_that_the_query_names(fake: FakeEngine, podman: Engine) -> None:
    fake.builds({"aux": {"ID": fake.IMAGE}})
    fake.has(fake.IMAGE)
    build(
        podman,
        CONTEXT,
        secrets={"ca": b"sesame"},
        build_args={"BASE": "b"},
        labels={"l": "2"},
        target="t",
        no_cache=True,
        network="host",
    )
    (query,) = [query for path, query in fake.queries.items() if path.endswith("/build")]
    (named,) = json.loads(query["secrets"][0])
    file = named.removeprefix("id=ca,src=")
    with tarfile.open(fileobj=io.BytesIO(fake.bodies["/build"])) as sent:
        secret = sent.extractfile(file)
        assert secret is not None
        assert secret.read() == b"sesame"
        assert sent.getnames() == ["a", "a/b", "Dockerfile", "a/b/c", file]
        # A folder without an entry has a new time at each build, and a step that mounts it
        # is not found in the cache.
        assert len({member.mtime for member in sent}) == 1
    assert json.loads(query["buildargs"][0]) == {"BASE": "b"}
    assert json.loads(query["labels"][0]) == {"l": "2"}
    assert (query["target"], query["nocache"], query["networkmode"]) == (["t"], ["1"], ["host"])


def test_a_step_that_fails_is_named_with_its_output(fake: FakeEngine, podman: Engine) -> None:
    text = 'building at STEP "RUN make     all": while running runtime: exit status 7\n'
    fake.builds(*streams(*SAID[:2], "no rule\n"), {"error": text, "errorDetail": {}})
    with pytest.raises(BuildFailedError, match="ended with exit code 7") as caught:
        build(podman, CONTEXT)
    assert caught.value.step == "[base 2/2] RUN make     all"
    assert caught.value.log_tail == ("no rule",)


def test_a_base_that_is_not_to_be_had(fake: FakeEngine, podman: Engine) -> None:
    text = "creating build container: pinging container registry b: connection refused"
    fake.builds(*streams(SAID[0]), {"error": text})
    with pytest.raises(NetworkError, match="connection refused"):
        build(podman, CONTEXT)


def test_a_dockerfile_that_is_wrong(fake: FakeEngine, podman: Engine) -> None:
    text = 'building at STEP "RUNX ": Build error: Unknown instruction: "RUNX"'
    fake.builds(*streams("STEP 1/2: FROM b\n", "STEP 2/2: RUNX a\n"), {"error": text})
    with pytest.raises(BuildFailedError, match=r"^Dockerfile: .*Unknown instruction"):
        build(podman, CONTEXT)


@pytest.mark.parametrize("end", ["clean", "cut"])
def test_no_image_is_no_success(fake: FakeEngine, podman: Engine, end: str) -> None:
    fake.builds(*streams(*SAID), end=end)
    with pytest.raises(EngineError):
        build(podman, CONTEXT)


def test_an_image_that_is_not_there_is_no_success(fake: FakeEngine, podman: Engine) -> None:
    fake.builds(*streams(*SAID), {"aux": {"ID": fake.IMAGE}})
    with pytest.raises(EngineError, match="is not there"):
        build(podman, CONTEXT)


def test_a_build_that_fell_silent_is_not_said_to_be_cancelled(
    fake: FakeEngine, podman: Engine
) -> None:
    fake.builds(*streams(*SAID[:2]), end="silence")
    with pytest.raises(EngineError, match=r"nothing for 0\.2 s; running: .*make") as caught:
        build(podman, CONTEXT, idle_timeout=0.2)
    assert "Podman may still run the step" in str(caught.value)
    assert "cancelled" not in str(caught.value)
