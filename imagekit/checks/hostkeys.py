"""ssh host keys: no two containers of an image have the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

from imagekit.checks import ssh
from imagekit.checks.check import Check, CheckFailedError, CheckSkippedError, asking
from imagekit.checks.disruption import Disturbable, observe
from imagekit.checks.report import Result
from imagekit.checks.sshd import LOG
from imagekit.checks.subject import Subject
from imagekit.container import STATE_FOLDER
from imagekit.errors import WorkFailedError
from imagekit.events import Emit
from imagekit.names import SSH_PORT
from imagekit.wait import Deadline

HOST_KEYS = "sshd-host-keys"

_SECONDS = 60.0

# What sshd makes host keys of, by the algorithms that prove them (sshd_config(5),
# HostKeyAlgorithms); RSA keys sign with SHA-2 since RFC 8332.
_TYPES = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
)


def check_host_keys(
    stage: Disturbable,
    subject: Subject,
    _checks: Sequence[Check],
    _gone: Callable[[], str],
    on_event: Emit,
) -> Result:
    """Start a second container with volumes of its own, and compare the keys of both.

    Returns:
        A result that failed when they share a key: whoever has the image could play every
        server that was started from it; or when there is no second one. Its data
        holds ``keys`` and ``other_keys``, fingerprints by type. Skipped for an image without
        an ssh server.
    """

    def compare(data: dict[str, object]) -> None:
        if subject.plan.sshd is None:
            raise CheckSkippedError("the plan has no ssh server")
        ours = data["keys"] = _keys(subject)
        try:
            with stage.twin() as twin:
                other = replace(subject, addresses=twin.addresses())
                theirs = data["other_keys"] = _keys(other)
        except WorkFailedError as error:
            raise CheckFailedError(
                "a second container of the image", error.messages[0].what, "the engine's log"
            ) from error
        if shared := {type_ for type_, print_ in ours.items() if print_ in theirs.values()}:
            raise CheckFailedError(
                "host keys of its own in a second container of the image",
                f"the same {', '.join(sorted(shared))} key in both",
                f"the image's files below {STATE_FOLDER} and /etc/ssh: keys are made at start",
            )

    return observe(HOST_KEYS, on_event, compare)


def _keys(subject: Subject) -> dict[str, str]:
    """Fingerprints of the server's host keys by type; at least one."""
    deadline = Deadline.after(_SECONDS)
    found: dict[str, str] = {}
    with asking("the ssh server's host keys", LOG):
        address = subject.address(SSH_PORT)
        for type_ in _TYPES:
            with (
                suppress(ssh.NoSuchKeyError),
                ssh.connect(address, deadline, type_) as transport,
            ):
                found[type_] = ssh.host_key(transport).fingerprint
    if not found:
        raise CheckFailedError("an ssh host key", f"none of {', '.join(_TYPES)}", LOG)
    return found
