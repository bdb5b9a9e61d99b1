"""How often something is tried, and what is said meanwhile."""

from __future__ import annotations

import pytest

from imagekit.engine import patience
from imagekit.engine.patience import Patience, persist
from imagekit.engine.refusals import RegistryError
from imagekit.errors import Message
from imagekit.events import Event, Notice


class Work:
    """Fails some times, then returns how often it was done."""

    def __init__(self, failures: int, *, transient: bool = True, throttled: bool = False) -> None:
        self.failures, self.done = failures, 0
        self.transient, self.throttled = transient, throttled

    def __call__(self) -> int:
        self.done += 1
        if self.done <= self.failures:
            message = Message("reg.test/x:1", f"failure {self.done}")
            raise RegistryError(message, transient=self.transient, throttled=self.throttled)
        return self.done


@pytest.fixture(autouse=True)
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What was waited; without waiting."""
    waits: list[float] = []
    monkeypatch.setattr(patience.time, "sleep", waits.append)
    monkeypatch.setattr(patience, "wait_wanted", lambda *_: 0.0)
    return waits


def test_a_failure_for_the_moment(slept: list[float]) -> None:
    events: list[Event] = []
    assert persist(Work(2), "reg.test", Patience(), events.append) == 3
    assert 0.5 <= slept[0] <= 1.0 <= slept[1] <= 2.0
    texts = [event.text for event in events if isinstance(event, Notice)]
    assert texts[0].startswith("reg.test/x:1: failure 1; try 2 of 5 in 1 s")


def test_a_failure_that_stays(slept: list[float]) -> None:
    work = Work(99)
    with pytest.raises(RegistryError, match=r"failure 5 \(after 5 tries\)"):
        persist(work, "reg.test", Patience(), lambda _: None)
    assert (work.done, len(slept)) == (5, 4)


def test_what_is_final_is_not_tried_again(slept: list[float]) -> None:
    work = Work(99, transient=False)
    with pytest.raises(RegistryError, match="failure 1"):
        persist(work, "reg.test", Patience(), lambda _: None)
    assert (work.done, slept) == (1, [])


def test_a_registry_that_says_how_long(slept: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "wait_wanted", lambda *_: 7.5)
    assert persist(Work(1, throttled=True), "reg.test", Patience(), lambda _: None) == 2
    assert slept == [7.5]
    slept.clear()
    assert persist(Work(1), "reg.test", Patience(), lambda _: None) == 2
    assert slept[0] <= 1.0


@pytest.mark.parametrize("how", [Patience(longest=30.0), Patience(total=30.0)])
def test_a_registry_that_asks_for_too_much(
    slept: list[float], monkeypatch: pytest.MonkeyPatch, how: Patience
) -> None:
    monkeypatch.setattr(patience, "wait_wanted", lambda *_: 31.0)
    with pytest.raises(RegistryError, match=r"(?s)failure 1.*asks for 31 s; push again then"):
        persist(Work(1, throttled=True), "reg.test", how, lambda _: None)
    assert slept == []


def test_no_try_is_begun_after_the_total_time(slept: list[float]) -> None:
    work = Work(99)
    with pytest.raises(RegistryError, match="failure 1"):
        persist(work, "reg.test", Patience(total=0.1), lambda _: None)
    assert (work.done, slept) == (1, [])
