"""What tests on a real engine share: the profile, and builds of it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from docker.models.containers import Container

from imagekit import build, names, site
from imagekit.checks.runner import Options, run_checks
from imagekit.engine.connection import Engine
from imagekit.engine.failures import BuildFailedError
from imagekit.events import ignore
from imagekit.plan.model import Plan
from imagekit.wait import Deadline, NotYetError, until

PROFILE = "debian12-desktop"

Cli = Callable[..., subprocess.CompletedProcess[str]]
"""Runs ``imagekit`` with arguments; ``check=False`` to look at failures oneself."""


class Builder:
    """Builds plans, and takes their names away in the end."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.tags: set[str] = set()

    def image(self, plan: Plan, place: site.Site | None = None) -> str:
        try:
            built = build.build(self.engine, plan, place or site.load(), build.Options(), ignore)
        except BuildFailedError as error:
            # For pytest's report: the message alone says no more than the exit code.
            sys.stdout.write("\n".join((error.step, *error.log_tail, "")))
            raise
        self.tags.update(names.tags(plan))
        return built.image_id

    def say(self, image: str, *command: str, user: str = "lab") -> str:
        """What a command prints in a container of the image, without its services."""
        output: bytes = self.engine.client.containers.run(
            image, list(command), user=user, remove=True
        )
        return output.decode()

    def check(self, image: str, *wanted: str) -> dict[str, dict[str, object]]:
        """Ask some checks; all of them have to pass."""
        report = run_checks(self.engine, image, Options(only=wanted))
        results = {result.name: result for result in report.results}
        bad = {name: r.reason for name, r in results.items() if r.status != "passed"}
        assert bad == {}, report.log
        return {name: dict(result.data) for name, result in results.items()}


def gone(text: str, seconds: float = 5.0) -> bool:
    """Whether no process on this host has a text in its command line any more, soon.

    True too for an engine on another host, which cannot be looked at.
    """

    def ended() -> None:
        for file in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):  # it ended meanwhile
                if text.encode() in file.read_bytes():
                    raise NotYetError(file.parent.name)

    try:
        until(ended, Deadline.after(seconds))
    except TimeoutError:
        return False
    return True


def await_health(container: Container, seconds: float = 60.0) -> None:
    """Wait until the image's own health check passes."""

    def healthy() -> None:
        answer = container.exec_run(["/usr/lib/imagekit/health"])
        if answer.exit_code != 0:
            raise NotYetError(answer.output.decode())

    until(healthy, Deadline.after(seconds))
