"""What a person tells of an image that imagekit did not build: ``--with KEY=VALUE``."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from imagekit.container import Secrets
from imagekit.document import quote
from imagekit.errors import InputError, Message
from imagekit.names import JUPYTER_PORT, SSH_PORT, VNC_PORT, WEB_PORT

SERVICES: Mapping[str, int] = {
    "sshd": SSH_PORT,
    "web": WEB_PORT,
    "vnc": VNC_PORT,
    "jupyter": JUPYTER_PORT,
}
"""The services that can be elsewhere, and the ports of imagekit's own images."""

SECRETS = ("password", "desktop_password", "jupyter_token", "vnc_password", "root_password")
"""What a variable can be given as ``@NAME``: a field of ``Secrets``."""

K = TypeVar("K")
V = TypeVar("V")

KEYS = "user, password-file, port.SERVICE, env.NAME, jupyter.path, command"
_PORT = "port."
_ENV = "env."
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)*/?")
_HIGHEST_PORT = 65535


@dataclass(frozen=True, slots=True)
class Told:
    """How an image of somebody else is used.

    Attributes:
        user: the account that logs in; empty for the plan's, or the image's own.
        password: the account's password; empty when nobody knows it.
        ports: pairs of imagekit's port of a service and the image's own.
        environment: pairs of variable and value; ``@NAME`` is the secret of that name.
        jupyter: the path below which Jupyter is; empty for ``/``.
        command: instead of the image's own; none for that.
        settings: what ``--set`` says of an image that no profile describes.
    """

    user: str = ""
    password: str = field(default="", repr=False)
    ports: tuple[tuple[int, int], ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    jupyter: str = ""
    command: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()


NOTHING = Told()


def parse(texts: Iterable[str]) -> Told:
    """``KEY=VALUE`` texts as a value; later ones win.

    Raises:
        InputError: with all that is wrong with them.
    """
    told = NOTHING
    problems: list[Message] = []
    for text in texts:
        try:
            told = _with(told, text)
        except _WrongError as error:
            problems.append(Message(f"--with {quote(text[:80])}", error.what, error.hint))
    if problems:
        raise InputError(problems)
    return told


def variables(told: Told, secrets: Secrets) -> tuple[tuple[str, str], ...]:
    """The environment with the secrets in their places."""
    return tuple(
        (name, str(getattr(secrets, value[1:])) if value.startswith("@") else value)
        for name, value in told.environment
    )


class _WrongError(Exception):
    def __init__(self, what: str, hint: str) -> None:
        self.what, self.hint = what, hint
        super().__init__(what)


def _with(told: Told, text: str) -> Told:
    key, equals, value = text.partition("=")
    # A variable may be empty, which takes a default away.
    if not equals or not (value or key.startswith(_ENV)):
        raise _WrongError("not of the form KEY=VALUE", f"the keys are {KEYS}")
    match key:
        case "user":
            return replace(told, user=value)
        case "password-file":
            return replace(told, password=_read(value))
        case "jupyter.path":
            return replace(told, jupyter=_path(value))
        case "command":
            return replace(told, command=_words(value))
    if key.startswith(_PORT):
        service = key.removeprefix(_PORT)
        if service not in SERVICES:
            raise _WrongError(f"no service {quote(service)}", f"they are {', '.join(SERVICES)}")
        pair = (SERVICES[service], _port(value))
        return replace(told, ports=_added(told.ports, pair))
    if key.startswith(_ENV):
        pair_of_texts = (_variable(key.removeprefix(_ENV)), _value(value))
        return replace(told, environment=_added(told.environment, pair_of_texts))
    raise _WrongError(f"no key {quote(key)}", f"the keys are {KEYS}")


def _added(pairs: tuple[tuple[K, V], ...], pair: tuple[K, V]) -> tuple[tuple[K, V], ...]:
    """The pairs with one more, which replaces one of the same name."""
    return tuple({**dict(pairs), pair[0]: pair[1]}.items())


def _read(path: str) -> str:
    try:
        text = Path(path).read_text("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise _WrongError(f"the file cannot be read: {said}", "one line of text") from error
    if not text.strip() or "\n" in text:
        raise _WrongError("the file has to hold a password", "one line of text")
    return text


def _path(text: str) -> str:
    if not _PATH.fullmatch(text):
        raise _WrongError("not a path", "for instance /jupyter")
    return text.rstrip("/")


def _words(text: str) -> tuple[str, ...]:
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise _WrongError(f"not a command: {error}", "quote it as for a shell") from error
    if not any(words):
        raise _WrongError("not a command: it has no words", "for instance /usr/sbin/sshd -D")
    return words


def _port(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 0 < int(text) <= _HIGHEST_PORT:
        raise _WrongError(f"no port {quote(text)}", "a number up to 65535, in the container")
    return int(text)


def _variable(name: str) -> str:
    if not _VARIABLE.fullmatch(name):
        raise _WrongError(
            f"no variable's name {quote(name)}", "for instance env.VNC_PW=@vnc_password"
        )
    return name


def _value(text: str) -> str:
    if text.startswith("@") and text[1:] not in SECRETS:
        hint = f"the secrets are {', '.join(f'@{name}' for name in SECRETS)}"
        raise _WrongError(f"no secret {quote(text)}", hint)
    return text
