"""Debian packages and signed package sources made here, and a server that build steps reach."""

from __future__ import annotations

import hashlib
import ipaddress
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from imagekit.engine.connection import Engine
from tests.required import missing


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, *_: object) -> None:
        """Nothing."""


class _Server(ThreadingHTTPServer):
    # conda's solver connects many times at once, and gives up when it is kept waiting.
    request_queue_size = 128


@contextmanager
def served(engine: Engine, folder: Path) -> Iterator[str]:
    """Serve a folder on the engine's own bridge; its address."""
    config = engine.client.networks.get("bridge").attrs["IPAM"]["Config"][0]
    handler = partial(Quiet, directory=str(folder))
    try:
        address = config.get("Gateway") or str(ipaddress.ip_network(config["Subnet"])[1])
        server = _Server((address, 0), handler)
    except OSError as error:
        missing("iptables", f"the engine's bridge is not on this machine: {error}")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://{address}:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def need_packaging() -> None:
    """Skip, or fail where it is required, without the programs that packages are made with."""
    if not all(map(shutil.which, ("gpg", "dpkg-deb"))):
        missing("packaging", "no gpg or dpkg-deb here")


def deb(file: Path, name: str, files: dict[str, bytes], work: Path, version: str = "1.0") -> str:
    """Make a Debian package; its control file."""
    control = (
        f"Package: {name}\nVersion: {version}\nArchitecture: amd64\n"
        "Maintainer: test <test@example.edu>\nDescription: a test\n"
    )
    for path, data in {**files, "DEBIAN/control": control.encode()}.items():
        (work / path).parent.mkdir(parents=True, exist_ok=True)
        (work / path).write_bytes(data)
        (work / path).chmod(0o755)
    subprocess.run(["dpkg-deb", "--build", str(work), str(file)], check=True, capture_output=True)
    return control


def row(control: str, file: Path, root: Path) -> str:
    """A package's paragraph in the index of a source whose root is ``root``."""
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    where = f"Filename: ./{file.relative_to(root)}\nSize: {file.stat().st_size}\n"
    return f"{control}{where}SHA256: {digest}\n"


def sign(folder: Path, indexes: tuple[str, ...], home: Path, fields: str = "") -> bytes:
    """Write ``InRelease`` over the indexes of a folder, with a new key.

    https://wiki.debian.org/DebianRepository/Format

    Args:
        folder: where the release file belongs.
        indexes: paths below it.
        home: a folder for gpg, which does not exist.
        fields: further fields of the release file, each with its line's end.

    Returns:
        The public key, armored.
    """
    home.mkdir(mode=0o700, parents=True)
    sums = "".join(
        f" {hashlib.sha256(data).hexdigest()} {len(data)} {index}\n"
        for index in indexes
        for data in [(folder / index).read_bytes()]
    )
    date = formatdate(usegmt=True).replace("GMT", "UTC")
    (folder / "Release").write_text(f"{fields}Date: {date}\nSHA256:\n{sums}")

    def gpg(*arguments: str) -> bytes:
        command = ["gpg", "--homedir", str(home), "--batch", "--passphrase", "", *arguments]
        return subprocess.run(command, cwd=folder, check=True, capture_output=True).stdout

    gpg("--quick-generate-key", "test@example.edu", "rsa2048", "sign", "never")
    gpg("--output", "InRelease", "--clearsign", "Release")
    return gpg("--armor", "--export")
