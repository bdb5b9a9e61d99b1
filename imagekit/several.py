"""Several images at once in one engine, each built in a thread of its own.

BuildKit itself runs what two builds have in common once: steps are the same when what
goes into them is, whichever build they belong to. What it does not know of is done here,
one after the other, before the first build: bases, which two builds must not both make.
"""

from __future__ import annotations

import queue
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, replace

from imagekit import bases
from imagekit.bases import Base
from imagekit.build import Built, Job, build_on, require
from imagekit.engine import buildkit
from imagekit.engine.connection import Engine
from imagekit.engine.failures import BuildFailedError
from imagekit.errors import ImagekitError
from imagekit.events import BuildFinished, BuildStarted
from imagekit.lock import freeze
from imagekit.lock.model import Lock
from imagekit.plan.model import Os
from imagekit.site import Site
from imagekit.wait import Deadline, NotYetError, until

_STOP_SECONDS = 4.0
"""How long builds have to end after Ctrl-C; what is left then ends with the process."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a job: either an image, or the error."""

    job: Job
    result: Built | ImagekitError


def build_all(
    engine: Engine,
    connect: Callable[[], Engine],
    jobs: Sequence[Job],
    workers: int,
    locks: Mapping[str, Lock] = {},
) -> tuple[Outcome, ...]:
    """Build images, some of them at the same time; one that fails does not stop the others.

    On Ctrl-C all builds are cancelled.

    Args:
        engine: for what is done in the calling thread.
        connect: gives each thread a connection of its own to the same engine, since
            docker-py's client is a session of requests, which promises no thread safety
            (https://github.com/psf/requests/issues/2766).
        jobs: what to build.
        workers: how many builds run at the same time, at most.
        locks: what builds are held to, by profile.

    Returns:
        What became of each job, in their order, held to its lock where it has one.
    """
    crew = _Crew(engine, jobs, locks)
    crew.prepare()
    # Two builds on Podman would run the same steps side by side.
    count = 1 if engine.podman else min(workers, len(jobs))
    with ExitStack() as stack:
        crew.work([stack.enter_context(closing(connect())) for _ in range(count)])
    return tuple(crew.outcomes[index] for index in range(len(jobs)))


class _Crew:
    """Threads that take one job after the other."""

    def __init__(self, engine: Engine, jobs: Sequence[Job], locks: Mapping[str, Lock]) -> None:
        self.outcomes: dict[int, Outcome] = {}
        self._engine = engine
        self._jobs = list(jobs)
        self._locks = locks
        self._waiting: queue.SimpleQueue[tuple[int, Base]] = queue.SimpleQueue()
        self._running: dict[int, str] = {}  # build ids
        self._stopped = threading.Event()
        self._bugs: list[BaseException] = []

    def prepare(self) -> None:
        """Have the bases; jobs without one have failed.

        Raises:
            EngineError: the engine cannot build at all.
        """
        require(self._engine)
        found: dict[tuple[Os, Site], Base | ImagekitError] = {}
        for index, job in enumerate(self._jobs):
            if lock := self._locks.get(job.plan.profile):
                base = self._freeze(index, lock)
            else:
                key = (job.plan.os, job.site)
                if key not in found:
                    found[key] = self._obtain(job)
                base = found[key]
            if isinstance(base, ImagekitError):
                job.on_event(BuildStarted())
                job.on_event(BuildFinished(0.0, base.messages[0].what))
                self.outcomes[index] = Outcome(job, base)
            else:
                self._waiting.put((index, base))

    def _obtain(self, job: Job) -> Base | ImagekitError:
        try:
            return bases.obtain(
                self._engine,
                job.plan.os,
                job.site,
                fresh=job.options.pull,
                on_event=job.on_event,
            )
        except ImagekitError as error:
            return error

    def _freeze(self, index: int, lock: Lock) -> Base | ImagekitError:
        """Have a job held to a lock; its base."""
        job = self._jobs[index]
        try:
            frozen = freeze.freeze(self._engine, job.plan, lock, job.site, job.on_event)
        except ImagekitError as error:
            return error
        self._jobs[index] = replace(job, options=replace(job.options, frozen=frozen))
        return frozen.base

    def work(self, engines: Sequence[Engine]) -> None:
        """Build until nothing waits, in a thread for each connection.

        Raises:
            KeyboardInterrupt: as it came, after the builds were stopped.
        """
        threads = [
            threading.Thread(target=self._work, args=(engine,), name=f"build {number}", daemon=True)
            for number, engine in enumerate(engines)
        ]
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        except BaseException:
            self._stop(threads)
            raise
        if self._bugs:
            raise self._bugs[0]

    def _stop(self, threads: Sequence[threading.Thread]) -> None:
        """Cancel every build and wait for its thread.

        An engine that has not heard of a build yet takes no notice, so it is told until the
        thread has ended.
        """
        self._stopped.set()
        deadline = Deadline.after(_STOP_SECONDS)

        def ended() -> None:
            for build_id in list(self._running.values()):
                buildkit.cancel(self._engine, build_id, deadline.timeout(1.0))
            if alive := [thread.name for thread in threads if thread.is_alive()]:
                raise NotYetError(", ".join(alive))

        with suppress(TimeoutError):
            until(ended, deadline)

    def _work(self, engine: Engine) -> None:
        """What a thread does."""
        try:
            while not self._stopped.is_set():
                index, base = self._waiting.get_nowait()
                self.outcomes[index] = self._build(engine, index, base)
        except queue.Empty:
            return
        except BaseException as bug:  # noqa: BLE001 - goes on in the thread that called
            self._bugs.append(bug)

    def _build(self, engine: Engine, index: int, base: Base) -> Outcome:
        job = self._jobs[index]
        build_id = self._running[index] = uuid.uuid4().hex
        began = time.monotonic()
        job.on_event(BuildStarted())
        try:
            options = replace(job.options, build_id=build_id)
            result: Built | ImagekitError
            result = built = build_on(engine, base, replace(job, options=options))
            if lock := self._locks.get(job.plan.profile):
                freeze.prove(engine, job.plan, built.image_id, lock)
            error = ""
        except BuildFailedError as failed:
            result = freeze.drift(failed, job.plan) if job.options.frozen else failed
            error = result.messages[0].what
        except ImagekitError as failed:
            result, error = failed, failed.messages[0].what
        finally:
            del self._running[index]
        job.on_event(BuildFinished(time.monotonic() - began, error))
        return Outcome(job, result)
