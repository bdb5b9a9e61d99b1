"""Several images at once: who waits for whom, what fails alone, and how all stop."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from imagekit import bases, several
from imagekit.bases import Base
from imagekit.build import Built, Job, Options
from imagekit.engine import buildkit
from imagekit.errors import EngineError, Message, WorkFailedError
from imagekit.events import BuildFinished, BuildStarted, Event
from imagekit.plan.model import Plan
from imagekit.site import Site

BASE = Base("debian:12-slim", "sha256:base")
WAIT = 10.0  # seconds until a test that hangs fails


class Engine:
    """A connection; it knows whether it was closed."""

    buildkit = True
    podman = False

    def __init__(self) -> None:
        self.closed = False

    def close(self) -> None:
        self.closed = True


class Script:
    """Builds as they are scripted, by profile."""

    def __init__(self) -> None:
        self.does: dict[str, Callable[[Job], None]] = {}
        self.events: list[tuple[str, Event]] = []
        self.engines: list[Engine] = []
        self.obtained: list[str] = []
        self.cancelled: list[str] = []

    def connect(self) -> Any:
        self.engines.append(Engine())
        return self.engines[-1]

    def obtain(self, engine: object, os: Any, site: object, **_: Any) -> Base:  # noqa: ARG002
        self.obtained.append(os.id)
        if os.id == "debian11":
            raise EngineError(Message("base", "none"))
        return BASE

    def build_on(self, engine: Engine, base: Base, job: Job) -> Built:
        assert not engine.closed
        assert base == BASE
        self.does.get(job.plan.profile, lambda _: None)(job)
        return Built(f"sha256:{job.plan.profile}", (), (), "linux/amd64", 1, 1.0, (), base)

    def run(self, *plans: Plan, workers: int = 2) -> tuple[several.Outcome, ...]:
        jobs = [Job(p, Site(), Options(), self._emit(p.profile)) for p in plans]
        return several.build_all(self.connect(), self.connect, jobs, workers)

    def _emit(self, name: str) -> Callable[[Event], None]:
        return lambda event: self.events.append((name, event))


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    made = Script()
    monkeypatch.setattr(bases, "obtain", made.obtain)
    monkeypatch.setattr(several, "build_on", made.build_on)
    return made


@pytest.fixture
def plans(planned: Callable[[str], Plan]) -> list[Plan]:
    plan = planned("base: {os: debian12}")
    return [replace(plan, profile=name) for name in "abc"]


def test_outcomes_come_in_the_order_of_the_jobs(script: Script, plans: list[Plan]) -> None:
    later = threading.Event()
    script.does["a"] = lambda _: later.wait(WAIT)  # type: ignore[assignment,return-value]
    script.does["c"] = lambda _: later.set()
    outcomes = script.run(*plans)
    assert [outcome.job.plan.profile for outcome in outcomes] == ["a", "b", "c"]
    results = [outcome.result for outcome in outcomes]
    assert [r.image_id for r in results if isinstance(r, Built)] == [
        "sha256:a",
        "sha256:b",
        "sha256:c",
    ]


def test_as_many_run_at_once_as_there_are_workers(script: Script, plans: list[Plan]) -> None:
    together = threading.Barrier(2)
    for name in "ab":
        script.does[name] = lambda _: together.wait(WAIT)  # type: ignore[assignment,return-value]
    script.run(*plans)
    assert len(script.engines) == 3  # the caller's, and one each
    assert [engine.closed for engine in script.engines] == [False, True, True]


def test_a_worker_alone_builds_one_after_the_other(script: Script, plans: list[Plan]) -> None:
    script.run(*plans, workers=1)
    kinds = [(name, type(event)) for name, event in script.events]
    assert kinds == [(name, kind) for name in "abc" for kind in (BuildStarted, BuildFinished)]


def test_each_base_is_had_once_before_the_first_build(script: Script, plans: list[Plan]) -> None:
    script.does["a"] = lambda _: script.obtained.append("build")
    script.run(*plans, workers=1)
    assert script.obtained == ["debian12", "build"]


def test_one_that_fails_does_not_stop_the_others(script: Script, plans: list[Plan]) -> None:
    def fail(_: Job) -> None:
        raise WorkFailedError(Message("step", "failed"))

    script.does["a"] = fail
    first, second, _ = script.run(*plans)
    assert isinstance(first.result, WorkFailedError)
    assert isinstance(second.result, Built)
    ended = {name: e.error for name, e in script.events if isinstance(e, BuildFinished)}
    assert ended == {"a": "failed", "b": "", "c": ""}


def test_without_a_base_only_those_fail_that_need_it(script: Script, plans: list[Plan]) -> None:
    old = replace(plans[0], os=replace(plans[0].os, id="debian11"))
    first, second = script.run(old, plans[1])
    assert isinstance(first.result, EngineError)
    assert isinstance(second.result, Built)
    assert ("a", BuildFinished(0.0, "none")) in script.events


def test_a_bug_in_a_thread_comes_out_of_the_call(script: Script, plans: list[Plan]) -> None:
    def bug(_: Job) -> None:
        raise ZeroDivisionError

    script.does["b"] = bug
    with pytest.raises(ZeroDivisionError):
        script.run(*plans)


def test_interrupted_builds_are_cancelled_until_they_end(
    script: Script, plans: list[Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An engine that hears of a build after it was told to cancel it is told again."""
    started = threading.Barrier(3)
    told = threading.Condition()
    ids: list[str] = []

    def cancel(_engine: object, build_id: str, timeout: float) -> None:
        assert 0 < timeout <= 1
        with told:
            script.cancelled.append(build_id)
            told.notify_all()

    def hang(job: Job) -> None:
        ids.append(job.options.build_id)
        started.wait(WAIT)
        with told:
            assert told.wait_for(lambda: script.cancelled.count(job.options.build_id) >= 2, WAIT)
        raise WorkFailedError(Message("step", "context canceled"))

    def join(thread: threading.Thread, timeout: float | None = None) -> None:
        started.wait(WAIT)
        raise KeyboardInterrupt

    monkeypatch.setattr(buildkit, "cancel", cancel)
    script.does.update(a=hang, b=hang)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "join", join)
        with pytest.raises(KeyboardInterrupt):
            script.run(*plans)
    assert set(ids) == set(script.cancelled)
    assert len(ids) == 2  # c never began
    assert not [t for t in threading.enumerate() if t.name.startswith("build ")]
    assert all(engine.closed for engine in script.engines[1:])
