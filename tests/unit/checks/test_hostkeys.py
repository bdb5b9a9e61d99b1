from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import paramiko
import pytest

from imagekit.checks import ssh
from imagekit.checks.hostkeys import check_host_keys
from imagekit.errors import Message, WorkFailedError
from imagekit.wait import Deadline


@dataclass
class FakeStage:
    """Its twin is at another address."""

    other: tuple[str, int]
    did: list[str] = field(default_factory=list)

    def addresses(self) -> dict[int, tuple[str, int]]:
        return {22: self.other}

    @contextmanager
    def twin(self) -> Iterator["FakeStage"]:
        self.did.append("begun")
        yield self
        self.did.append("removed")


@pytest.fixture
def compare(ssh_server: Any, subject: Any) -> Any:
    def run(**theirs: Any) -> Any:
        stage: Any = FakeStage(ssh_server(**theirs).address)
        ours = subject(ssh_at=ssh_server().address)
        result = check_host_keys(stage, ours, [], lambda: "", lambda _: None)
        assert stage.did == ["begun", "removed"]
        return result

    return run


def test_passes_with_keys_of_their_own(compare: Any) -> None:
    result = compare(host_key=paramiko.ECDSAKey.generate())
    assert (result.name, result.status, result.reason) == ("sshd-host-keys", "passed", "")
    assert list(result.data["keys"]) == list(result.data["other_keys"]) == ["ecdsa-sha2-nistp256"]


def test_fails_when_a_key_is_shared(compare: Any) -> None:
    result = compare()
    assert result.status == "failed"
    assert "the same ecdsa-sha2-nistp256 key in both" in result.reason
    assert "look at the image's files below /var/lib/imagekit and /etc/ssh" in result.reason


def test_fails_when_a_second_container_does_not_start(ssh_server: Any, subject: Any) -> None:
    class Alone(FakeStage):
        @contextmanager
        def twin(self) -> Iterator[FakeStage]:
            raise WorkFailedError(Message("sha256:aa", "the container did not start: no room"))
            yield self

    stage: Any = Alone(("127.0.0.1", 9))
    ours = subject(ssh_at=ssh_server(host_key=paramiko.ECDSAKey.generate()).address)
    result = check_host_keys(stage, ours, [], lambda: "", lambda _: None)
    assert result.reason == (
        "asked for a second container of the image; got the container did not start: no room; "
        "look at the engine's log"
    )
    assert list(result.data) == ["keys"]


def test_skipped_without_an_ssh_server(subject: Any, plan: Any) -> None:
    stage: Any = FakeStage(("127.0.0.1", 9))
    events: list[Any] = []
    the_subject = subject(the_plan=replace(plan, sshd=None))
    result = check_host_keys(stage, the_subject, [], lambda: "", events.append)
    assert (result.status, result.reason) == ("skipped", "the plan has no ssh server")
    assert "sshd-host-keys skipped: the plan has no ssh server" in str(events)
    assert stage.did == []


def test_one_kind_of_host_key_can_be_asked_for(ssh_server: Any) -> None:
    address = ssh_server(host_key=paramiko.ECDSAKey.generate()).address
    deadline = Deadline.after(10)
    with ssh.connect(address, deadline, "ecdsa-sha2-nistp256") as transport:
        assert ssh.host_key(transport).type == "ecdsa-sha2-nistp256"
    with (
        pytest.raises(ssh.NoSuchKeyError, match="no acceptable host key"),
        ssh.connect(address, deadline, "ssh-ed25519"),
    ):
        pass
