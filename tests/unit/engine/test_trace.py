"""BuildKit's trace as events."""

from __future__ import annotations

import tracemalloc
from dataclasses import dataclass, field

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from imagekit.engine.protocol.control_pb2 import (
    StatusResponse,
    Vertex,
    VertexLog,
    VertexStatus,
    VertexWarning,
)
from imagekit.engine.trace import LOG_TAIL, Trace
from imagekit.events import Event, Notice, StepFinished, StepLog, StepProgress, StepStarted, ignore


@dataclass
class Watch:
    """A trace with its events and a clock that is set by hand."""

    events: list[Event] = field(default_factory=list)
    now: float = 0.0

    def __post_init__(self) -> None:
        self.trace = Trace(self.events.append, lambda: self.now)

    def vertex(
        self,
        name: str,
        start: float = 0,
        end: float = 0,
        *,
        cached: bool = False,
        error: str = "",
        digest: str = "",
    ) -> None:
        vertex = Vertex(digest=digest or name, name=name, cached=cached, error=error)
        if start:
            vertex.started.CopyFrom(_stamp(start))
        if end:
            vertex.completed.CopyFrom(_stamp(end))
        self.trace.feed(StatusResponse(vertexes=[vertex]).SerializeToString())

    def log(self, name: str, data: bytes, stream: int = 1) -> None:
        log = VertexLog(vertex=name, msg=data, stream=stream)
        self.trace.feed(StatusResponse(logs=[log]).SerializeToString())

    def progress(self, name: str, item: str, current: int, total: int) -> None:
        status = VertexStatus(vertex=name, ID=item, current=current, total=total)
        self.trace.feed(StatusResponse(statuses=[status]).SerializeToString())

    def lines(self) -> list[str]:
        return [line for e in self.events if isinstance(e, StepLog) for line in e.lines]


def _stamp(seconds: float) -> Timestamp:
    return Timestamp(seconds=int(seconds), nanos=round(seconds % 1 * 1e9))


@pytest.fixture
def watch() -> Watch:
    return Watch()


def test_resent_steps_start_and_finish_once(watch: Watch) -> None:
    watch.vertex("RUN a")  # planned
    for _ in range(3):
        watch.vertex("RUN a", 10)
    for _ in range(3):
        watch.vertex("RUN a", 10, 12.5)
    assert watch.events == [
        StepStarted("RUN a", "RUN a"),
        StepFinished("RUN a", 2.5, cached=False, error=""),
    ]
    assert [(run.name, run.seconds, run.cached) for run in watch.trace.runs] == [
        ("RUN a", 2.5, False)
    ]


def test_cached_step_takes_no_time(watch: Watch) -> None:
    watch.vertex("RUN a", 10, 12, cached=True)
    assert watch.events[1:] == [StepFinished("RUN a", 0.0, cached=True, error="")]


def test_lines_are_whole(watch: Watch) -> None:
    watch.vertex("RUN a", 10)
    for piece in (b"on", b"e\ntwo\r\nth", "ré".encode()[:2], "ré".encode()[2:], b"e\n\nl\xff"):
        watch.log("RUN a", piece)
    watch.log("RUN a", b"other stream\n", stream=2)
    watch.vertex("RUN a", 10, 11)
    assert watch.lines() == ["one", "two", "thrée", "", "other stream", "l�"]
    assert isinstance(watch.events[-1], StepFinished)


def test_redrawn_line_is_told_as_it_last_looked(watch: Watch) -> None:
    watch.vertex("RUN a", 10)
    watch.log("RUN a", b"10%\r20%\r")
    watch.log("RUN a", b"100%\ndone\n")
    assert watch.lines() == ["100%", "done"]


@pytest.mark.parametrize("pattern", [b"x" * 200_000, b"y\r" * 100_000, b"z" * 40 + b"\n"])
def test_memory_is_bounded(pattern: bytes) -> None:
    trace = Trace(ignore)
    trace.feed(
        StatusResponse(
            vertexes=[Vertex(digest="d", name="RUN", started=_stamp(1))]
        ).SerializeToString()
    )
    record = StatusResponse(logs=[VertexLog(vertex="d", msg=pattern)]).SerializeToString()
    tracemalloc.start()
    for _ in range(50):  # up to 10 MB
        trace.feed(record)
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert used < 1_000_000


