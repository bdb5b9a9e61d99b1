"""A run of the checks, killed at any moment of its life; then the engine is looked at.

``IMAGEKIT_KILLS=20`` says how often. A kill falls on the imports, on the moment in which the
engine makes the container, on its start, or on the checks.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter

import pytest

from imagekit.checks.watch import UNDER_WAY_SECONDS
from imagekit.engine.connection import Engine
from tests.docker.killed import await_watchers_end, of_its_own, run_of

KILLS = int(os.environ.get("IMAGEKIT_KILLS", "20"))
SPREAD = 6.0  # seconds; a run of the default set takes longer
SEED = int(os.environ.get("IMAGEKIT_SEED", "6"))


def holdings(engine: Engine) -> dict[str, set[str]]:
    """Ids of all that an engine has, by kind."""
    client = engine.client
    return {
        "containers": {str(c["Id"]) for c in client.api.containers(all=True)},
        "volumes": {str(v.name) for v in client.volumes.list()},
        "networks": {str(n.id) for n in client.networks.list()},
        "images": {str(i.id) for i in client.images.list(all=True)},
    }


def kill_one(engine: Engine, image: str, after: float, *, group: bool) -> str:
    """Kill a run; what it was at."""
    with run_of(engine, image) as run:
        before = set(run.containers())  # of runs killed just now
        assert run.go_on(after), "the run ended by itself"
        states = {state for name, state in run.containers().items() if name not in before}
        if group:
            os.killpg(run.process.pid, signal.SIGKILL)
        else:
            run.process.kill()
    return "the checks" if "running" in states else "the start" if states else "the beginning"


def test_kills(engine: Engine, image: str, capfd: pytest.CaptureFixture[str]) -> None:
    chance = random.Random(SEED)  # noqa: S311 - moments, no secrets
    moments: Counter[str] = Counter()
    with of_its_own(engine, image) as mine:
        before = holdings(engine)
        for turn in range(KILLS):
            after = chance.uniform(0.2, SPREAD)
            moments[kill_one(engine, mine, after, group=bool(turn % 2))] += 1
        begun = time.monotonic()
        await_watchers_end(UNDER_WAY_SECONDS + 60)
        seconds = time.monotonic() - begun
        found = holdings(engine)
    left = {kind: sorted(held - before[kind]) for kind, held in found.items()}
    with capfd.disabled():
        said = ", ".join(f"{count} in {moment}" for moment, count in moments.items())
        print(f"\n{KILLS} kills ({said}); {seconds:.0f} s later the last watcher had ended")  # noqa: T201
        print(f"left: {left}")  # noqa: T201
    assert left == {kind: [] for kind in before}
