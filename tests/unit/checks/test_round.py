import threading
from typing import Any

import pytest

from imagekit.checks import round as round_
from imagekit.checks.check import Check, CheckFailedError, CheckSkippedError
from imagekit.checks.report import Failure
from imagekit.checks.round import ask_all
from imagekit.events import Event, StepFinished, StepStarted
from imagekit.wait import Deadline


def passes(_subject: Any, _deadline: Any) -> dict[str, object]:
    return {"seen": 1}


def fails(_subject: Any, _deadline: Any) -> dict[str, object]:
    raise CheckFailedError("a", "b", "c")


def skips(_subject: Any, _deadline: Any) -> dict[str, object]:
    raise CheckSkippedError("not here")


def breaks(_subject: Any, _deadline: Any) -> dict[str, object]:
    raise ZeroDivisionError


def still_there() -> str:
    return ""


def test_results_come_in_order_with_events(subject: Any) -> None:
    events: list[Event] = []
    checks = [Check("one", 5, skips), Check("two", 5, fails), Check("three", 5, passes)]
    results = ask_all(checks, subject(), still_there, events.append, "again: ")
    assert [(r.name, r.status, r.reason) for r in results] == [
        ("one", "skipped", "not here"),
        ("two", "failed", "asked for a; got b; look at c"),
        ("three", "passed", ""),
    ]
    assert results[2].data == {"seen": 1}
    assert [e.name for e in events if isinstance(e, StepStarted)] == [
        "again: one",
        "again: two",
        "again: three",
    ]
    finished = {e.step: e.error for e in events if isinstance(e, StepFinished)}
    assert finished["check again: two"] == "asked for a; got b; look at c"
    assert finished["check again: one"] == ""


def test_results_say_when_they_began(subject: Any) -> None:
    waited = threading.Event()

    def waits(_subject: Any, _deadline: Any) -> dict[str, object]:
        waited.wait(0.05)  # nobody sets it
        return {}

    checks = [Check("a", 5, waits, uses="screen"), Check("b", 5, passes, uses="screen")]
    first, second = ask_all(checks, subject(), still_there, lambda _: None)
    assert 0 <= first.started < first.started + 0.04 <= second.started < 5


def test_checks_are_asked_side_by_side(subject: Any) -> None:
    both = threading.Barrier(2, timeout=5)

    def meets(_subject: Any, _deadline: Any) -> dict[str, object]:
        both.wait()
        return {}

    results = ask_all(
        [Check("a", 5, meets), Check("b", 5, meets)], subject(), still_there, lambda _: None
    )
    assert {result.status for result in results} == {"passed"}


def test_a_bug_in_a_check_is_no_result(subject: Any) -> None:
    with pytest.raises(ZeroDivisionError):
        ask_all([Check("a", 5, breaks)], subject(), still_there, lambda _: None)


def test_nobody_waits_for_a_container_that_is_gone(subject: Any) -> None:
    abandoned = threading.Event()

    def waits(_subject: Any, deadline: Any) -> dict[str, object]:
        deadline.abandoned.wait(10)
        abandoned.set()
        return {}

    checks = [Check("a", 60, waits)]
    results = ask_all(checks, subject(), lambda: "it ended with 3", lambda _: None)
    assert (results[0].status, results[0].reason) == ("failed", "it ended with 3")
    assert abandoned.wait(5)


def test_a_containers_end_comes_before_what_a_check_met(subject: Any) -> None:
    checks = [Check("one", 5, fails), Check("two", 5, passes), Check("three", 5, skips)]
    one, two, three = ask_all(checks, subject(), lambda: "it ended with 3", lambda _: None)
    assert one.reason == "it ended with 3; asked for a; got b; look at c"
    assert one.failure == Failure("a", "it ended with 3; b", "c")
    assert (two.status, two.reason, two.data) == ("passed", "", {"seen": 1})
    assert (three.status, three.reason) == ("skipped", "not here")


def test_nobody_asks_after_a_container_of_which_nothing_failed(subject: Any) -> None:
    def asked() -> str:
        raise AssertionError

    ask_all([Check("one", 5, passes)], subject(), asked, lambda _: None)


def test_a_check_without_end_fails(subject: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imagekit.checks.round._GRACE", 0.0)
    release = threading.Event()

    def hangs(_subject: Any, _deadline: Any) -> dict[str, object]:
        release.wait(10)
        return {}

    results = ask_all([Check("a", 0.1, hangs)], subject(), still_there, lambda _: None)
    release.set()
    assert results[0].reason.startswith("no end after")


def test_checks_of_the_same_thing_take_turns(subject: Any) -> None:
    inside = threading.Semaphore(1)
    order: list[str] = []

    def alone(name: str) -> Any:
        def ask(_subject: Any, _deadline: Any) -> dict[str, object]:
            assert inside.acquire(blocking=False)
            order.append(name)
            inside.release()
            return {}

        return ask

    checks = [Check(name, 5, alone(name), uses="screen") for name in ("a", "b", "c")]
    results = ask_all(checks, subject(), still_there, lambda _: None)
    assert [result.status for result in results] == ["passed"] * 3
    assert order == ["a", "b", "c"]


def test_who_waits_for_a_check_that_hangs_is_told(
    subject: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(round_, "_GRACE", 0.0)
    released = threading.Event()

    def hangs(_subject: Any, _deadline: Any) -> dict[str, object]:
        released.wait(10)
        return {}

    checks = [
        Check("one", 0.1, hangs, uses="screen"),
        Check("two", 5, passes, uses="screen"),
        Check("three", 5, passes),
    ]
    results = ask_all(checks, subject(), still_there, lambda _: None)
    released.set()
    assert [(r.name, r.status) for r in results] == [
        ("one", "failed"),
        ("two", "failed"),
        ("three", "passed"),
    ]
    assert results[1].reason == "a check of the screen hangs"


def test_who_comes_after_a_wait_in_vain_waits_less(
    subject: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(round_, "_AFTER_IN_VAIN", 0.1)
    monkeypatch.setattr(round_, "_LAST_PAUSE", 0.2)
    given: list[float] = []

    def waits(_subject: Any, deadline: Deadline) -> dict[str, object]:
        given.append(round(deadline.left, 1))
        deadline.abandoned.wait(deadline.left)
        raise CheckFailedError("a desktop", "none")

    lane = [Check("a", 0.5, waits, uses="screen"), Check("b", 60, waits, uses="screen")]
    ask_all([*lane, Check("c", 0.4, waits)], subject(), still_there, lambda _: None)
    assert sorted(given) == [0.1, 0.4, 0.5]


def test_a_failure_at_once_takes_nobody_s_time(subject: Any) -> None:
    given: list[float] = []

    def sees(_subject: Any, deadline: Deadline) -> dict[str, object]:
        given.append(deadline.left)
        return {}

    lane = [Check("a", 60, fails, uses="screen"), Check("b", 60, sees, uses="screen")]
    ask_all(lane, subject(), still_there, lambda _: None)
    assert given[0] > 50
