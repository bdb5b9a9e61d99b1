import json
import subprocess
import sys
from typing import Any

import pytest

from imagekit.checks import privileges
from imagekit.checks.check import CheckFailedError
from imagekit.checks.privileges import _SCRIPT, check, names
from imagekit.wait import Deadline

USUAL, NONE = "00000000a80425fb", "0000000000000000"


def process(**changes: Any) -> dict[str, Any]:
    usual = {
        "pid": 1,
        "parent": 0,
        "own": True,
        "name": "tini",
        "uid": 0,
        "service": "",
        "bounding": USUAL,
        "effective": USUAL,
        "permitted": USUAL,
        "ambient": NONE,
        "no_new_privileges": False,
        "seccomp": "2",
    }
    return {**usual, **changes}


USER = {"pid": 30, "uid": 1000, "name": "Xtigervnc", "effective": NONE, "permitted": NONE}


@pytest.fixture
def ask(subject: Any, fake_inside: Any) -> Any:
    def run(*processes: dict[str, Any], code: int = 0, waiting: bool = False) -> Any:
        said = {"processes": processes, "waiting": waiting}
        text = f"imagekit:{json.dumps(said)}\n" if processes else "Traceback"
        inside = fake_inside({"/usr/bin/python3": (code, text)})
        return check(subject(inside=inside), Deadline.after(5))

    return run


def test_passes(ask: Any) -> None:
    data = ask(process(), process(**USER))
    assert data["processes"] == 2
    assert data["of_root"] == ["tini"]
    assert len(data["capabilities"]) == 14
    assert "net_bind_service" in data["capabilities"]
    assert data["no_new_privileges"] is False
    assert data["seccomp"] is True


def test_what_is_executed_from_outside_is_not_listed(ask: Any) -> None:
    starting = {"uid": 1000, "name": "runc:[2:INIT]"}
    data = ask(process(), process(pid=50, own=False), process(pid=51, own=False, **starting))
    assert (data["processes"], data["of_root"]) == (1, ["tini"])


def test_what_is_seen_once_is_on_its_way(subject: Any) -> None:
    seen = [[process(), process(**{**USER, "effective": USUAL})], [process(), process(**USER)]]

    class Inside:
        def execute(self, *_: Any, **__: Any) -> tuple[int, str]:
            said = {"processes": seen.pop(0) if len(seen) > 1 else seen[0], "waiting": False}
            return 0, f"imagekit:{json.dumps(said)}\n"

    seen.insert(0, [process()])  # for the wait
    assert check(subject(inside=Inside()), Deadline.after(5))["processes"] == 2
    assert len(seen) == 1


def test_services_that_do_not_come_up_are_not_waited_for(
    ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(privileges, "_SERVICES_SECONDS", 0.1)
    assert ask(process(), waiting=True)["processes"] == 1


def test_passes_with_fewer_than_docker_gives(ask: Any) -> None:
    assert ask(process(bounding=NONE))["capabilities"] == []


@pytest.mark.parametrize(
    ("processes", "message"),
    [
        ([process(bounding="00000000a82425fb")], "may have sys_admin beside Docker's fourteen"),
        ([process(bounding="000003ffffffffff")], "others (0x1)"),
        (
            [process(), process(**{**USER, "effective": "0000000000002000"})],
            "Xtigervnc (process 30) of user 1000 has net_raw",
        ),
        (
            [process(), process(**{**USER, "ambient": "0000000000000001"})],
            "Xtigervnc (process 30) of user 1000 has chown",
        ),
        (
            [process(), process(pid=9, name="Xtigervnc", service="desktop")],
            "Xtigervnc (process 9) of the service desktop runs as root",
        ),
    ],
)
def test_fails(ask: Any, processes: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(CheckFailedError) as failed:
        ask(*processes)
    assert message in str(failed.value)


def test_fails_without_an_answer(ask: Any) -> None:
    with pytest.raises(CheckFailedError, match="exit code 1 and 'Traceback'"):
        ask(code=1)


def test_names_are_those_of_the_kernel() -> None:
    assert names("0000000000200000") == {"sys_admin"}
    assert names("0000010000000000") == {"checkpoint_restore"}


def test_the_script_says_what_is_read() -> None:
    run = [sys.executable, "-c", _SCRIPT]
    output = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    said = json.loads(output.removeprefix("imagekit:"))
    assert said["processes"]
    assert all(one.keys() == process().keys() for one in said["processes"])
    assert said["waiting"] in {True, False}
