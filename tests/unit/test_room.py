"""Whether what is to be built fits on the engine's disk."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from imagekit import names, profile, room
from imagekit.engine import images, inventory
from imagekit.engine.disk import Disk
from imagekit.engine.inventory import Usage
from imagekit.errors import EngineError
from imagekit.events import Event, Notice
from imagekit.plan.model import Plan
from imagekit.plan.resolve import resolve

ENGINE: Any = object()
GB = 1_000_000_000


@pytest.fixture
def sizes(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """The images that are there, by name."""
    there: dict[str, int] = {}

    def find(_engine: object, ref: str) -> SimpleNamespace | None:
        return SimpleNamespace(size=there[ref]) if ref in there else None

    monkeypatch.setattr(images, "find", find)
    return there


def free(monkeypatch: pytest.MonkeyPatch, place: Disk | None, held: Usage | None = None) -> None:
    """What is free, and what the engine holds; without that, nobody may ask for it."""

    def usage(_engine: object) -> Usage:
        assert held is not None
        return held

    monkeypatch.setattr(room, "disk", lambda _engine: place)
    monkeypatch.setattr(inventory, "usage", usage)


def asked(*plans: Plan) -> list[Event]:
    events: list[Event] = []
    room.check(ENGINE, [(plan, events.append) for plan in plans])
    return events


@pytest.mark.parametrize("name", [n for n in profile.names() if not n.startswith("_")])
def test_every_profile_takes_something(name: str) -> None:
    """Less than what was measured: nobody is refused who has room enough."""
    measured = {
        "cpu-ssh": 0.375,
        "debian12-desktop": 0.937,
        "cpu-tf-desktop": 2.8 + 1.6,  # the environment lies in its own stage, too
        "cuda12-tf-desktop": 7.6 + 6.0,
        "cuda12-torch-ssh": 7.8 + 7.0,
    }
    least = room.needed([resolve(profile.load(name))])
    assert 0.1 * GB < least <= measured.get(name, 20) * GB


def test_what_profiles_share_counts_once() -> None:
    one, other = (resolve(profile.load(n)) for n in ("debian12-desktop", "cpu-tf-desktop"))
    both = room.needed([one, other])
    assert room.needed([other]) <= both < room.needed([one]) + room.needed([other])
    assert room.needed([one, one]) == room.needed([one])
    assert room.needed([]) == 0


def test_too_little_room_is_refused_with_both_numbers(
    planned: Callable[[str], Plan], sizes: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = planned("base: {os: debian12}")
    free(monkeypatch, Disk("/data", 70_000_000), Usage(images=50_000_000, cache=0))
    with pytest.raises(EngineError) as refused:
        asked(plan)
    assert str(refused.value) == (
        "/data: x takes at least 0.2 GB, 0.1 GB are free, and the engine's images and build "
        "cache are 0.1 GB\n  hint: free room on that disk, or give the engine a larger one "
        "(data-root in its daemon.json)"
    )


@pytest.mark.parametrize("held", [Usage(GB, 0), Usage(0, GB), Usage(0, 100_000_000)])
def test_what_the_engine_has_may_be_most_of_it(
    planned: Callable[[str], Plan],
    sizes: dict[str, int],
    monkeypatch: pytest.MonkeyPatch,
    held: Usage,
) -> None:
    """Steps of a build that failed late are in its cache, those of another profile's image, too."""
    free(monkeypatch, Disk("/data", 100_000_000), held)
    assert asked(planned("")) == [
        Notice(
            "all of x takes at least 0.2 GB, and 0.1 GB are free in /data; what the engine has "
            "of it already is not counted"
        )
    ]


def test_room_enough_is_no_word_worth(
    planned: Callable[[str], Plan], sizes: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    free(monkeypatch, Disk("/data", room.needed([planned("")])))
    assert asked(planned("")) == []


def test_nothing_is_said_of_a_disk_that_cannot_be_seen(
    planned: Callable[[str], Plan], sizes: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    free(monkeypatch, None)
    assert asked(planned("")) == []


def test_what_is_there_already_takes_nothing(
    planned: Callable[[str], Plan], sizes: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = planned("")
    sizes.update(dict.fromkeys(names.tags(plan), GB))
    free(monkeypatch, Disk("/data", 0))
    assert asked(plan) == []


def test_what_an_earlier_image_took_is_told(
    planned: Callable[[str], Plan], sizes: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = planned("")
    sizes[names.tags(plan)[0]] = 3 * GB
    free(monkeypatch, Disk("/data", 2 * GB))
    assert asked(plan) == [Notice("took 3.0 GB the last time, and 2.0 GB are free in /data")]
    free(monkeypatch, Disk("/data", 3 * GB))
    assert asked(plan) == []
