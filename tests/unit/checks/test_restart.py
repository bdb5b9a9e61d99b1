from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import paramiko
import pytest

from imagekit.checks.check import Check, CheckFailedError
from imagekit.checks.restart import check_restart
from imagekit.checks.subject import State


@dataclass
class FakeStage:
    address: tuple[str, int]
    exit_code: int = 0
    did: list[str] = field(default_factory=list)

    def stop(self, seconds: int) -> State:
        assert seconds == 10
        self.did.append("stop")
        return State(running=False, exit_code=self.exit_code)

    def start(self) -> None:
        self.did.append("start")

    def addresses(self) -> dict[int, tuple[str, int]]:
        return {22: self.address}


@pytest.fixture
def ask(ssh_server: Any, subject: Any, plan: Any) -> Callable[..., Any]:
    """Restart from one ssh server to another (the engine chose other ports)."""

    def run(status: str = "passed", exit_code: int = 0, **after: Any) -> Any:
        ports: list[int] = []

        def check(the_subject: Any, _deadline: Any) -> dict[str, object]:
            ports.append(the_subject.address(22)[1])
            if status == "failed":
                raise CheckFailedError("a banner", "nothing", "the lock file")
            return {}

        stage = FakeStage(ssh_server(**after).address, exit_code)
        before = subject(ssh_at=ssh_server().address)
        result = check_restart(stage, before, [Check("one", 5, check)], lambda: "", lambda _: None)
        assert stage.did == ["stop", "start"]
        assert ports == [stage.address[1]]
        return result

    return run


def test_passes(ask: Any) -> None:
    result = ask()
    assert (result.name, result.status, result.reason) == ("restart", "passed", "")
    assert result.data["exit_code"] == 0
    assert [check["status"] for check in result.data["checks"]] == ["passed"]


def test_fails_when_a_check_fails_afterwards(ask: Any) -> None:
    result = ask(status="failed")
    assert result.status == "failed"
    assert "one failed: asked for a banner; got nothing; look at the lock file" in result.reason


def test_fails_when_the_host_key_changes(ask: Any) -> None:
    result = ask(host_key=paramiko.ECDSAKey.generate())
    assert "same ssh host key" in result.reason


def test_fails_when_it_had_to_be_killed(ask: Any) -> None:
    assert "exit code 137" in ask(exit_code=137).reason


def test_an_image_without_sshd_has_no_host_key(subject: Any, plan: Any) -> None:
    result = check_restart(
        FakeStage(("127.0.0.1", 9)),
        subject(the_plan=replace(plan, sshd=None)),
        [],
        lambda: "",
        lambda _: None,
    )
    assert result.status == "passed"
