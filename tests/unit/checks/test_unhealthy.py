from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from imagekit.checks import unhealthy
from imagekit.checks.check import Attachment, Check, CheckFailedError
from imagekit.checks.subject import Health
from imagekit.checks.unhealthy import _SIGNAL, check_unhealthy, services
from imagekit.plan.model import Health as Promise
from imagekit.wait import Deadline, NotYetError, until

X = "/tmp/.X11-unix/X1"  # noqa: S108 (where X servers listen)
NAMES = {"22": "the ssh server", "80": "the desktop's page", X: "the X server"}


@dataclass
class FakeInside:
    """A container whose services, by socket, have process numbers; some can be frozen."""

    pids: dict[str, int] = field(default_factory=lambda: {"22": 10, "80": 20, X: 30})
    frozen: set[str] = field(default_factory=set)
    overlooked: str = ""  # a service that the health check does not look at
    stay_dead: str = ""
    stay_frozen: bool = False
    ends_frozen: bool = False  # so that nothing can be run in it any more
    probes: int = 0
    did: list[str] = field(default_factory=list)

    def execute(self, argv: Sequence[str], user: str, timeout: float = 20.0) -> tuple[int, str]:
        assert timeout > 0
        assert argv[:3] == ("/usr/bin/python3", "-c", _SIGNAL)
        number, where = int(argv[3]), argv[4]
        # The X server is the user's, and the rest is root's.
        if (user == "lab") is not where.startswith("/") or where not in self.pids:
            return 0, ""
        pid = self.pids[where]
        if number:
            self.did.append(f"{signal.Signals(number).name} {NAMES[where]}")
        if number == signal.SIGSTOP:
            self.frozen.add(where)
        if number == signal.SIGCONT and self.ends_frozen:
            return 137, ""
        if number == signal.SIGCONT and not self.stay_frozen:
            self.frozen.discard(where)
        if number == signal.SIGKILL:
            self.pids[where] += 1
            if self.stay_dead == where:
                del self.pids[where]
        return 0, f"a warning of {user}\n{pid}\n"

    def logs(self) -> str:
        return ""

    def health(self) -> Health:
        self.probes += 1
        hang = sorted(self.frozen - {self.overlooked})
        status = "unhealthy" if hang else "healthy"
        return Health(status, f"no answer of {hang}", str(self.probes // 2))


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is given up at once: what is waited for here never comes."""
    monkeypatch.setattr(unhealthy, "_NOTICE_SECONDS", -1.5)  # beside the time of two probes
    monkeypatch.setattr(unhealthy, "_BACK_SECONDS", -1.5)


@pytest.fixture
def disturb(subject: Any, plan: Any) -> Any:
    def run(inside: FakeInside, *checks: Check, promise: bool = True) -> Any:
        health = Promise("60s", "1s", "30s", 3, "") if promise else None
        the_subject = subject(the_plan=replace(plan, health=health), inside=inside)
        stage: Any = None
        return check_unhealthy(stage, the_subject, checks, lambda: "", lambda _: None)

    return run


def test_passes(disturb: Any) -> None:
    inside = FakeInside()
    result = disturb(inside, Check("one", 5, lambda *_: {}))
    assert (result.name, result.status, result.reason) == ("unhealthy", "passed", "")
    names = list(NAMES.values())
    frozen = [f"{what} {name}" for name in names for what in ("SIGSTOP", "SIGCONT")]
    assert inside.did == [*frozen, *(f"SIGKILL {name}" for name in names)]
    assert list(result.data["noticed"]) == names
    assert [check["name"] for check in result.data["checks"]] == ["one"]


@pytest.mark.usefixtures("soon")
def test_a_health_check_that_always_says_healthy(disturb: Any) -> None:
    inside = FakeInside(overlooked="80")
    result = disturb(inside)
    assert "an unhealthy container while the desktop's page hangs; got not in time: healthy" in (
        result.reason
    )
    assert "look at /usr/lib/imagekit/health" in result.reason
    assert inside.frozen == set()  # and not left so
    assert list(result.data["noticed"]) == ["the ssh server"]


@pytest.mark.usefixtures("soon")
def test_what_failed_is_told_where_the_service_cannot_be_woken(disturb: Any) -> None:
    result = disturb(FakeInside(overlooked="80", ends_frozen=True, pids={"80": 20}))
    assert "the process of the ssh server" in result.reason
    result = disturb(FakeInside(overlooked="22", ends_frozen=True))
    assert "an unhealthy container while the ssh server hangs" in result.reason


@pytest.mark.usefixtures("soon")
def test_a_container_that_does_not_recover(disturb: Any) -> None:
    result = disturb(FakeInside(stay_frozen=True))
    assert "a healthy container when the ssh server is awake again" in result.reason
    assert "no answer of ['22']" in result.reason


@pytest.mark.usefixtures("soon")
def test_a_service_that_does_not_come_back(disturb: Any) -> None:
    result = disturb(FakeInside(stay_dead=X))
    assert "the X server, started again after it was killed; got not in time: nobody else" in (
        result.reason
    )


def test_a_service_that_is_not_there(disturb: Any) -> None:
    result = disturb(FakeInside(pids={"22": 10}))
    assert "the process of the desktop's page; got none that listens on 80" in result.reason


def test_a_service_that_comes_back_broken(disturb: Any) -> None:
    picture = Attachment("x.png", "image/png", b"")

    def fails(*_: Any) -> dict[str, object]:
        raise CheckFailedError("a picture", "nothing", data={"screen": picture})

    result = disturb(FakeInside(), Check("vnc", 5, fails))
    assert "the same answers after its services were killed; got vnc failed" in result.reason
    assert result.data["vnc screen after its services were killed"] is picture
    assert result.data["checks"][0]["data"] == {}


def test_skipped_without_a_health_check(disturb: Any) -> None:
    inside = FakeInside()
    result = disturb(inside, promise=False)
    assert (result.status, result.reason) == ("skipped", "the profile says healthcheck: false")
    assert inside.did == []


def test_what_the_plan_promises(plan: Any) -> None:
    assert [service.socket for service in services(plan)] == list(NAMES)
    bare = replace(plan, sshd=None, desktop=None, jupyter=True)
    assert [service.name for service in services(bare)] == ["Jupyter"]


# ---- the script that runs in containers, on processes of this machine

_LISTEN = """
import os, socket, sys, time
where = sys.argv[1]
if where:
    server = socket.socket(socket.AF_UNIX)
    server.bind(where)
    server.listen()
else:
    server = socket.create_server(("127.0.0.1", 0))
child = os.fork()  # as nginx's worker
if child:
    print(child, where or server.getsockname()[1], flush=True)
else:
    server.close()
time.sleep(60)
"""


@dataclass(frozen=True)
class Listener:
    pid: int
    child: int
    where: str


@pytest.fixture(params=["tcp", "unix"])
def listener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Listener]:
    path = str(tmp_path / "s") if request.param == "unix" else ""
    command = [sys.executable, "-c", _LISTEN, path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        child, where = process.stdout.readline().split()
        yield Listener(process.pid, int(child), where)
        for pid in (int(child), process.pid):
            os.kill(pid, signal.SIGKILL)


def send(number: int, where: str) -> list[int]:
    done = subprocess.run(
        [sys.executable, "-c", _SIGNAL, str(number), where],
        capture_output=True,
        text=True,
        check=True,
    )
    return [int(pid) for pid in done.stdout.split()]


def state_is(pid: int, states: str) -> None:
    def look() -> None:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        if state not in states:
            raise NotYetError(state)

    until(look, Deadline.after(10), pause=0.01)


def test_who_listens_is_found_with_what_is_below(listener: Listener) -> None:
    assert send(0, listener.where) == [listener.pid, listener.child]


def test_who_listens_is_frozen_and_woken(listener: Listener) -> None:
    send(signal.SIGSTOP, listener.where)
    for pid in (listener.pid, listener.child):
        state_is(pid, "T")
    send(signal.SIGCONT, listener.where)
    for pid in (listener.pid, listener.child):
        state_is(pid, "S")


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert send(0, str(port)) == []
    assert send(0, "/nowhere/at/all") == []