def test_housekeeping_is_told_only_when_slow_or_failing(watch: Watch) -> None:
    watch.vertex("[internal] load remote build context", 10, 10.1)
    watch.vertex("copy /context /", 10, 10.1)
    watch.vertex("[1/2] FROM base", 10, 10.1)
    watch.progress("[internal] load remote build context", "transferring", 3, 5)
    assert watch.events == []
    watch.vertex("[internal] load metadata for x", 20)
    watch.now = 1.0
    watch.progress("other", "none", 0, 0)  # any record tells that time has passed
    assert watch.events == [
        StepStarted("[internal] load metadata for x", "[internal] load metadata for x")
    ]
    watch.vertex("[internal] load metadata for x", 20, 22)
    assert len(watch.events) == 2
    watch.vertex("[internal] load metadata for y", 20, 20.1, error="no such host")
    assert [type(e) for e in watch.events[2:]] == [StepStarted, StepFinished]
    assert watch.trace.failed is not None
    assert watch.trace.failed.loads_base


def test_pull_inside_from_is_told(watch: Watch) -> None:
    watch.vertex("[1/2] FROM base", 10, 10.001)  # resolved
    watch.vertex("[1/2] FROM base", 10.1)  # now pulled
    watch.progress("[1/2] FROM base", "sha256:1", 5, 10)
    watch.progress("[1/2] FROM base", "sha256:1", 5, 10)
    watch.vertex("[1/2] FROM base", 10.1, 14)
    assert [type(e) for e in watch.events] == [StepStarted, StepProgress, StepFinished]
    assert len({e.step for e in watch.events if not isinstance(e, Notice)}) == 1


def test_second_slow_run_is_a_step_of_its_own(watch: Watch) -> None:
    watch.vertex("RUN a", 10, 11)
    watch.vertex("RUN a", 11.5, 11.6)  # too short to tell
    watch.vertex("RUN a", 12, 14)
    assert [(e.step, e.seconds) for e in watch.events if isinstance(e, StepFinished)] == [
        ("RUN a", 1.0),
        ("RUN a#3", 2.0),
    ]


def test_failed_step_with_its_last_lines(watch: Watch) -> None:
    watch.vertex("RUN other", 10)
    watch.vertex("RUN bad", 10)
    watch.log("RUN bad", b"".join(b"line %d\n" % i for i in range(50)) + b"no end")
    watch.vertex("RUN other", 10, 11, error="context canceled")
    watch.vertex("RUN bad", 10, 11, error="exit code: 3")
    failed = watch.trace.failed
    assert failed is not None
    assert (failed.name, failed.error, failed.loads_base) == ("RUN bad", "exit code: 3", False)
    assert len(failed.log_tail) == LOG_TAIL
    assert failed.log_tail[-2:] == ("line 49", "no end")


def test_cancelled_housekeeping_is_not_told(watch: Watch) -> None:
    watch.vertex("[internal] load metadata for x", 10, 10.1, error="context canceled")
    assert watch.events == []
    assert watch.trace.failed is None


def test_running_steps_are_known(watch: Watch) -> None:
    watch.vertex("RUN a", 10)
    watch.vertex("RUN b", 10, 11)
    assert watch.trace.running == ("RUN a",)


def test_warning_is_told_once(watch: Watch) -> None:
    for _ in range(2):
        warning = VertexWarning(vertex="a", short=b"JSON form is better")
        watch.trace.feed(StatusResponse(warnings=[warning]).SerializeToString())
    assert watch.events == [Notice("the engine warns: JSON form is better")]


def test_output_of_an_unknown_step_is_dropped(watch: Watch) -> None:
    watch.log("nobody", b"x\n")
    watch.progress("nobody", "x", 1, 2)
    assert watch.events == []


def test_garbage() -> None:
    with pytest.raises(ValueError, match=r"Error|Unexpected|Wrong"):
        Trace(ignore).feed(b"\xff\xff\xff")
