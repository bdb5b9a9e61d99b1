"""An engine of a test's own: reached by TLS alone, with nothing in it, gone afterwards.

It has a network namespace of its own, as an engine begins by deleting the bridge `docker0`
of whichever other engine is there (moby, daemon/daemon_unix.go, removeDefaultBridgeInterface).
"""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from imagekit.wait import Deadline, NotYetError, until
from tests.required import missing

_PORT = 2376  # docker's own for TLS


@dataclass(frozen=True)
class TlsEngine:
    """Where it is, and a folder with what docker calls ca.pem, cert.pem and key.pem."""

    url: str
    client: Path


@contextmanager
def tls_engine(programs: Path | None = None) -> Iterator[TlsEngine]:
    """Run dockerd on a port that asks for a client's certificate.

    Args:
        programs: a folder that its PATH begins with.
    """
    program = shutil.which("dockerd")
    if program is None or shutil.which("ip") is None or os.geteuid() != 0:
        missing("dockerd", "an engine of one's own needs dockerd, ip and root")
    with (
        tempfile.TemporaryDirectory(prefix="ik-engine-") as folder,
        _network() as (namespace, address),
    ):
        home = Path(folder)
        authority = _authority(home)
        server, client = (_signed(home / name, authority, address) for name in ("server", "client"))
        log = home / "log"
        command = [
            "nsenter",
            f"--net={namespace}",
            program,
            f"--host=tcp://{address}:{_PORT}",
            "--tlsverify",
            f"--tlscacert={server / 'ca.pem'}",
            f"--tlscert={server / 'cert.pem'}",
            f"--tlskey={server / 'key.pem'}",
            f"--data-root={home / 'data'}",
            f"--exec-root={home / 'exec'}",
            f"--pidfile={home / 'pid'}",
            f"--config-file={home / 'none.json'}",
            # Where a containerd of the machine's own is used, not beside its other users.
            "--containerd-namespace=imagekit-test",
            "--containerd-plugins-namespace=imagekit-test-plugins",
            "--iptables=false",
        ]
        (home / "none.json").write_text("{}")
        with log.open("wb") as out:
            process = subprocess.Popen(command, stdout=out, stderr=out, env=_environment(programs))
        try:
            until(lambda: _listens(process, address, log), Deadline.after(60))
            yield TlsEngine(f"tcp://{address}:{_PORT}", client)
        finally:
            process.terminate()
            process.wait(60)


def _environment(programs: Path | None) -> dict[str, str]:
    path = os.environ["PATH"]
    return {**os.environ, "PATH": f"{programs}:{path}" if programs else path}


@contextmanager
def _network() -> Iterator[tuple[Path, str]]:
    """A network namespace, and its address as this machine reaches it."""
    # 198.18.0.0/15 is for tests between networks, and nobody's own (RFC 2544, appendix C.2.2).
    third, block = random.randrange(256), 4 * random.randrange(64)  # noqa: S311
    name, net = f"ik-{third}-{block}", f"198.18.{third}"
    here, there = f"{net}.{block + 1}/30", f"{net}.{block + 2}/30"
    _ip("netns", "add", name)
    try:
        _ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
        _ip("addr", "add", here, "dev", name)
        _ip("link", "set", name, "up")
        _ip("-n", name, "addr", "add", there, "dev", "eth0")
        for link in ("lo", "eth0"):
            _ip("-n", name, "link", "set", link, "up")
        yield Path("/run/netns", name), there.partition("/")[0]
    finally:
        _ip("netns", "delete", name)  # the pair of links goes with it


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


def _listens(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    if process.poll() is not None:
        raise AssertionError(log.read_text()[-2000:])
    try:
        socket.create_connection((address, _PORT), 5).close()
    except OSError as error:
        raise NotYetError(log.read_text()[-2000:]) from error


def _authority(home: Path) -> Path:
    """A certificate authority: its certificate, with the key beside it."""
    home.joinpath("authority").mkdir()
    _openssl(home / "authority", "/CN=imagekit test authority")
    return home / "authority"


def _signed(folder: Path, authority: Path, address: str) -> Path:
    """A folder with a certificate for an address, its key, and who signed it."""
    folder.mkdir()
    by = ("-CA", str(authority / "cert.pem"), "-CAkey", str(authority / "key.pem"))
    usage = ("-addext", "extendedKeyUsage=serverAuth,clientAuth")
    plain = ("-addext", "basicConstraints=critical,CA:FALSE")
    name = ("-addext", f"subjectAltName=IP:{address}")
    _openssl(folder, f"/CN={address}", *name, *usage, *plain, *by)
    shutil.copy(authority / "cert.pem", folder / "ca.pem")
    return folder


def _openssl(folder: Path, subject: str, *more: str) -> None:
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    files = ("-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem"))
    command = ["openssl", "req", "-x509", "-days", "2", *key, "-subj", subject, *files, *more]
    subprocess.run(command, check=True, capture_output=True)
