"""A run of the checks is watched: whatever kills it, its containers go."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, cast

import docker.errors

from imagekit.checks import watcher
from imagekit.engine.connection import Engine
from imagekit.engine.endpoint import Endpoint, Tls
from imagekit.errors import Message, WorkFailedError

QUIET_SECONDS = 5.0
"""How long nothing of a killed run may appear before its watcher ends."""

UNDER_WAY_SECONDS = 60.0
"""The same when a container was asked for: a busy engine takes its time to make one."""

_END_SECONDS = 10.0

_acting: list[subprocess.Popen[bytes]] = []
"""Watchers that clean up after this process; Python complains of those that it forgets."""


class Watch:
    """What a run tells its watcher."""

    __slots__ = ("_lock", "_over", "_pipe", "_under_way", "removed")

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe
        self._lock = threading.Lock()
        self._under_way = 0
        self._over = False
        self.removed = False
        """Whether nothing of the run is left, nor will appear."""

    @contextmanager
    def creating(self) -> Iterator[None]:
        """Around a request for a container, which the engine may go on with when we do not.

        Checks make some in threads of their own. A ``WorkFailedError`` and docker-py's
        ``APIError`` are its answers; whatever else interrupts is none.

        Raises:
            InterruptedError: the run is being removed.
        """
        with self._lock:
            if self._over:
                raise InterruptedError("the run is over")
            self._under_way += 1
            if self._under_way == 1:
                self.tell("creating")
        try:
            yield
        except (WorkFailedError, docker.errors.APIError):
            self._answered()
            raise
        self._answered()

    def _answered(self) -> None:
        with self._lock:
            self._under_way -= 1
            if not self._under_way:
                self.tell("created")

    @contextmanager
    def removing(self) -> Iterator[None]:
        """Around the removal of all containers of the run; no others are asked for any more.

        One that is being asked for appears when it likes: that is left to the watcher.
        """
        with self._lock:
            self._over = True
            whole = not self._under_way
        yield
        self.removed = whole

    def tell(self, line: str) -> None:
        """Send a line. A watcher that somebody ended is missed only by a run that is killed.

        Nor does it matter that a thread has something to say after the run's end.
        """
        with suppress(BrokenPipeError, ValueError):
            self._pipe.write(f"{line}\n".encode("ascii"))


@contextmanager
def watched(engine: Engine, run: str) -> Iterator[Watch]:
    """Have a process that removes a run's containers should this one end before it does.

    It is there before the body begins, in a session of its own, where no Ctrl-C, hang-up or
    signal to our process group reaches it. No other process holds the pipe by which it
    notices our end: Python's pipes are closed in programs that it starts (PEP 446).

    Args:
        engine: where the containers are.
        run: the value of ``names.RUN_LABEL``.

    Raises:
        WorkFailedError: no process can be started.
    """
    # By its file: to import it by name would be to import the package. -I: nothing of the
    # environment or of the folders around counts, as what it imports when it acts comes
    # from where this process has it.
    command = [sys.executable, "-I", watcher.__file__]
    try:
        process = subprocess.Popen(
            command,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        raise WorkFailedError(Message("watcher", f"cannot be started: {error}")) from error
    pipe = cast("IO[bytes]", process.stdin)
    watch = Watch(pipe)
    try:
        watch.tell(introduction(engine, run))
        yield watch
    finally:
        if watch.removed:
            watch.tell("done")
        pipe.close()
        _acting[:] = [process, *(other for other in _acting if other.poll() is None)]
        if watch.removed:
            with suppress(subprocess.TimeoutExpired):
                process.wait(_END_SECONDS)
                _acting.remove(process)


def introduction(engine: Engine, run: str) -> str:
    """The watcher's first line."""
    endpoint = engine.endpoint
    tls = endpoint.tls
    files = ("ca", "cert", "key")
    said: dict[str, Any] = {
        "run": run,
        "quiet": {"creating": UNDER_WAY_SECONDS, "otherwise": QUIET_SECONDS},
        "path": [os.fspath(Path(folder).absolute()) for folder in sys.path],
        "engine": {"url": endpoint.url, "found": endpoint.found, "tls": None},
    }
    if tls is not None:
        named = {name: getattr(tls, name) for name in files}
        paths = {name: os.fspath(file.absolute()) for name, file in named.items() if file}
        said["engine"]["tls"] = {"verify": tls.verify, **paths}
    return json.dumps(said)


def endpoint_of(engine: Mapping[str, Any]) -> Endpoint:
    """The engine's address as ``introduction`` wrote it."""
    tls = engine["tls"]
    if tls is not None:
        files = {name: Path(file) for name, file in tls.items() if name != "verify"}
        tls = Tls(tls["verify"], **files)
    return Endpoint(engine["url"], engine["found"], tls)
