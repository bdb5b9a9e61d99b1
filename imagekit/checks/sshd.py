"""The ssh service: who may log in, and how."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from imagekit.checks import openssh, sftp, ssh
from imagekit.checks.check import CheckFailedError, CheckSkippedError, Data, asking
from imagekit.checks.ssh import Output
from imagekit.checks.subject import Subject
from imagekit.names import SSH_PORT
from imagekit.plan.model import Sshd
from imagekit.wait import Deadline

if TYPE_CHECKING:
    import paramiko

LOG = "the container's log, lines of sshd"
_COMMAND = 'id -un; printf "%s\\n" "$HOME"; exit 7'
_WRONG_PASSWORD = "imagekit-wrong-password"  # noqa: S105 (what it says)


def check_login(subject: Subject, deadline: Deadline) -> Data:
    """A login with the key, a command that says who and where it is, and a file by sftp.

    The login and the command are those of a library and, where this machine has it, of
    OpenSSH's own client.
    """
    import paramiko  # noqa: PLC0415 (slow import)

    user = subject.plan.user.name
    with session(subject, deadline) as transport:
        identity = ssh.host_key(transport)
        with asking(f"`id -un` over ssh as {user}", LOG):
            output = ssh.run(transport, _COMMAND, deadline)
        _check_output(subject, output, "over ssh")
        name = sftp.exchange(transport, deadline)
        client = openssh.version()
        if openssh.is_there(client):
            login = (user, subject.key)
            server = transport.get_remote_server_key()
            address = subject.address(SSH_PORT)
            output = openssh.run(address, login, server, _COMMAND, deadline)
            _check_output(subject, output, "by OpenSSH's client")
        return {
            "banner": transport.remote_version,
            "host_key": {"type": identity.type, "fingerprint": identity.fingerprint},
            "user": user,
            "sftp": name,
            "clients": {"paramiko": paramiko.__version__, "openssh": client},
        }


def _check_output(subject: Subject, output: Output, where: str) -> None:
    user, home = subject.plan.user.name, subject.home
    expected = f"{user}\n{home}\n"
    if output.text != expected:
        raise CheckFailedError(
            f"the name {user} and the home {home} {where}",
            repr(output.text),
            f"/etc/passwd and the start-up files in {home}",
        )
    if output.code != 7:
        raise CheckFailedError(
            f"exit code 7 of `exit 7` {where}", str(output.code), f"the shell of {user}"
        )


def check_password(subject: Subject, deadline: Deadline) -> Data:
    """The generated password opens when the plan says so, and a wrong one never does.

    Both are tried on one connection, the wrong one first: since OpenSSH 9.8 a client
    that leaves after failed attempts is locked out for a while, and one that gets in at
    last is not (sshd_config(5), PerSourcePenalties).
    """
    sshd = wanted(subject)
    user = subject.plan.user.name
    asked = "an answer to a password over ssh"
    with _connected(subject, deadline) as client, asking(asked, LOG):
        if ssh.try_password(client, user, _WRONG_PASSWORD):
            raise CheckFailedError(
                f"a refusal of a wrong password for {user}", "a login", "/etc/pam.d/sshd"
            )
        accepted = ssh.try_password(client, user, subject.secrets.password)
    if accepted and not sshd.password:
        raise CheckFailedError(
            f"a refusal of the password for {user} (sshd.password is false)",
            "a login",
            "PasswordAuthentication and KbdInteractiveAuthentication in sshd's configuration",
        )
    if sshd.password and not accepted:
        raise CheckFailedError(
            f"a login of {user} with the generated password",
            "a refusal",
            f"{LOG}, and what sets the password at start",
        )
    return {"password_login": accepted, "wrong_password": "refused"}


def check_root(subject: Subject, deadline: Deadline) -> Data:
    """Root gets in as the plan says: not at all, with the key, or with a password, too."""
    root = wanted(subject).root
    expected = {"key": root in {"keys", "password"}, "password": root == "password"}
    for way, is_let_in in expected.items():
        with (
            _connected(subject, deadline) as client,
            asking(f"an answer to root's login with the {way}", LOG),
        ):
            accepted = _root_gets_in(client, subject, way)
        if accepted != is_let_in:
            raise CheckFailedError(
                f"{_answer(is_let_in)} of root with the {way} (sshd.root: {root})",
                _answer(accepted),
                "PermitRootLogin in sshd's configuration (`sshd -T`)",
            )
    return {"root": root}


def _root_gets_in(client: paramiko.Transport, subject: Subject, way: str) -> bool:
    if way == "key":
        return ssh.try_key(client, "root", subject.key)
    # Where root has no password of its own, the user's must not be root's either.
    secrets = subject.secrets
    own = wanted(subject).root == "password"
    return ssh.try_password(client, "root", secrets.root_password if own else secrets.password)


def _answer(accepted: bool) -> str:
    return "a login" if accepted else "a refusal"


def wanted(subject: Subject) -> Sshd:
    """The plan's ssh service.

    Raises:
        CheckSkippedError: the plan has none.
    """
    if subject.plan.sshd is None:
        raise CheckSkippedError("the plan has no sshd")
    return subject.plan.sshd


@contextmanager
def session(subject: Subject, deadline: Deadline) -> Iterator[paramiko.Transport]:
    """An ssh connection on which the plan's user is logged in with the key.

    Raises:
        CheckSkippedError: the plan has no ssh service.
        CheckFailedError: it cannot be reached, or refuses the key.
    """
    wanted(subject)
    user = subject.plan.user.name
    with _connected(subject, deadline) as transport:
        with asking(f"an answer to {user}'s key", LOG):
            accepted = ssh.try_key(transport, user, subject.key)
        if not accepted:
            raise CheckFailedError(
                f"a login of {user} with the key in authorized_keys",
                "a refusal",
                f"{LOG}; who owns the authorized_keys file and its folders",
            )
        yield transport


@contextmanager
def _connected(subject: Subject, deadline: Deadline) -> Iterator[paramiko.Transport]:
    with ExitStack() as stack:
        with asking("an ssh server", LOG):
            transport = stack.enter_context(ssh.connect(subject.address(SSH_PORT), deadline))
        yield transport
