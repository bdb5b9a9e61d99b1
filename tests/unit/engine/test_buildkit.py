"""Builds against an engine that misbehaves on demand."""

from __future__ import annotations

import io
import json
import tarfile
import threading
from typing import TYPE_CHECKING

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from imagekit.context import Context, ContextFile
from imagekit.engine.buildkit import build, cancel
from imagekit.engine.failures import BuildFailedError
from imagekit.engine.protocol.control_pb2 import (
    StatusResponse,
    Vertex,
    VertexLog,
    VertexWarning,
)
from imagekit.errors import EngineError, InputError, NetworkError
from imagekit.events import Event

if TYPE_CHECKING:
    from imagekit.engine.connection import Engine
    from tests.unit.engine.conftest import FakeEngine

CONTEXT = Context((ContextFile("Dockerfile", b"FROM scratch\n"),))


def running(name: str = "RUN make", log: bytes = b"") -> StatusResponse:
    logs = [VertexLog(vertex=name, msg=log, stream=1)] if log else []
    vertex = Vertex(digest=name, name=name, started=Timestamp(seconds=10))
    return StatusResponse(vertexes=[vertex], logs=logs)


def failing(name: str, error: str) -> StatusResponse:
    start, end = Timestamp(seconds=10), Timestamp(seconds=12)
    vertex = Vertex(digest=name, name=name, started=start, completed=end, error=error)
    return StatusResponse(vertexes=[vertex])


def done(name: str = "RUN make") -> StatusResponse:
    return failing(name, "")


def test_success_is_what_can_be_inspected(fake: FakeEngine, engine: Engine) -> None:
    fake.builds(fake.trace(running()), fake.result(), fake.trace(done()))
    fake.has(fake.IMAGE)
    fake.has("a/b:1")
    result = build(
        engine,
        CONTEXT,
        tags=["a/b:1"],
        build_args={"V": "1"},
        labels={"l": "2"},
        target="t",
        no_cache=True,
        pull=True,
        network="host",
    )
    assert result.image_id == fake.IMAGE
    assert [(s.name, s.seconds, s.cached) for s in result.steps] == [("RUN make", 2.0, False)]
    query = fake.queries["/build"]
    assert query["version"] == ["2"]
    assert query["t"] == ["a/b:1"]
    assert json.loads(query["buildargs"][0]) == {"V": "1"}
    assert json.loads(query["labels"][0]) == {"l": "2"}
    assert (query["target"], query["nocache"], query["pull"]) == (["t"], ["1"], ["1"])
    assert query["networkmode"] == ["host"]
    assert query["session"] == [fake.headers["/session"]["X-Docker-Expose-Session-Uuid"]]
    with tarfile.open(fileobj=io.BytesIO(fake.bodies["/build"])) as archive:
        assert archive.getnames() == ["Dockerfile"]
    assert not [t for t in threading.enumerate() if t.name.startswith("session")]


def test_error_line_names_the_step_and_keeps_its_output(fake: FakeEngine, engine: Engine) -> None:
    text = "executor failed running [/bin/sh -c make]: exit code: 3"
    log = b"".join(b"line %d\n" % i for i in range(40))
    fake.builds(
        fake.trace(running(log=log)), fake.trace(failing("RUN make", text)), {"error": text}
    )
    with pytest.raises(BuildFailedError, match=r"^RUN make: ended with exit code 3$") as caught:
        build(engine, CONTEXT)
    assert caught.value.exit_code == 1
    assert caught.value.step == "RUN make"
    assert caught.value.log_tail == tuple(f"line {i}" for i in range(20, 40))
    assert caught.value.engine_message == text


def test_error_after_a_result_is_still_a_failure(fake: FakeEngine, engine: Engine) -> None:
    fake.has(fake.IMAGE)
    fake.builds(fake.result(), {"error": "failed to export"})
    with pytest.raises(BuildFailedError, match="failed to export"):
        build(engine, CONTEXT)


def test_wrong_dockerfile(fake: FakeEngine, engine: Engine) -> None:
    fake.builds({"error": "failed to solve: dockerfile parse error line 2: unknown X"})
    with pytest.raises(BuildFailedError, match=r"^Dockerfile: dockerfile parse error line 2"):
        build(engine, CONTEXT)


def test_base_that_cannot_be_had(fake: FakeEngine, engine: Engine) -> None:
    name = "[internal] load metadata for reg.test/base:1"
    error = "pull access denied, repository does not exist or may require authorization"
    fake.builds(fake.trace(failing(name, error)), {"error": f"failed to solve: {error}"})
    with pytest.raises(NetworkError, match=r"(?s)^reg.test/base:1: pull access.*docker login"):
        build(engine, CONTEXT)


def test_full_disk_while_getting_the_base(fake: FakeEngine, engine: Engine) -> None:
    error = "write /x: no space left on device"
    fake.builds(fake.trace(failing("[1/2] FROM base", error)), {"error": error})
    with pytest.raises(EngineError, match="the engine's disk is full"):
        build(engine, CONTEXT)


