"""OpenSSH's own client, where this machine has one: what people use, beside our library.

Nothing of the caller's counts: no settings, no agent, no known hosts, no keys (ssh_config(5)).
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from imagekit.checks.check import CheckFailedError, asking
from imagekit.checks.ssh import Output
from imagekit.wait import Deadline

if TYPE_CHECKING:
    import paramiko

_ABSENT = "not on this machine"
_FAILED = 255  # ssh(1), "EXIT STATUS": an error of its own


def version() -> str:
    """What the client calls itself, such as ``OpenSSH_9.2p1``; says so when there is none."""
    program = shutil.which("ssh")
    if program is None:
        return _ABSENT
    try:
        done = subprocess.run(
            [program, "-V"], stdin=subprocess.DEVNULL, capture_output=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"does not say its version: {error}"
    words = (done.stderr or done.stdout).decode(errors="replace").replace(",", " ").split()
    name = words[0] if words else ""
    return name if name.startswith("OpenSSH_") else f"another client: {name}"


def is_there(said: str) -> bool:
    """Whether what ``version`` said is the version of OpenSSH's client."""
    return said.startswith("OpenSSH_")


def run(
    address: tuple[str, int],
    login: tuple[str, paramiko.PKey],
    host_key: paramiko.PKey,
    command: str,
    deadline: Deadline,
) -> Output:
    """What ``ssh user@host command`` gives.

    Args:
        address: host name and port.
        login: the account and its key.
        host_key: the one that the server has to have.
        command: for the account's shell.
        deadline: when to give up.

    Raises:
        CheckFailedError: the client itself failed, or did not end in time.
    """
    host, port = address
    user, key = login
    asked = f"a command by OpenSSH's client as {user}"
    with tempfile.TemporaryDirectory(prefix="imagekit-ssh-") as name:
        folder = Path(name)
        identity, known = folder / "identity", folder / "known_hosts"
        key.write_private_key_file(str(identity))
        known.write_text(f"[{host}]:{port} {host_key.get_name()} {host_key.get_base64()}\n")
        options = {
            "IdentityFile": str(identity),
            "IdentitiesOnly": "yes",
            "IdentityAgent": "none",
            "PreferredAuthentications": "publickey",
            "BatchMode": "yes",
            "StrictHostKeyChecking": "yes",
            "UserKnownHostsFile": str(known),
            "GlobalKnownHostsFile": "/dev/null",
            "LogLevel": "ERROR",
        }
        words = [f"-o{option}={value}" for option, value in options.items()]
        argv = ["ssh", "-F", "/dev/null", *words, "-p", str(port), f"{user}@{host}", command]
        with asking(asked, "the container's log, lines of sshd"):
            output = _run(argv, deadline)
    if output.code == _FAILED:
        raise CheckFailedError(asked, repr(output.text[-500:]), "the container's log")
    return output


def _run(argv: list[str], deadline: Deadline) -> Output:
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=deadline.timeout(),
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise TimeoutError("OpenSSH's client did not end in time") from error
    return Output(done.returncode, done.stdout.decode(errors="replace"))
