from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import paramiko
import pytest

from imagekit.checks.check import Attachment, Check, CheckFailedError
from imagekit.checks.restart import check_restart
from imagekit.checks.subject import State
from imagekit.errors import EngineError, Message


@dataclass
class FakeStage:
    """The engine gives it another address with each start."""

    starts: list[tuple[str, int]]
    exit_code: int = 0
    did: list[str] = field(default_factory=list)

    def stop(self, seconds: int) -> State:
        assert seconds == 10
        self.did.append("stop")
        return State(running=False, exit_code=self.exit_code)

    def kill(self) -> State:
        self.did.append("kill")
        return State(running=False, exit_code=137)

    def start(self) -> None:
        self.did.append("start")

    def addresses(self) -> dict[int, tuple[str, int]]:
        return {22: self.starts[self.did.count("start") - 1]}


@pytest.fixture
def ask(ssh_server: Any, subject: Any) -> Callable[..., Any]:
    """Restart twice, each time to another ssh server; ``fails_at`` is a round."""

    def run(fails_at: int = 0, exit_code: int = 0, gone: str = "", **after: Any) -> Any:
        ports: list[int] = []

        def check(the_subject: Any, _deadline: Any) -> dict[str, object]:
            ports.append(the_subject.address(22)[1])
            seen = {"screen": Attachment("x.png", "image/png", b"%d" % len(ports)), "n": 1}
            if len(ports) == fails_at:
                raise CheckFailedError("a banner", "nothing", "the lock file", seen)
            return seen

        servers = (ssh_server(**after.get("stop", {})), ssh_server(**after.get("kill", {})))
        stage = FakeStage([server.address for server in servers], exit_code)
        fake: Any = stage
        before = subject(ssh_at=ssh_server().address)
        events: list[Any] = []
        checks = [Check("one", 5, check)]
        result = check_restart(fake, before, checks, lambda: gone, events.append)
        assert ports == [server.address[1] for server in servers][: len(ports)]
        return result, stage.did, events

    return run


def test_passes(ask: Any) -> None:
    result, did, events = ask()
    assert (result.name, result.status, result.reason) == ("restart", "passed", "")
    assert did == ["stop", "start", "kill", "start"]
    assert (result.data["exit_code"], result.data["kill_exit_code"]) == (0, 137)
    for checks in ("checks", "checks_after_kill"):
        assert [check["status"] for check in result.data[checks]] == ["passed"]
    assert "check restart: one" in str(events)
    assert "check restart after a kill: one" in str(events)


def test_keeps_the_pictures_of_both_rounds(ask: Any) -> None:
    result, _, _ = ask(fails_at=2)
    for number, after, checks in ((1, "stop", "checks"), (2, "kill", "checks_after_kill")):
        picture = result.data[f"one screen after {after} and start"]
        assert picture == Attachment("x.png", "image/png", b"%d" % number)
        assert result.data[checks][0]["data"] == {"n": 1}


def test_fails_when_a_check_fails_after_stop_and_start(ask: Any) -> None:
    result, did, _ = ask(fails_at=1)
    assert result.reason == (
        "asked for the same answers after stop and start; got "
        "one failed: asked for a banner; got nothing; look at the lock file"
    )
    assert did == ["stop", "start"]
    assert result.failure.asked == "the same answers after stop and start"
    assert result.data["checks"][0]["failure"]["look_at"] == "the lock file"


def test_says_that_the_container_ended_after_its_start(ask: Any) -> None:
    result, _, _ = ask(fails_at=2, gone="the container ended with exit code 1")
    assert result.failure.got == (
        "one failed: the container ended with exit code 1; "
        "asked for a banner; got nothing; look at the lock file"
    )
    told = result.data["checks_after_kill"][0]["failure"]
    assert told["got"] == "the container ended with exit code 1; nothing"


def test_fails_when_a_check_fails_after_kill_and_start(ask: Any) -> None:
    result, _, _ = ask(fails_at=2)
    assert result.reason.startswith("asked for the same answers after kill and start; got one")
    assert [check["status"] for check in result.data["checks"]] == ["passed"]
    assert [check["status"] for check in result.data["checks_after_kill"]] == ["failed"]


@pytest.mark.parametrize("when", ["stop", "kill"])
def test_fails_when_the_host_key_changes(ask: Any, when: str) -> None:
    result, _, _ = ask(**{when: {"host_key": paramiko.ECDSAKey.generate()}})
    assert f"the same ssh host key after {when} and start" in result.reason


def test_fails_when_it_had_to_be_killed(ask: Any) -> None:
    result, did, _ = ask(exit_code=137)
    assert "an end within 10 s of `docker stop`; got exit code 137" in result.reason
    assert did == ["stop"]


def test_fails_when_it_does_not_start_again(subject: Any, plan: Any) -> None:
    stage: Any = FakeStage([("127.0.0.1", 9)] * 2)

    def refuse() -> None:
        raise EngineError(Message("unix:///x", "exec: /usr/bin/tini: no such file"))

    stage.start = refuse
    the_subject = subject(the_plan=replace(plan, sshd=None))
    result = check_restart(stage, the_subject, [], lambda: "", lambda _: None)
    assert result.reason == (
        "asked for a start of the same container after its stop; got exec: /usr/bin/tini: "
        "no such file; look at the image's entrypoint"
    )


def test_an_image_without_sshd_has_no_host_key(subject: Any, plan: Any) -> None:
    stage: Any = FakeStage([("127.0.0.1", 9)] * 2)
    the_subject = subject(the_plan=replace(plan, sshd=None))
    result = check_restart(stage, the_subject, [], lambda: "", lambda _: None)
    assert result.status == "passed"
