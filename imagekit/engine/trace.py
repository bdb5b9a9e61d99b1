"""BuildKit's trace, told as events.

BuildKit resends a step whole whenever something about it changes, runs some steps more
than once (``FROM`` first to resolve the name, later to unpack), and reports housekeeping
as steps. What people are told of it:

* Every run of a step is started once and finished once. A second run that is worth
  telling has an identity of its own (``…#2``).
* *Quiet* runs are told only when they take half a second, fail, log, or transfer: the
  housekeeping (names that begin with ``[internal]``, ``[auth]``; ``copy /context``),
  ``FROM``, and second runs. So a slow registry shows, a local base does not.
* A line that a program redraws with carriage returns is told as it last looked.
"""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from google.protobuf.message import DecodeError
from google.protobuf.timestamp_pb2 import Timestamp

from imagekit.engine.protocol.control_pb2 import StatusResponse, Vertex, VertexLog, VertexStatus
from imagekit.events import Emit, Notice, StepFinished, StepLog, StepProgress, StepStarted

LOG_TAIL = 20
"""Lines of a step's output that are kept for its error."""

_QUIET_SECONDS = 0.5
_MAX_LINE = 65536  # bytes; a longer line is told in pieces
_MAX_TAIL_LINE = 2000  # characters of a kept line
_MAX_WARNINGS = 50

_HOUSEKEEPING = re.compile(r"\[internal\] |\[auth\] |copy /context /")
_FROM = re.compile(r"(\[[^\]]*\] )?FROM ")  # without the bracket for COPY --from=IMAGE
_LOAD_BASE = re.compile(r"\[internal\] load metadata for |(\[[^\]]*\] )?FROM ")
_OTHER_PLATFORM = re.compile(r"InvalidBaseImagePlatform: ")
_CANCELED = re.compile(r"context canceled|: canceled$")


@dataclass(frozen=True, slots=True)
class StepRun:
    """A run of a step that ended and was told.

    Attributes:
        name: the step's name.
        seconds: by the engine's clock; 0.0 when cached.
        cached: whether the result came from the cache.
    """

    name: str
    seconds: float
    cached: bool


@dataclass(frozen=True, slots=True)
class FailedStep:
    """The step that made a build fail.

    Attributes:
        name: the step's name.
        error: the engine's message.
        log_tail: its last lines of output, at most ``LOG_TAIL``.
        loads_base: whether it was to get a base image from a registry or the engine.
    """

    name: str
    error: str
    log_tail: tuple[str, ...]
    loads_base: bool


@dataclass(slots=True)
class _Step:
    """A vertex, and how far its current run is."""

    name: str
    digest: str
    quiet: bool
    run: int = 1
    since: float = 0.0  # when the run was first seen, by our clock
    started: float = 0.0  # by the engine's clock
    completed: float = 0.0
    done: bool = False
    told: bool = False
    partial: dict[int, bytearray] = field(default_factory=dict)  # by output stream
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=LOG_TAIL))
    progress: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return self.digest if self.run == 1 else f"{self.digest}#{self.run}"


