"""What a registry's refusal means, told from the words in which an engine passes it on.

Engines keep the status and the headers to themselves. The words were read from engines
20.10 and 28.5 with a registry that was made to fail; ``docs/push.md`` lists them.
"""

from __future__ import annotations

import re

from imagekit.engine import logins
from imagekit.engine.faults import shorten
from imagekit.errors import Message, NetworkError

# Addresses, image names and digests hold numbers that are no status.
_NAMES = re.compile(r"\S*/\S*")
_STATUS = re.compile(r"(?<![\w.:-])([45]\d\d)(?![\w.-])")
_TRANSIENT_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})
_THROTTLED = re.compile(r"too ?many ?requests|rate limit", re.IGNORECASE)
_DENIED = re.compile(
    r"unauthorized|authentication required|authorization failed|basic auth|denied|forbidden",
    re.IGNORECASE,
)
_NETWORK = re.compile(
    r"\bEOF\b|connection (reset|refused)|broken pipe|time-?out|timed out|deadline exceeded"
    r"|no such host|server misbehaving|temporary failure|no route to host|unreachable"
    r"|unavailable|bad gateway",
    re.IGNORECASE,
)
# Engine 28 with overlay2 has no more to say of an answer that it could not read.
_UNSAID = re.compile(r"unknown:?\s*")
# The two that every registry of a lab's own meets first, and what mends them.
_UNTRUSTED = re.compile(r"x509|certificate", re.IGNORECASE)
_NO_TLS = "server gave HTTP response to HTTPS client"


class RegistryError(NetworkError):
    """A registry refused, failed, or could not be reached.

    Attributes:
        transient: whether the same request may well succeed a little later.
        throttled: whether the registry asked for fewer requests, or for patience.
        denied: whether the login is at fault.
    """

    def __init__(
        self,
        message: Message,
        *,
        transient: bool = False,
        throttled: bool = False,
        denied: bool = False,
    ) -> None:
        self.transient = transient
        self.throttled = throttled
        self.denied = denied
        super().__init__(message)


def refusal(ref: str, text: str) -> RegistryError:
    """The error for what an engine says that a registry said about ``ref``.

    Raises:
        NetworkError: it is about the login, and the stored one cannot be read.
    """
    found = _STATUS.search(_NAMES.sub(" ", text))
    status = int(found.group(1)) if found else 0
    said = shorten(text)
    if status in {429, 503} or _THROTTLED.search(text):
        return RegistryError(Message(ref, said), transient=True, throttled=True)
    if status in _TRANSIENT_STATUS:
        return RegistryError(Message(ref, said), transient=True)
    if status in {401, 403} or _DENIED.search(text):
        return RegistryError(_login(ref, said), denied=True)
    if _UNSAID.fullmatch(text):
        # It may be one that passes (408, for instance), so it is worth a few tries.
        what = f"the registry failed, and the engine does not say how ({said.strip()})"
        return RegistryError(Message(ref, what, "the registry's log says it"), transient=True)
    if not status and _NETWORK.search(text):
        hint = "check the name, and the engine's way to the registry"
        return RegistryError(Message(ref, said, hint), transient=True)
    return RegistryError(Message(ref, said, _hint(ref, text)))


def _hint(ref: str, text: str) -> str:
    """What mends a failure that stays; empty when that is not known."""
    host = logins.registry_of(ref)
    if _NO_TLS in text:
        return f"no TLS there: put {host} into insecure-registries of the engine's daemon.json"
    if _UNTRUSTED.search(text):
        folder = f"/etc/docker/certs.d/{host}"
        return f"put the registry's CA certificate into {folder}/ca.crt on the engine's host"
    return ""


def _login(ref: str, said: str) -> Message:
    """Who was refused, and what helps."""
    host = logins.registry_of(ref)
    command = "docker login" if host == "docker.io" else f"docker login {host}"
    if user := logins.user(ref):
        what = f"{host} refuses user {user}: {said}"
        return Message(ref, what, f"{command} as a user who may push there")
    return Message(ref, f"{host} refuses, and nobody is logged in there: {said}", command)
