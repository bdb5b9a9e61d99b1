import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from imagekit.checks.check import CheckFailedError
from imagekit.checks.user import _SCRIPT, check_user
from imagekit.plan.model import User
from imagekit.wait import Deadline

GOOD: dict[str, Any] = {
    "name": "lab",
    "uid": 1000,
    "gid": 1000,
    "groups": ["lab"],
    "home": "/home/lab",
    "mode": 0o755,
    "foreign": [],
    "write": "",
    "shell": "/bin/bash",
    "starts": [0, "imagekit-shell\n"],
    "sudo": [0, "0\n"],
    "umask": 0o022,
}
NO_SUDO = {"sudo": [1, "sudo: a password is required\n"]}


def said(**changes: Any) -> tuple[int, str]:
    return 0, f"bash: warning\nimagekit:{json.dumps({**GOOD, **changes})}\n"


@pytest.fixture
def ask(ssh_server: Any, subject: Any, fake_inside: Any, plan: Any) -> Callable[..., Any]:
    """Ask with what the account says in the container and over ssh."""

    def run(
        inside: tuple[int, str] = said(), over_ssh: tuple[int, str] | None = None, **changes: Any
    ) -> Any:
        fake = ssh_server(run=lambda *_: over_ssh or inside)
        the_subject = subject(
            ssh_at=fake.address,
            inside=fake_inside({"/usr/bin/python3": inside}),
            the_plan=replace(plan, **changes),
        )
        return check_user(the_subject, Deadline.after(5))

    return run


def test_passes(ask: Any) -> None:
    assert ask() == {
        "uid": 1000,
        "gid": 1000,
        "groups": ["lab"],
        "shell": "/bin/bash",
        "home": "/home/lab (0755)",
        "umask": "0022",
        "sudo": True,
    }


def test_passes_without_sshd_or_sudo(ask: Any, plan: Any) -> None:
    user = replace(plan.user, sudo=False)
    assert ask(said(**NO_SUDO), user=user, sshd=None)["sudo"] is False
    absent = {"sudo": [127, "No such file or directory: 'sudo'"]}
    assert ask(said(**absent), user=user)["sudo"] is False


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"uid": 1001}, "uid 1001 instead of 1000"),
        ({"gid": 100}, "gid 100 instead of 1000"),
        ({"home": "/root"}, "the home /root instead of /home/lab"),
        ({"write": "Permission denied"}, "the home cannot be written: Permission denied"),
        ({"foreign": ["/home/lab/.config"]}, "somebody else's files in the home: /home/lab/.con"),
        ({"mode": 0o777}, "a home of mode 0777"),
        ({"mode": 0o555}, "a home of mode 0555"),
        ({"shell": "/bin/sh"}, "the shell '/bin/sh' instead of bash"),
        ({"starts": [127, "not found"]}, "does not run a command: exit code 127 and 'not found'"),
        (NO_SUDO, "`sudo -n id -u` does not give 0: exit code 1 and 'sudo: a password"),
        ({"sudo": [0, "1000\n"]}, "does not give 0: exit code 0 and '1000'"),
        ({"umask": 0}, "the umask 0000, by which everyone may write its files"),
        ({"umask": 0o777}, "the umask 0777, by which it cannot use its own files"),
    ],
)
def test_fails(ask: Any, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckFailedError) as failed:
        ask(said(**changes))
    assert message in str(failed.value)


def test_the_terminal_over_ssh_is_asked_too(ask: Any) -> None:
    with pytest.raises(CheckFailedError, match="the umask 0000 over ssh"):
        ask(over_ssh=said(umask=0))
    with pytest.raises(CheckFailedError, match="sudo over ssh: exit code 1"):
        ask(over_ssh=said(**NO_SUDO))
    with pytest.raises(CheckFailedError, match="what the account is over ssh; got exit code 1"):
        ask(over_ssh=(1, "Traceback"))


def test_without_sudo_nothing_makes_it_root(ask: Any, plan: Any) -> None:
    user = replace(plan.user, sudo=False)
    with pytest.raises(CheckFailedError, match=r"gives 0 \(user.sudo is false\)"):
        ask(user=user)
    mighty = said(**NO_SUDO, groups=["lab", "sudo"])
    with pytest.raises(CheckFailedError, match=r"in the groups sudo \(user.sudo is false\)"):
        ask(mighty, user=user)
    assert ask(mighty, user=replace(user, groups=("sudo",)))["groups"] == ["lab", "sudo"]


def test_groups_of_the_plan_are_there(ask: Any) -> None:
    user = User("lab", 1000, 1000, ("render", "video"), "bash", sudo=True)
    with pytest.raises(CheckFailedError, match="not in the groups render, video"):
        ask(user=user)


def test_the_script_says_what_is_read() -> None:
    run = [sys.executable, "-c", _SCRIPT]
    output = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    assert json.loads(output.removeprefix("imagekit:")).keys() == GOOD.keys()
