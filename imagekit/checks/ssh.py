"""ssh logins for the checks: no agent, no known hosts, nothing from the caller's home.

They work on paramiko's ``Transport`` and not its ``SSHClient``, because a check wants to
know what one way of logging in gives, and the client tries several by itself.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from imagekit.checks.check import AnswerError
from imagekit.checks.transport import connect as connect_tcp
from imagekit.wait import Deadline, NotYetError, until

if TYPE_CHECKING:
    import paramiko

# paramiko logs what it also raises, with tracebacks. Its transports get a channel of
# their own, so that the caller's settings for "paramiko" stay as they are.
_CHANNEL = "imagekit.checks.ssh.transport"
_QUIET = logging.getLogger(_CHANNEL)
_QUIET.addHandler(logging.NullHandler())
_QUIET.propagate = False

_LONGEST_OUTPUT = 1 << 20

# Logins end by the deadline of their connection: paramiko counts from each login's start.
_DEADLINES: WeakKeyDictionary[paramiko.Transport, Deadline] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Output:
    """What a command gave: exit code, and output and errors together."""

    code: int
    text: str


@dataclass(frozen=True, slots=True)
class HostKey:
    """A server's identity.

    Attributes:
        type: such as ``ssh-ed25519``.
        fingerprint: ``SHA256:…``, as ``ssh-keygen -l`` prints it.
    """

    type: str
    fingerprint: str


def new_key() -> paramiko.PKey:
    """A fresh ECDSA key: one of the kinds that paramiko also writes to a file."""
    import paramiko  # noqa: PLC0415 (slow import)

    return paramiko.ECDSAKey.generate()


def public_line(key: paramiko.PKey) -> str:
    """The public half as a line of ``authorized_keys``."""
    return f"{key.get_name()} {key.get_base64()} imagekit-check"


class NoSuchKeyError(AnswerError):
    """The server has no host key of the kind that was asked for."""


@contextmanager
def connect(
    address: tuple[str, int], deadline: Deadline, host_key_type: str = ""
) -> Iterator[paramiko.Transport]:
    """A connection with its keys exchanged and nobody logged in.

    It is tried again while nobody listens, or while who listens closes at once (an
    engine's proxy for a service that is not up yet).

    Args:
        address: host name and port.
        deadline: when to give up.
        host_key_type: the only algorithm by which the server may prove its identity, such
            as ``ssh-ed25519``; empty for whichever both sides know.

    Raises:
        OSError: there is no way to the address, or no server came up in time.
        NoSuchKeyError: the server has no host key of this type.
        AnswerError: what answers is no ssh server, or the keys' exchange failed.
    """
    transport = until(lambda: _open(address, deadline, host_key_type), deadline)
    try:
        yield transport
    finally:
        transport.close()


def _open(address: tuple[str, int], deadline: Deadline, host_key_type: str) -> paramiko.Transport:
    import paramiko  # noqa: PLC0415 (slow import)

    connection = connect_tcp(address, deadline)
    try:
        _await_first_byte(connection, deadline)
        transport = paramiko.Transport(connection)
    except BaseException:
        connection.close()
        raise
    transport.set_log_channel(_CHANNEL)
    if host_key_type:
        transport.get_security_options().key_types = (host_key_type,)
    transport.banner_timeout = deadline.timeout()
    _DEADLINES[transport] = deadline
    try:
        transport.start_client(timeout=deadline.timeout())
    except paramiko.ssh_exception.IncompatiblePeer as error:
        transport.close()
        kind = NoSuchKeyError if host_key_type else AnswerError
        raise kind(f"no ssh session: {error}") from error
    except (paramiko.SSHException, EOFError) as error:
        transport.close()
        raise AnswerError(f"no ssh session: {error or 'closed'}") from error
    except BaseException:
        transport.close()
        raise
    return transport


def _await_first_byte(connection: socket.socket, deadline: Deadline) -> None:
    connection.settimeout(deadline.timeout())
    try:
        first = connection.recv(1, socket.MSG_PEEK)
    except ConnectionResetError as error:
        raise NotYetError("the ssh server resets connections") from error
    if not first:
        raise NotYetError("the ssh server closes connections")


def host_key(transport: paramiko.Transport) -> HostKey:
    """The identity that the server proved in the keys' exchange."""
    key = transport.get_remote_server_key()
    digest = base64.b64encode(hashlib.sha256(key.asbytes()).digest()).decode().rstrip("=")
    return HostKey(key.get_name(), f"SHA256:{digest}")


def try_key(transport: paramiko.Transport, user: str, key: paramiko.PKey) -> bool:
    """Whether the user may log in with the key; if so, the connection is theirs.

    Raises:
        TimeoutError: the server gave no answer by the deadline of the connection.
        AnswerError: it hung up.
    """
    return _accepted(transport, lambda: transport.auth_publickey(user, key))


def try_password(transport: paramiko.Transport, user: str, password: str) -> bool:
    """Whether the user may log in with the password; if so, the connection is theirs.

    Where the server has no password login, keyboard-interactive is tried, by which PAM
    asks for the same password.

    Raises:
        TimeoutError: the server gave no answer by the deadline of the connection.
        AnswerError: it hung up.
    """
    return _accepted(transport, lambda: transport.auth_password(user, password))


def _accepted(transport: paramiko.Transport, attempt: Callable[[], list[str]]) -> bool:
    import paramiko  # noqa: PLC0415 (slow import)

    deadline = _DEADLINES[transport]
    transport.auth_timeout = deadline.timeout()
    try:
        further = attempt()
    except paramiko.AuthenticationException as error:
        # paramiko's word for a time-out is that of a refusal.
        if deadline.left <= 0:
            raise TimeoutError("no answer to the login in time") from error
        if not transport.is_active():
            raise AnswerError("the server closed the connection without an answer") from error
        return False
    except (paramiko.SSHException, EOFError) as error:
        raise AnswerError(f"no answer to the login: {error or 'closed'}") from error
    return not further and transport.is_authenticated()


def run(
    transport: paramiko.Transport,
    command: str,
    deadline: Deadline,
    environment: Mapping[str, str] | None = None,
) -> Output:
    """What ``ssh host command`` gives.

    Args:
        transport: a connection on which somebody logged in.
        command: for the user's shell.
        deadline: when to give up.
        environment: variables that the client offers; the server may ignore them.

    Raises:
        OSError: the command did not end in time, or the connection broke.
        AnswerError: the server did not run it.
    """
    with _session(transport, deadline) as channel:
        for name, value in (environment or {}).items():
            channel.set_environment_variable(name, value)
        channel.exec_command(command)
        channel.shutdown_write()
        return _drain(channel, deadline)


def run_in_login_shell(transport: paramiko.Transport, script: str, deadline: Deadline) -> Output:
    """What the user's login shell does with a script on its standard input.

    That is ``ssh host < script``: the server starts the shell as a login shell, and
    without a terminal it echoes nothing. Errors as for ``run``.
    """
    with _session(transport, deadline) as channel:
        channel.invoke_shell()
        channel.sendall(script.encode())
        channel.shutdown_write()
        return _drain(channel, deadline)


def run_in_terminal(transport: paramiko.Transport, script: str, deadline: Deadline) -> Output:
    """What the user's login shell shows in a terminal for a script that ends with ``exit``.

    That is ``ssh -t host``, an interactive login shell: the lines typed are echoed.
    Errors as for ``run``.
    """
    with _session(transport, deadline) as channel:
        channel.get_pty(term="dumb", width=200)
        channel.invoke_shell()
        channel.sendall(script.encode())
        channel.shutdown_write()
        return _drain(channel, deadline)


@contextmanager
def _session(transport: paramiko.Transport, deadline: Deadline) -> Iterator[paramiko.Channel]:
    import paramiko  # noqa: PLC0415 (slow import)

    try:
        with transport.open_session(timeout=deadline.timeout()) as channel:
            channel.settimeout(deadline.timeout())
            channel.set_combine_stderr(True)
            yield channel
    except paramiko.SSHException as error:
        raise AnswerError(f"no session: {error}") from error


def _drain(channel: paramiko.Channel, deadline: Deadline) -> Output:
    output = bytearray()
    while data := channel.recv(1 << 15):
        output += data
        if len(output) > _LONGEST_OUTPUT:
            raise AnswerError(f"more than {_LONGEST_OUTPUT} bytes of output")
        channel.settimeout(deadline.timeout())
    if not channel.status_event.wait(deadline.left) or channel.exit_status < 0:
        raise AnswerError("no exit code")
    return Output(channel.exit_status, output.decode(errors="replace"))
