"""What is measured of one image: how soon it is there, what it holds, whether it is steady."""

from __future__ import annotations

import re
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from imagekit.checks.entry import joined
from imagekit.engine.connection import Engine
from imagekit.wait import Deadline, NotYetError, until
from tests.docker.box import SECONDS, Box, OpenSsh, created, started, write_key

PAINTED = 500
"""Colours of a frame: a panel alone has fewer than a hundred, the background over a thousand."""

IDLE_SECONDS = 15.0
STEADY_SECONDS = 20.0
SUPERVISOR = ("supervisorctl", "-c", "/run/imagekit/supervisord.conf", "status")

_PROCESSES = """
for process in /proc/[0-9]*; do
    size=$(sed -n 's/^Pss: *//p' "$process/smaps_rollup" 2> /dev/null)
    [ -z "$size" ] || echo "$size $(tr '\\0' ' ' < "$process/cmdline" | cut -c -60)"
done
"""


@dataclass(frozen=True, slots=True)
class Idle:
    """A container that nobody works in.

    Attributes:
        memory: bytes as ``docker stats`` shows them: the cgroup's usage without the file
            cache that nobody used lately (docker/cli, cli/command/container/stats_helpers.go).
        processes: proportional set size in KiB and command line, the largest first.
        restarted: services that do not run, or run as other processes than 20 s before.
    """

    memory: int
    processes: tuple[tuple[int, str], ...]
    restarted: tuple[str, ...]


def seconds_to_login(engine: Engine, image: str) -> float:
    """From the engine's start of a new container to the end of OpenSSH's `ssh host true`."""
    with tempfile.TemporaryDirectory() as folder, created(engine, image) as box:
        client = OpenSsh(box, write_key(box.key, Path(folder)))
        begun = time.monotonic()
        box.start()
        arguments = (*client.options, client.host, "true")

        def log_in() -> None:
            if client.call("ssh", *arguments).returncode:
                raise NotYetError("no login")

        until(log_in, Deadline.after(SECONDS), pause=0.02)
        return time.monotonic() - begun


def seconds_to_picture(engine: Engine, image: str) -> float:
    """From the engine's start of a new container to a picture with background and panel.

    The client logs in as the browser does, as soon as it gets in, and asks for one frame
    after the other.
    """
    with created(engine, image) as box:
        begun = time.monotonic()
        box.start()
        deadline = Deadline.after(SECONDS)
        with joined(box.subject(), deadline) as desktop:

            def look() -> None:
                if desktop.read_frame().colours() < PAINTED:
                    raise NotYetError("not painted")

            until(look, deadline, pause=0.05)
        return time.monotonic() - begun


def idle(engine: Engine, image: str) -> Idle:
    """What a container does when its desktop is up and nobody looks."""
    with started(engine, image) as box:
        box.come_up()
        before = _services(box)
        time.sleep(IDLE_SECONDS)  # no condition: the idle time itself is the question
        memory = _memory(box)
        processes = _processes(box)
        time.sleep(STEADY_SECONDS - IDLE_SECONDS)
        after = _services(box)
    restarted = sorted(
        name for name in before | after if not before.get(name) or before[name] != after.get(name)
    )
    return Idle(memory, processes, tuple(restarted))


def _services(box: Box) -> dict[str, str]:
    """Supervised service to its process id; empty when it does not run."""
    _, text = box.stage.execute(SUPERVISOR, "root")
    found = re.findall(r"^(\S+)\s+(?:RUNNING\s+pid (\d+)|[A-Z]+)", text, re.MULTILINE)
    assert found, text
    return dict(found)


def _memory(box: Box) -> int:
    usage = box.container.stats(stream=False)["memory_stats"]
    inactive = usage["stats"].get("total_inactive_file", usage["stats"].get("inactive_file", 0))
    return int(usage["usage"]) - int(inactive)


def _processes(box: Box) -> tuple[tuple[int, str], ...]:
    # Each account looks at its own: root in a container may not look at others' maps.
    lines = "".join(box.say(_PROCESSES, user) for user in ("root", box.plan.user.name))
    pairs = [line.split(" kB ", 1) for line in lines.splitlines() if " kB " in line]
    return tuple(sorted(((int(size), name) for size, name in pairs), reverse=True))
