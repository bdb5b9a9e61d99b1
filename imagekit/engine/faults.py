"""What goes wrong between us and an engine, in words.

docker-py, requests, urllib3, paramiko and the operating system each have their own
exceptions for it, wrapped in one another; nothing of them leaves this package.
"""

from __future__ import annotations

import errno
import grp
import os
import pwd
import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import docker.errors
import paramiko
import requests
import urllib3.exceptions

from imagekit.errors import EngineError, ImagekitError, Message

RAW = (
    docker.errors.DockerException,
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    paramiko.SSHException,
    OSError,
)
"""Everything that talking with an engine raises by itself."""

_START = (
    "start it (systemctl start docker), name another one with DOCKER_HOST, "
    "or run `make engine` in imagekit's checkout"
)
_SSH_HINT = (
    "`ssh HOST docker version` has to work first, with a key and a host that is in known_hosts"
)
_TLS_HINT = "check DOCKER_TLS_VERIFY and DOCKER_CERT_PATH, or the context's certificates"
_WANTS_TLS = "HTTP request to an HTTPS server"  # Go's net/http, to whoever speaks plainly
_UNREACHABLE = frozenset({errno.EHOSTUNREACH, errno.ENETUNREACH})
# A build's arguments are in the query of its address, the proxy with its password among them.
_QUERY = re.compile(r"\?\S+")
_MAX_TEXT = 600  # characters of an engine's message that a person gets to see


@contextmanager
def in_words(where: str) -> Iterator[None]:
    """Turn whatever the body raises about the engine at ``where`` into an EngineError.

    Raises:
        EngineError: instead of any of ``RAW``.
    """
    try:
        yield
    except ImagekitError:
        raise
    except RAW as error:
        raise fault(where, error) from error


def fault(where: str, error: BaseException) -> EngineError:
    """The EngineError that says what ``error`` means for the engine at ``where``."""
    for link in _chain(error):
        what, hint = _explain(where, link)
        if what:
            return EngineError(Message(where, what, hint))
    said = _of_the_system(error) or _QUERY.sub("?…", str(error))
    return EngineError(Message(where, f"the engine cannot be reached: {shorten(said)}"))


def is_timeout(error: BaseException) -> bool:
    """Whether ``error`` is, or was caused by, waiting too long for an answer.

    A connection that does not come about is none, though urllib3's ``NewConnectionError`` is
    a kind of its time-out even when it was refused at once: nothing was asked yet.
    """
    links = tuple(_chain(error))
    if any(isinstance(link, urllib3.exceptions.ConnectTimeoutError) for link in links):
        return False
    kinds = (TimeoutError, requests.Timeout, urllib3.exceptions.TimeoutError)
    return any(isinstance(link, kinds) for link in links)


def shorten(text: str, limit: int = _MAX_TEXT) -> str:
    """``text`` on one line and at most ``limit`` characters, cut in the middle."""
    line = " ".join(text.split())
    if len(line) <= limit:
        return line
    half = (limit - 3) // 2
    return f"{line[:half]}...{line[-half:]}"


def disk_full(text: str) -> str:
    """The hint for a message about a full disk; empty for any other message."""
    if "no space left on device" not in text.lower():
        return ""
    return (
        "the engine's disk is full: docker system df shows what uses it, docker builder prune "
        "removes what BuildKit keeps"
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    """``error`` and what caused it, innermost first: the innermost says most.

    requests and urllib3 put the cause into ``args`` or ``reason`` as often as into
    ``__cause__``, so all are followed.
    """
    found: list[BaseException] = []
    todo: list[object] = [error]
    while todo and len(found) < 20:
        link = todo.pop(0)
        if isinstance(link, BaseException) and not any(link is seen for seen in found):
            found.append(link)
            todo += [link.__cause__, link.__context__, getattr(link, "reason", None), *link.args]
    yield from reversed(found)


def _of_the_system(error: BaseException) -> str:
    """What the operating system says; empty when it is not what refused."""
    for link in _chain(error):
        if isinstance(link, OSError) and link.errno is not None and link.strerror:
            return link.strerror
    return ""


def _explain(  # noqa: PLR0911, PLR0912 - a case for each exception
    where: str, error: BaseException
) -> tuple[str, str]:
    """What an exception means and what to do; two empty texts when it says nothing new."""
    match error:
        case PermissionError():
            return _denied(where)
        case FileNotFoundError() if where.startswith("ssh://"):
            return f"ssh needs {error.filename}, which is not there", _SSH_HINT
        case FileNotFoundError():
            return "there is no such socket", _START
        case ConnectionRefusedError():
            return "nothing answers there", _START
        case socket.gaierror():
            return f"the host's name is not known: {error.strerror}", "check DOCKER_HOST"
        case OSError(errno=number) if number in _UNREACHABLE:
            return f"the engine's host cannot be reached: {error.strerror}", "check DOCKER_HOST"
        case ssl.SSLError():
            return f"TLS failed: {error}", _TLS_HINT
        case paramiko.SSHException():
            return f"ssh failed: {error}", _SSH_HINT
        case paramiko.ssh_exception.NoValidConnectionsError():
            return "nothing answers there", _SSH_HINT
        case docker.errors.InvalidVersion():
            return f"this engine is too old: {error}", "imagekit needs Docker Engine 20.10 or newer"
        case docker.errors.APIError():
            text = shorten(str(error.explanation or error))
            hint = _TLS_HINT if _WANTS_TLS in text else disk_full(text)
            return f"the engine answered {error.status_code}: {text}", hint
        case urllib3.exceptions.NewConnectionError():
            pass  # its cause says why; its class is a kind of time-out
        case TimeoutError() | requests.Timeout() | urllib3.exceptions.TimeoutError():
            return "the engine did not answer in time", ""
        case ConnectionError() | urllib3.exceptions.ProtocolError():
            far = where.startswith("ssh://")
            hint = _SSH_HINT if far else "its own log says why"
            return f"the engine closed the connection: {error}", hint
    return "", ""


def _denied(where: str) -> tuple[str, str]:
    """Who may use the socket at ``where``, when it is one."""
    path = where.partition("unix://")[2].split(" ")[0]
    if not path:
        return "permission denied", ""
    try:
        info = os.stat(path)  # noqa: PTH116 - a socket's own mode, not a file to open
    except OSError:
        return f"you may not open {Path(path).parent}", "run as root, or ask the host's keeper"
    owner, group = _user(info.st_uid), _group(info.st_gid)
    mode = f"{info.st_mode & 0o777:04o}"
    what = f"you may not use this socket (owner {owner}, group {group}, mode {mode})"
    hint = (
        f"join group {group} (sudo usermod -aG {group} $USER, then log in again; "
        "whoever is in it is root on this host), or use a rootless engine"
    )
    return what, hint


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
