from collections.abc import Callable, Iterator
from typing import Any

import pytest

from imagekit.checks.check import CheckFailedError
from imagekit.checks.services import check_services
from imagekit.wait import Deadline

SSHD = "sshd                             RUNNING   pid 31, uptime 0:00:07\n"
LOOP = "desktop                          RUNNING   pid {}, uptime 0:00:01\n"
FATAL = "loop                             FATAL     Exited too quickly (process log may …)\n"
BACKOFF = "loop                             BACKOFF   Exited too quickly (process log may …)\n"
NOBODY = "unix:///run/imagekit/supervisor.sock no such file\n"


@pytest.fixture
def ask(subject: Any, fake_inside: Any) -> Callable[..., Any]:
    """Ask with what supervisorctl says, one after another; the last answer stays."""

    def run(*answers: str, seconds: float = 5.0) -> Any:
        said: Iterator[str] = iter(answers)
        last = ""

        def execute(argv: Any, user: str = "", timeout: float = 1.0) -> tuple[int, str]:
            nonlocal last
            assert argv[0] == "/usr/bin/supervisorctl"
            last = next(said, last)
            return 3 if "RUNNING" not in last else 0, last

        inside = fake_inside()
        inside.execute = execute
        return check_services(subject(inside=inside), Deadline.after(seconds))

    return run


def test_passes_when_all_are_old_enough(ask: Any) -> None:
    assert ask(NOBODY, SSHD + LOOP.format(40).replace("0:00:01", "1:00:01")) == {
        "services": ["desktop", "sshd"]
    }


def test_days_count(ask: Any) -> None:
    assert ask(SSHD.replace("0:00:07", "1 day, 0:00:00")) == {"services": ["sshd"]}


def test_a_service_that_was_given_up_fails_at_once(ask: Any) -> None:
    with pytest.raises(CheckFailedError, match="a service loop that stays; got FATAL Exited too"):
        ask(SSHD + BACKOFF, SSHD + FATAL)


def test_a_service_in_a_restart_loop_fails(ask: Any) -> None:
    rounds = [SSHD + LOOP.format(pid) for pid in (40, 50, 60, 70)]
    with pytest.raises(CheckFailedError, match=r"a service desktop that stays; .* after 4 starts"):
        ask(*rounds)


def test_one_that_does_not_get_old_is_told_in_the_end(ask: Any) -> None:
    with pytest.raises(CheckFailedError, match=r"run for 6 s; got .*desktop: RUNNING pid 40"):
        ask(SSHD + LOOP.format(40), seconds=0.5)


def test_without_supervisord_its_answer_is_told(ask: Any) -> None:
    with pytest.raises(CheckFailedError, match="no such file"):
        ask(NOBODY, seconds=0.5)
