"""A real sshd on this machine's loopback, whose logins reach the engine under test."""

from __future__ import annotations

import getpass
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from imagekit.wait import Deadline, NotYetError, until
from tests.required import missing

_SETTINGS = """\
ListenAddress 127.0.0.1:{port}
HostKey {folder}/host
AuthorizedKeysFile {folder}/known.pub
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin yes
PidFile none
SetEnv DOCKER_HOST={engine}
"""


@dataclass(frozen=True)
class Sshd:
    """Where it listens, and whom it knows.

    Attributes:
        url: the engine behind it.
        folder: the keys ``known`` and ``stranger``, the server's ``host``, each with ``.pub``.
    """

    url: str
    port: int
    folder: Path


@contextmanager
def sshd(engine: str, folder: Path) -> Iterator[Sshd]:
    """Run sshd until the block ends; who logs in with the key ``known`` has ``engine``."""
    program = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")
    if program is None or shutil.which("docker") is None:
        missing("sshd", "an engine over ssh needs sshd and the docker command line")
    Path("/run/sshd").mkdir(exist_ok=True)  # where sshd's unprivileged half lives
    for name in ("host", "known", "stranger"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(command, check=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = folder / "sshd_config"
    settings.write_text(_SETTINGS.format(port=port, folder=folder, engine=engine))
    process = subprocess.Popen([program, "-D", "-e", "-f", settings], stderr=subprocess.DEVNULL)
    try:
        until(lambda: _answers(process, port), Deadline.after(30))
        yield Sshd(f"ssh://{getpass.getuser()}@127.0.0.1:{port}", port, folder)
    finally:
        process.terminate()
        process.wait(10)


def _answers(process: subprocess.Popen[bytes], port: int) -> None:
    assert process.poll() is None, "sshd ended"
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as probe:
            banner = probe.recv(4)
    except OSError as error:
        raise NotYetError(str(error)) from error
    assert banner == b"SSH-"