def test_full_disk_in_a_step(fake: FakeEngine, engine: Engine) -> None:
    log = b"cp: error writing: No space left on device\n"
    error = "exit code: 1"
    fake.builds(
        fake.trace(running(log=log)), fake.trace(failing("RUN make", error)), {"error": error}
    )
    with pytest.raises(BuildFailedError, match="the engine's disk is full"):
        build(engine, CONTEXT)


@pytest.mark.parametrize("end", ["clean", "cut"])
@pytest.mark.parametrize("pieces", range(8))
def test_early_end_is_never_success(
    fake: FakeEngine, engine: Engine, pieces: int, end: str
) -> None:
    fake.has(fake.IMAGE)
    fake.has("a" * 12)
    log = f"writing image {fake.IMAGE}\nsha256:{'a' * 64}\n".encode()
    half = json.dumps(fake.trace(running(log=log))).encode()
    messages = [
        fake.trace(running()),
        {"stream": f"Successfully built {'a' * 12}\n"},
        fake.trace(running(log=log)),
        {"id": "moby.image.id"},
        {"id": "moby.image.id", "aux": {}},
        {"aux": {"ID": fake.IMAGE}},
        half,
    ]
    fake.builds(*messages[:pieces], end=end)
    with pytest.raises(EngineError):
        build(engine, CONTEXT)


@pytest.mark.parametrize("end", ["clean", "cut"])
@pytest.mark.parametrize("point", range(1, 21))
def test_cut_anywhere_is_a_failure_and_not_tried_again(
    fake: FakeEngine, engine: Engine, point: int, end: str
) -> None:
    fake.has(fake.IMAGE)
    fake.has("a:1")
    records = (running(), running(log=f"writing image {fake.IMAGE}\n".encode()), done())
    messages = [*map(fake.trace, records), fake.result()]
    whole = b"".join(json.dumps(message).encode() + b"\n" for message in messages)
    fake.builds(whole[: (len(whole) - 2) * point // 20], end=end)
    with pytest.raises(EngineError):
        build(engine, CONTEXT, tags=["a:1"])
    assert fake.asked.count(("POST", "/build")) == 1


def test_broken_connection_names_the_step(fake: FakeEngine, engine: Engine) -> None:
    fake.builds(fake.trace(running()), end="cut")
    with pytest.raises(
        EngineError, match=r"(?s)closed the connection.*; running: RUN make\n.*cache"
    ):
        build(engine, CONTEXT)


def test_cut_after_the_result_is_no_success(fake: FakeEngine, engine: Engine) -> None:
    fake.has(fake.IMAGE)
    fake.builds(fake.result(), end="cut")
    with pytest.raises(EngineError, match="closed the connection"):
        build(engine, CONTEXT)
    assert ("POST", "/build/cancel") in fake.asked


def test_silence_is_limited_and_cancelled(fake: FakeEngine, engine: Engine) -> None:
    fake.builds(fake.trace(running()), end="silence")
    with pytest.raises(EngineError, match=r"said nothing for 0\.2 s; running: RUN make"):
        build(engine, CONTEXT, idle_timeout=0.2)
    assert ("POST", "/build/cancel") in fake.asked
    assert fake.queries["/build/cancel"]["id"] == fake.queries["/build"]["buildid"]
    assert fake.gone.wait(5)


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (500, b'{"message": "on fire"}', "answered 500: on fire"),
        (500, b'{"message": "no space left on device"}', "the engine's disk is full"),
        (500, b"<html>oops", "answered 500: <html>oops"),
        (404, b"", "answered 404: nothing"),
    ],
)
def test_error_status(
    fake: FakeEngine, engine: Engine, status: int, body: bytes, expected: str
) -> None:
    fake.refused["/build"] = (status, body)
    with pytest.raises(EngineError, match=expected):
        build(engine, CONTEXT)


@pytest.mark.parametrize(
    "line",
    [
        b"<html>\n",
        b"[1]\n",
        b"\xff\xfe\n",
        b'{"id":"moby.buildkit.trace","aux":"%%%"}\n',
        b'{"id":"moby.buildkit.trace","aux":"/////w=="}\n',
        b'{"id":"moby.buildkit.trace"}\n',
    ],
)
def test_garbage(fake: FakeEngine, engine: Engine, line: bytes) -> None:
    fake.builds(line)
    with pytest.raises(EngineError):
        build(engine, CONTEXT)


