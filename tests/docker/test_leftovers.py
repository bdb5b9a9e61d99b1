"""However `imagekit test` ends, nothing of it is left in the engine."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator

import pytest

from imagekit.engine.connection import Engine
from tests.docker.killed import of_its_own, run_of

SOON = 5.0  # seconds after Ctrl-C


@pytest.fixture(scope="module")
def mine(engine: Engine, image: str) -> Iterator[str]:
    """The id of the profile's image under another name and id."""
    with of_its_own(engine, image) as image_id:
        yield image_id


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM], ids=lambda how: how.name)
def test_an_interrupted_run_ends_at_once_and_leaves_nothing(
    engine: Engine, mine: str, how: signal.Signals
) -> None:
    with run_of(engine, mine) as run:
        run.await_container()
        assert run.go_on(random.uniform(0.0, 2.0))  # noqa: S311 - a moment, no secret
        begun = time.monotonic()
        run.process.send_signal(how)
        assert run.process.wait(SOON) == 130
        assert run.left() == []
        assert time.monotonic() - begun < SOON


@pytest.mark.parametrize("how", ["SIGKILL", "SIGHUP", "SIGKILL of the group"])
def test_a_killed_run_leaves_nothing(engine: Engine, mine: str, how: str) -> None:
    with run_of(engine, mine) as run:
        run.await_container()
        assert run.go_on(random.uniform(0.0, 1.5))  # noqa: S311
        assert run.left()
        number = signal.Signals[how.split(maxsplit=1)[0]]
        if how.endswith("group"):
            os.killpg(run.process.pid, number)
        else:
            run.process.send_signal(number)
        assert run.process.wait(SOON) == -number
        run.await_nothing_left()
