from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from imagekit.checks import health
from imagekit.checks.check import CheckFailedError, CheckSkippedError
from imagekit.checks.health import await_status, check_health
from imagekit.checks.subject import Health
from imagekit.plan.model import Health as Promise
from imagekit.wait import Deadline

PROMISE = Promise("60s", "1s", "30s", 3, "")


@dataclass
class Inside:
    """Says one state after another; the last one stays."""

    states: Iterator[Health]
    last: Health = field(default_factory=lambda: Health(""))

    def health(self) -> Health:
        self.last = next(self.states, self.last)
        return self.last


def inside(*states: Health) -> Any:
    return Inside(iter(states))


@pytest.fixture
def ask(subject: Any, plan: Any) -> Any:
    promised = replace(plan, health=PROMISE)

    def run(*states: Health, the_plan: Any = promised) -> Any:
        made = subject(the_plan=the_plan, inside=inside(*states))
        return check_health(made, Deadline.after(30))

    return run


def test_passes_once_it_is_healthy(ask: Any) -> None:
    data = ask(Health("starting"), Health("unhealthy", "sshd: no"), Health("healthy", "fine"))
    assert data == {"status": "healthy", "output": "fine"}


def test_the_probe_is_quoted(ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_UP_SECONDS", -1.9)  # beside the time of two probes, 2 s
    with pytest.raises(CheckFailedError) as caught:
        ask(Health("unhealthy", "sshd: not healthy"))
    assert "unhealthy, and the probe said 'sshd: not healthy'" in caught.value.got
    assert "/usr/lib/imagekit/health" in caught.value.look_at


def test_an_image_that_promises_none(ask: Any, plan: Any) -> None:
    with pytest.raises(CheckSkippedError, match="the profile says healthcheck: false"):
        ask(Health(""), the_plan=plan)


def test_an_image_that_lost_its_own(ask: Any) -> None:
    with pytest.raises(CheckFailedError, match="a container without one"):
        ask(Health(""))


def test_with_jupyter_it_may_take_longer(
    ask: Any, plan: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "_UP_SECONDS", -1.9)
    slow = [Health("starting")] * 3
    with pytest.raises(CheckFailedError):
        ask(*slow, Health("healthy"))
    jupyter = replace(plan, health=PROMISE, jupyter=True)
    assert ask(*slow, Health("healthy"), the_plan=jupyter)["status"] == "healthy"


def test_a_probe_that_is_over_does_not_count() -> None:
    said = inside(Health("healthy", probed="1"), Health("healthy", probed="2"))
    deadline = Deadline.after(5)
    assert await_status(said, "healthy", deadline, since="1").probed == "2"