def test_endless_line(fake: FakeEngine, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imagekit.engine.stream._MAX_LINE", 1000)
    fake.builds(b"x" * 5000)
    with pytest.raises(EngineError, match="a line of over 1000 bytes"):
        build(engine, CONTEXT)


def test_claimed_image_that_is_not_there(fake: FakeEngine, engine: Engine) -> None:
    fake.builds(fake.result())
    with pytest.raises(EngineError, match=f"{fake.IMAGE} is not there"):
        build(engine, CONTEXT)


def test_tag_that_names_another_image(fake: FakeEngine, engine: Engine) -> None:
    fake.builds(fake.result())
    fake.has(fake.IMAGE)
    fake.has("a:1", "sha256:other")
    with pytest.raises(EngineError, match="but a:1 is sha256:other"):
        build(engine, CONTEXT, tags=["a:1"])


def test_platform_is_asked_for_and_proved(fake: FakeEngine, engine: Engine) -> None:
    fake.builds(fake.result())
    fake.has(fake.IMAGE, Os="linux", Architecture="arm64")
    build(engine, CONTEXT, platform="linux/aarch64")
    assert fake.queries["/build"]["platform"] == ["linux/arm64"]
    with pytest.raises(EngineError, match="cannot build for linux/amd64: the image is for linux/a"):
        build(engine, CONTEXT, platform="linux/amd64")


def test_base_of_another_platform_is_given_up_on(fake: FakeEngine, engine: Engine) -> None:
    """The engine would go on, and call what it builds by the platform that was asked for."""
    text = b"InvalidBaseImagePlatform: Base image b was pulled with platform linux/amd64"
    warning = StatusResponse(warnings=[VertexWarning(vertex="b", short=text)])
    fake.has(fake.IMAGE, Os="linux", Architecture="arm64")
    fake.builds(fake.trace(warning), fake.result())
    with pytest.raises(EngineError, match="cannot build for linux/arm64: Base image b was pulled"):
        build(engine, CONTEXT, platform="linux/arm64")
    assert ("POST", "/build/cancel") in fake.asked
    build(engine, CONTEXT)  # a Dockerfile may mean it


def test_programs_of_another_platform(fake: FakeEngine, engine: Engine) -> None:
    log, error = b"exec /bin/sh: exec format error\n", "exit code: 255"
    fake.builds(
        fake.trace(running(log=log)), fake.trace(failing("RUN make", error)), {"error": error}
    )
    with pytest.raises(EngineError, match=r"for linux/arm64: its programs .* \(RUN make\)"):
        build(engine, CONTEXT, platform="linux/arm64")
    with pytest.raises(BuildFailedError, match="ended with exit code 255"):
        build(engine, CONTEXT)


def test_what_is_no_platform_is_refused_at_once(fake: FakeEngine, engine: Engine) -> None:
    with pytest.raises(InputError, match="linux/architecture"):
        build(engine, CONTEXT, platform="arm64")
    assert ("POST", "/session") not in fake.asked


def test_without_buildkit_nothing_is_sent(fake: FakeEngine) -> None:
    fake.version["Components"] = []
    engine = fake.connect()
    with pytest.raises(EngineError, match="does not build with BuildKit"):
        build(engine, CONTEXT)
    engine.close()
    assert not [path for method, path in fake.asked if method == "POST"]


def test_refused_session(fake: FakeEngine, engine: Engine) -> None:
    fake.refused["/session"] = (400, b"no upgrade")
    with pytest.raises(EngineError, match=r"refused /session: HTTP/1\.1 400"):
        build(engine, CONTEXT)
    assert ("POST", "/build") not in fake.asked


def test_large_secret_is_refused_at_once(fake: FakeEngine, engine: Engine) -> None:
    with pytest.raises(InputError, match="secret x: is 512001 bytes"):
        build(engine, CONTEXT, secrets={"x": b"." * 512_001})
    assert ("POST", "/session") not in fake.asked


@pytest.mark.parametrize("moment", range(20))
def test_interrupt_cancels_and_leaves_nothing(
    fake: FakeEngine, engine: Engine, moment: int
) -> None:
    names = [f"RUN {number}" for number in range(7)]
    records = [
        record for name in names for record in (running(name), running(name, b"a\n"), done(name))
    ]
    fake.builds(*map(fake.trace, records), end="silence")
    seen = 0

    def interrupt(event: Event) -> None:
        nonlocal seen
        seen += 1
        if seen > moment:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(engine, CONTEXT, on_event=interrupt)
    assert fake.gone.wait(5)  # the connection is closed
    assert ("POST", "/build/cancel") in fake.asked
    assert not [t for t in threading.enumerate() if t.name.startswith("session")]


def test_a_build_is_cancelled_by_its_id(fake: FakeEngine, engine: Engine) -> None:
    """Which whoever asks for the build may choose, so that another thread knows it."""
    fake.has(fake.IMAGE)
    fake.builds(fake.result())
    build(engine, CONTEXT, build_id="b1")
    assert fake.queries["/build"]["buildid"] == ["b1"]
    cancel(engine, "b1", timeout=5)
    assert fake.queries["/build/cancel"]["id"] == ["b1"]
    build(engine, CONTEXT)
    assert fake.queries["/build"]["buildid"] != ["b1"]


def test_cancelling_never_fails(fake: FakeEngine, engine: Engine) -> None:
    fake.refused["/build/cancel"] = (500, b"on fire")
    cancel(engine, "unknown")
