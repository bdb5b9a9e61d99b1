from collections.abc import Callable
from dataclasses import replace
from typing import Any

import paramiko
import pytest

from imagekit.checks import openssh, ssh
from imagekit.checks.check import CheckFailedError, CheckSkippedError
from imagekit.checks.sshd import check_login, check_password, check_root
from imagekit.checks.subject import Foreign
from imagekit.names import SSH_PORT
from imagekit.plan.model import Sshd
from imagekit.wait import Deadline


def a_shell(_command: str, _env: dict[str, str]) -> tuple[int, str]:
    return 7, "lab\n/home/lab\n"


@pytest.fixture
def ask(ssh_server: Any, subject: Any, plan: Any) -> Callable[..., Any]:
    """Ask a check of an ssh server with this behaviour."""

    def run(check: Any, in_plan: bool = True, root: str = "refused", **behaviour: Any) -> Any:
        fake = ssh_server(**{"run": a_shell, **behaviour})
        the_plan = replace(plan, sshd=Sshd(password=in_plan, root=root))
        return check(subject(ssh_at=fake.address, the_plan=the_plan), Deadline.after(5))

    return run


def test_login_passes(ask: Any) -> None:
    data = ask(check_login)
    assert data["user"] == "lab"
    assert data["banner"].startswith("SSH-2.0-")
    assert data["host_key"]["fingerprint"].startswith("SHA256:")
    assert data["sftp"].startswith("中文文件 ")
    assert data["clients"]["paramiko"]


def test_login_passes_where_this_machine_has_no_openssh(
    ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openssh.shutil, "which", lambda _: None)
    assert ask(check_login)["clients"]["openssh"] == "not on this machine"


def test_login_by_openssh_fails(ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openssh, "version", lambda: "OpenSSH_9.9p1")
    monkeypatch.setattr(openssh, "run", lambda *_: ssh.Output(7, "banner\nlab\n/home/lab\n"))
    with pytest.raises(CheckFailedError, match=r"the name lab .* by OpenSSH's client; got 'banner"):
        ask(check_login)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("none", "there and back by sftp; got no sftp: "),
        ("refused", "there and back by sftp; got .*Permission denied"),
        ("lost", "in the list of the home; got 0 others"),
        ("changed", "the same 100000 bytes back by sftp; got 100000 others"),
    ],
)
def test_sftp_fails(ask: Any, wrong: str, message: str) -> None:
    with pytest.raises(CheckFailedError, match=message):
        ask(check_login, sftp=wrong)


def test_sftp_leaves_no_thread_that_asks_on(ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ahead: list[Any] = []
    monkeypatch.setattr(
        paramiko.SFTPFile, "_start_prefetch", lambda _, chunks, *__: ahead.append(chunks)
    )
    assert ask(check_login)["sftp"]
    assert ahead == []


def test_login_of_an_account_with_another_home_and_port(
    ssh_server: Any, subject: Any, plan: Any
) -> None:
    fake = ssh_server(run=lambda *_: (7, "lab\n/srv/lab\n"))
    made = subject(the_plan=plan)
    foreign = Foreign("/srv/lab", {SSH_PORT: 2222})
    elsewhere = replace(made, foreign=foreign, addresses={2222: fake.address})
    assert check_login(elsewhere, Deadline.after(5))["user"] == "lab"
    with pytest.raises(CheckFailedError, match="port 2222 is not published"):
        check_login(replace(elsewhere, addresses={22: fake.address}), Deadline.after(1))


@pytest.mark.parametrize(
    ("behaviour", "message"),
    [
        ({"user": "somebody"}, "login of lab with the key.*a refusal"),
        ({"run": lambda *_: (7, "root\n/root\n")}, "the name lab.*root"),
        ({"run": lambda *_: (0, "lab\n/home/lab\n")}, "exit code 7"),
    ],
)
def test_login_fails(ask: Any, behaviour: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckFailedError, match=message):
        ask(check_login, **behaviour)


def test_login_fails_when_nobody_listens(subject: Any) -> None:
    with pytest.raises(CheckFailedError, match=r"an ssh server; got .*nobody listens"):
        check_login(subject(ssh_at=("127.0.0.1", 9)), Deadline.after(0.2))


def test_login_fails_when_another_service_answers(
    subject: Any, desktop_server: Any, fake_desktop: Any
) -> None:
    address = desktop_server(fake_desktop())
    with pytest.raises(CheckFailedError, match="an ssh server"):
        check_login(subject(ssh_at=address), Deadline.after(0.5))


def test_password_passes(ask: Any) -> None:
    assert ask(check_password) == {"password_login": True, "wrong_password": "refused"}


def test_password_passes_when_the_plan_has_none(ask: Any) -> None:
    data = ask(check_password, in_plan=False, passwords_allowed=False)
    assert data["password_login"] is False


@pytest.mark.parametrize(
    ("behaviour", "message"),
    [
        ({"any_password": True}, "refusal of a wrong password for lab; got a login"),
        ({"password": "something else"}, "with the generated password; got a refusal"),
        ({"passwords_allowed": False}, "with the generated password; got a refusal"),
    ],
)
def test_password_fails(ask: Any, behaviour: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckFailedError, match=message) as caught:
        ask(check_password, **behaviour)
    assert "correct-horse" not in str(caught.value)


def test_password_fails_when_the_plan_has_none_but_it_opens(ask: Any) -> None:
    with pytest.raises(CheckFailedError, match=r"sshd\.password is false"):
        ask(check_password, in_plan=False)


def test_root_is_refused(ask: Any) -> None:
    assert ask(check_root) == {"root": "refused"}


@pytest.mark.parametrize("way", ["key", "password"])
def test_root_fails(ask: Any, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if way == "password":
        monkeypatch.setattr(ssh, "try_key", lambda *_: False)
    with pytest.raises(CheckFailedError, match=f"refusal of root with the {way}"):
        ask(check_root, root_allowed=True)


def test_root_may_have_keys_or_a_password(ask: Any) -> None:
    keys_only = {"root_allowed": True, "root_password": "none of ours"}
    assert ask(check_root, root="keys", **keys_only) == {"root": "keys"}
    both = {"root_allowed": True, "root_password": "root-pass"}
    assert ask(check_root, root="password", **both) == {"root": "password"}


def test_root_fails_without_the_login_that_the_plan_promises(ask: Any) -> None:
    with pytest.raises(CheckFailedError, match="a login of root with the key"):
        ask(check_root, root="keys")
    with pytest.raises(CheckFailedError, match="a login of root with the password"):
        ask(check_root, root="password", root_allowed=True, root_password="another")


@pytest.mark.parametrize("check", [check_login, check_password, check_root])
def test_skipped_without_sshd(check: Any, subject: Any, plan: Any) -> None:
    with pytest.raises(CheckSkippedError, match="no sshd"):
        check(subject(the_plan=replace(plan, sshd=None)), Deadline.after(1))
