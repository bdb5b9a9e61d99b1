"""A run of the checks as a process that can be ended in any way, and what it leaves."""

from __future__ import annotations

import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import docker.errors

from imagekit.checks import watcher
from imagekit.context import DOCKERFILE, Context, ContextFile
from imagekit.engine import buildkit
from imagekit.engine.connection import Engine
from imagekit.names import RUN_LABEL
from imagekit.wait import Deadline, NotYetError, until

SECONDS = 60.0


@contextmanager
def of_its_own(engine: Engine, image: str) -> Iterator[str]:
    """The id of an image like another one that nobody else has containers of."""
    tag = f"ik-test/killed:{uuid.uuid4().hex[:12]}"
    engine.client.images.get(image).tag(tag)
    lines = f"FROM {tag}\nLABEL killed={tag}\n".encode()
    made = buildkit.build(engine, Context((ContextFile(DOCKERFILE, lines),)), tags=[tag])
    try:
        yield made.image_id
    finally:
        with suppress(docker.errors.ImageNotFound):
            engine.client.images.remove(tag)


@dataclass
class Run:
    """``imagekit test``, in a process group of its own."""

    engine: Engine
    image: str
    process: subprocess.Popen[bytes]
    volumes: set[str] = field(default_factory=set)

    def containers(self) -> dict[str, str]:
        """Ids of its containers with their states; their volumes are noted."""
        filters = {"ancestor": self.image, "label": RUN_LABEL}
        found = self.engine.client.api.containers(all=True, filters=filters)
        for container in found:
            self.volumes |= {m["Name"] for m in container["Mounts"] if m["Type"] == "volume"}
        return {str(container["Id"]): str(container["State"]) for container in found}

    def await_container(self) -> None:
        """Wait until its container runs."""

        def running() -> None:
            assert self.process.poll() is None, "the run ended by itself"
            if "running" not in self.containers().values():
                raise NotYetError("no container")

        until(running, Deadline.after(SECONDS), pause=0.02)

    def go_on(self, seconds: float) -> bool:
        """Let it run for a while; whether it still does."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return True
        return False

    def left(self) -> list[str]:
        """What is in the engine of it now."""
        names = {volume.name for volume in self.engine.client.volumes.list()}
        return [*self.containers(), *sorted(self.volumes & names)]

    def await_nothing_left(self, seconds: float = SECONDS) -> None:
        def nothing() -> None:
            if left := self.left():
                raise NotYetError(", ".join(left))

        until(nothing, Deadline.after(seconds))


@contextmanager
def run_of(engine: Engine, image: str, *options: str) -> Iterator[Run]:
    """Start it; it is killed in the end."""
    command = [sys.executable, "-m", "imagekit", "test", "--image", image, *options]
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            yield Run(engine, image, process)
        finally:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGKILL)


def watchers() -> list[int]:
    """Process ids of all watchers of this checkout's runs."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended meanwhile
            if watcher.__file__.encode() in (process / "cmdline").read_bytes():
                found.append(int(process.name))
    return found


def await_watchers_end(seconds: float) -> None:
    """Wait until all of them have done their work."""

    def ended() -> None:
        if alive := watchers():
            raise NotYetError(f"watchers {alive} run")

    until(ended, Deadline.after(seconds))
