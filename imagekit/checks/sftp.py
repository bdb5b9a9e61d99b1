"""Files over ssh: one with a Chinese name goes there and comes back."""

from __future__ import annotations

import io
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from imagekit.checks.check import AnswerError, CheckFailedError, asking
from imagekit.wait import Deadline

if TYPE_CHECKING:
    import paramiko

_BYTES = 100_000
"""More than one packet of the protocol, and nothing on any line."""

_LOOK_AT = "the line `Subsystem sftp` in /run/imagekit/sshd_config, and openssh-sftp-server"


def exchange(transport: paramiko.Transport, deadline: Deadline) -> str:
    """Upload bytes, see the file listed, download it, and remove it; its name.

    Args:
        transport: a connection on which somebody logged in; the file lies in their home.
        deadline: when to give up.

    Raises:
        CheckFailedError: any of it does not work, or other bytes come back.
    """
    name = f"中文文件 {secrets.token_hex(4)}.bin"
    sent = secrets.token_bytes(_BYTES)
    back = io.BytesIO()
    with asking(f"{name!r} there and back by sftp", _LOOK_AT), _client(transport, deadline) as sftp:
        sftp.putfo(io.BytesIO(sent), name)
        try:
            listed = sftp.listdir()
            # Reading ahead is a thread of paramiko's that asks for pieces which a quick answer has
            # brought already, and finds the connection closed: a traceback in the middle of things.
            sftp.getfo(name, back, prefetch=False)
        finally:
            sftp.remove(name)
    if name not in listed:
        got = f"{len(listed)} others"
        raise CheckFailedError(f"{name!r} in the list of the home", got, _LOOK_AT)
    if back.getvalue() != sent:
        raise CheckFailedError(
            f"the same {_BYTES} bytes back by sftp", f"{len(back.getvalue())} others", _LOOK_AT
        )
    return name


@contextmanager
def _client(transport: paramiko.Transport, deadline: Deadline) -> Iterator[paramiko.SFTPClient]:
    import paramiko  # noqa: PLC0415 (slow import)

    try:
        with transport.open_session(timeout=deadline.timeout()) as channel:
            channel.settimeout(deadline.timeout())
            channel.invoke_subsystem("sftp")
            with paramiko.SFTPClient(channel) as client:
                yield client
    except (paramiko.SSHException, paramiko.SFTPError) as error:
        raise AnswerError(f"no sftp: {error or type(error).__name__}") from error