class Trace:
    """Turns the trace records of one build into events; memory is bounded by the steps."""

    def __init__(self, emit: Emit, clock: Callable[[], float] = time.monotonic) -> None:
        """Tell ``emit``; ``clock`` gives seconds."""
        self._emit = emit
        self._clock = clock
        self._steps: dict[str, _Step] = {}
        self._running: dict[str, _Step] = {}
        self._failed: tuple[_Step, str] | None = None
        self._warnings: set[str] = set()
        self._misfit = ""
        self._runs: list[StepRun] = []

    @property
    def runs(self) -> tuple[StepRun, ...]:
        """The runs that were told, in the order of their ends."""
        return tuple(self._runs)

    @property
    def running(self) -> tuple[str, ...]:
        """The names of the steps that run now, told or not."""
        return tuple(step.name for step in self._running.values())

    @property
    def misfit(self) -> str:
        """That a base image is of another platform than was asked for; empty when none is.

        BuildKit builds on such a base all the same and calls the result by the platform
        that was asked for (check ``InvalidBaseImagePlatform``,
        https://docs.docker.com/reference/build-checks/invalid-base-image-platform/).
        """
        return self._misfit

    @property
    def failed(self) -> FailedStep | None:
        """The first step that failed by itself, rather than being cancelled for another."""
        if self._failed is None:
            return None
        step, error = self._failed
        loads_base = bool(_LOAD_BASE.match(step.name))
        return FailedStep(step.name, error, tuple(step.tail), loads_base)

    def feed(self, record: bytes) -> None:
        """Take one record, a serialized ``moby.buildkit.v1.StatusResponse``.

        Raises:
            ValueError: the record cannot be decoded.
        """
        try:
            status = StatusResponse.FromString(record)
        except DecodeError as error:
            raise ValueError(str(error)) from error
        self.take(status)

    def take(self, status: StatusResponse) -> None:
        """Take one record that is decoded."""
        # Starts come before the output that belongs to them, ends after it.
        for vertex in status.vertexes:
            self._begin(vertex)
        for log in status.logs:
            self._log(log)
        for progress in status.statuses:
            self._progress(progress)
        for vertex in status.vertexes:
            self._end(vertex)
        for warning in status.warnings:
            self._warn(warning.short.decode(errors="replace"))
        self._tell_slow()

    def close(self) -> None:
        """Tell what is left when the stream has ended: lines without their line end."""
        for step in self._steps.values():
            self._flush(step)

    def _begin(self, vertex: Vertex) -> None:
        step = self._steps.get(vertex.digest)
        if step is None:
            quiet = bool(_HOUSEKEEPING.match(vertex.name) or _FROM.match(vertex.name))
            step = self._steps[vertex.digest] = _Step(vertex.name, vertex.digest, quiet)
        if not vertex.HasField("started"):
            return
        started = _seconds(vertex.started)
        if step.done and started > step.completed:
            step.run, step.done, step.told, step.quiet = step.run + 1, False, False, True
        if not step.done and vertex.digest not in self._running:
            self._running[vertex.digest] = step
            step.started, step.since = started, self._clock()
            if not step.quiet:
                self._tell(step)

    def _end(self, vertex: Vertex) -> None:
        step = self._steps[vertex.digest]
        if step.done or not (vertex.HasField("completed") or vertex.error):
            return
        step.completed = _seconds(vertex.completed) or step.started
        seconds = 0.0 if vertex.cached else max(0.0, step.completed - step.started)
        if step.started == 0.0:  # failed before it started
            seconds = 0.0
        broken = bool(vertex.error) and not _CANCELED.search(vertex.error)
        if broken or not step.quiet or seconds >= _QUIET_SECONDS:
            self._tell(step)
        self._flush(step)
        step.done = True
        self._running.pop(vertex.digest, None)
        if step.told:
            self._emit(StepFinished(step.id, seconds, vertex.cached, vertex.error))
            self._runs.append(StepRun(step.name, seconds, vertex.cached))
        if broken and self._failed is None:
            self._failed = (step, vertex.error)
        else:
            step.tail.clear()
        step.progress.clear()

    def _log(self, log: VertexLog) -> None:
        step = self._steps.get(log.vertex)
        if step is None:
            return
        self._tell(step)
        partial = step.partial.setdefault(log.stream, bytearray())
        partial += log.msg
        *lines, last = bytes(partial).split(b"\n")
        while len(last) > _MAX_LINE:
            if b"\r" in last:
                last = last[last.rindex(b"\r", 0, len(last)) + 1 :]
                continue
            lines.append(last[:_MAX_LINE])
            last = last[_MAX_LINE:]
        partial[:] = last
        self._tell_lines(step, lines)

    def _flush(self, step: _Step) -> None:
        """Tell the lines that have no line end."""
        lines = [bytes(partial) for partial in step.partial.values() if partial]
        step.partial.clear()
        self._tell_lines(step, lines)

    def _tell_lines(self, step: _Step, lines: list[bytes]) -> None:
        pieces = [
            redrawn[start : start + _MAX_LINE]
            for line in lines
            for redrawn in [line.rstrip(b"\r").rpartition(b"\r")[2]]
            for start in range(0, max(1, len(redrawn)), _MAX_LINE)
        ]
        if pieces:
            texts = tuple(piece.decode(errors="replace") for piece in pieces)
            step.tail.extend(text[:_MAX_TAIL_LINE] for text in texts)
            self._emit(StepLog(step.id, texts))

    def _progress(self, status: VertexStatus) -> None:
        step = self._steps.get(status.vertex)
        now = (status.current, status.total)
        if step is None or not any(now) or step.progress.get(status.ID) == now:
            return
        step.progress[status.ID] = now
        if not _HOUSEKEEPING.match(step.name):
            self._tell(step)
        if step.told:
            self._emit(StepProgress(step.id, status.ID, *now))

    def _warn(self, text: str) -> None:
        if _OTHER_PLATFORM.match(text):
            self._misfit = self._misfit or _OTHER_PLATFORM.sub("", text)
        if text and text not in self._warnings and len(self._warnings) < _MAX_WARNINGS:
            self._warnings.add(text)
            self._emit(Notice(f"the engine warns: {text}"))

    def _tell_slow(self) -> None:
        """Tell the quiet runs that have become worth it."""
        now = self._clock()
        for step in self._running.values():
            if not step.told and now - step.since >= _QUIET_SECONDS:
                self._tell(step)

    def _tell(self, step: _Step) -> None:
        if not step.told and not step.done:
            step.told = True
            self._emit(StepStarted(step.id, step.name))


def _seconds(stamp: Timestamp) -> float:
    return stamp.seconds + stamp.nanos / 1e9
