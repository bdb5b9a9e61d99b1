"""Hundreds of stops and starts: `make soak`. Not collected by the everyday runs.

``IMAGEKIT_SOAK=100`` says how many restarts; a fifth as many kills. Every time a login
with the key and a picture of the desktop have to come. What it took is printed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from imagekit.engine.connection import Engine
from tests.docker.box import FOR_ANYBODY, FOR_ROOT, READ_ONLY, Box, started, volume_of
from tests.soak.ways import LEAST_CAPABILITIES, OFFLINE, Times

RESTARTS = int(os.environ.get("IMAGEKIT_SOAK", "100"))
KILLS = max(1, RESTARTS // 5)
STRANGER = {"user": "1234:1234", "owner": 1234}
NOTHING = {"cap_drop": ["ALL"], "security_opt": ["no-new-privileges"]}
LEAST = {"cap_drop": ["ALL"], "cap_add": list(LEAST_CAPABILITIES)}
HOME_OF_ROOT, HOME_OF_STRANGER = (0, 0), (1234, 1234)

# What is beside `docker run`, and who owns the home's volume.
WAYS = {
    "read-only": ({**READ_ONLY, **FOR_ROOT}, HOME_OF_ROOT),
    "read-only, --user 1234:1234": ({**READ_ONLY, **FOR_ANYBODY, **STRANGER}, HOME_OF_STRANGER),
    "--user 1234:1234": ({**FOR_ANYBODY, **STRANGER}, HOME_OF_STRANGER),
    "--user, no capabilities": ({**FOR_ANYBODY, **STRANGER, **NOTHING}, HOME_OF_STRANGER),
    "least capabilities": (LEAST, HOME_OF_ROOT),
    "home of somebody else": ({}, HOME_OF_STRANGER),
}


@pytest.fixture(scope="module")
def box(engine: Engine, image: str) -> Iterator[Box]:
    with started(engine, image) as box:
        yield box


@pytest.fixture
def times(request: pytest.FixtureRequest, capfd: pytest.CaptureFixture[str]) -> Iterator[Times]:
    """Printed whether or not the test passes."""
    taken = Times()
    yield taken
    with capfd.disabled():
        print(f"\n{request.node.name}: {taken}", flush=True)  # noqa: T201 (the result)


KEPT = "ls -l /var/lib/imagekit/* /run/imagekit/supervisor.d | grep -c ."


@pytest.fixture(scope="module")
def first_day(box: Box) -> tuple[str, int]:
    """How much there is of what is written at start, and how many files are in the layer."""
    box.come_up()
    return box.say(KEPT), len(box.container.diff())


def test_restarts(box: Box, first_day: tuple[str, int], times: Times) -> None:
    """Stop and start in two ways: `docker restart`, and `docker stop`, then `docker start`."""
    for turn in range(RESTARTS):
        if turn % 2:
            box.container.restart()
        else:
            assert box.stage.stop(10).exit_code != 137, f"turn {turn}: it had to be killed"
            box.start()
        times.add(box.come_up())


def test_kills(box: Box, times: Times) -> None:
    """SIGKILL at different moments of a container's life, the first seconds among them."""
    for turn in range(KILLS):
        box.container.kill()
        box.container.wait(timeout=30)
        box.start()
        if turn % 4 == 3:  # killed again while it is coming up
            box.container.kill()
            box.container.wait(timeout=30)
            box.start()
        times.add(box.come_up())


def test_nothing_was_gathered(box: Box, first_day: tuple[str, int]) -> None:
    """No lock, no second configuration, no further key after all that."""
    kept, changed = first_day
    assert box.say(KEPT) == kept
    added = [entry["Path"] for entry in box.container.diff()]
    assert len(added) < changed + 20, added


@pytest.mark.parametrize("way", WAYS)
def test_ways(engine: Engine, image: str, way: str, times: Times) -> None:
    """Each way: up, down and up again, a kill, and up."""
    options, owner = WAYS[way]
    with (
        volume_of(engine, image, *owner) as home,
        started(engine, image, volumes={"/home/lab": home}, **options) as box,
    ):
        times.add(box.come_up())
        box.container.restart()
        times.add(box.come_up())
        box.container.kill()
        box.container.wait(timeout=30)
        box.start()
        times.add(box.come_up())


def test_offline(engine: Engine, image: str) -> None:
    with started(engine, image, network_mode="none") as box:
        for _ in range(3):
            box.await_health()
            assert box.say(OFFLINE).split() == ["RFB", "SSH-2.0", "healthy"]
            box.container.restart()
