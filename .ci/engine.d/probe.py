"""probe.py HOST: ask an engine what it is, with nothing but Python's standard library.

Neither a socket file nor a ``docker`` command on PATH proves that an engine is there,
and curl may be missing. Prints ``STORE SUITE NAME VERSION`` and exits with 0 when it
answers; otherwise prints why not and exits with 10 (nothing listens), 11 (access
denied) or 12 (anything else).
"""

import http.client
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


class Connection(http.client.HTTPConnection):
    """HTTP over whatever kind of address engines have."""

    def __init__(self, address: str) -> None:
        super().__init__("engine")
        self._address = address
        self._limit = 5 if address.startswith("unix:") else 15  # seconds

    def connect(self) -> None:
        """Open the connection."""
        scheme = urlsplit(self._address).scheme
        if scheme == "unix":
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(self._limit)
            self.sock.connect(self._address.removeprefix("unix://"))
        elif scheme == "ssh":
            self.sock = self._through_ssh()
        elif scheme in {"tcp", "http", "https"}:
            self.sock = self._over_tcp()
        else:
            raise ValueError(f"no such kind of address: {self._address}")

    def _through_ssh(self) -> socket.socket:
        if not shutil.which("ssh"):
            raise ValueError("there is no ssh command here")
        ours, theirs = socket.socketpair()
        ours.settimeout(self._limit)
        options = ["-T", "-o", "BatchMode=yes", "-o", f"ConnectTimeout={self._limit}"]
        command = ["ssh", *options, self._address, "docker", "system", "dial-stdio"]
        subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=subprocess.DEVNULL)
        theirs.close()
        return ours

    def _over_tcp(self) -> socket.socket:
        url = urlsplit(self._address)
        tls = bool(os.environ.get("DOCKER_TLS_VERIFY")) or url.scheme == "https"
        port = url.port or (2376 if tls else 2375)
        plain = socket.create_connection((url.hostname, port), self._limit)
        if not tls:
            return plain
        folder = Path(os.environ.get("DOCKER_CERT_PATH") or Path.home() / ".docker")
        context = ssl.create_default_context(cafile=folder / "ca.pem")
        context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
        return context.wrap_socket(plain, server_hostname=url.hostname)


def get(address: str, path: str) -> Any:
    """The JSON at ``path``."""
    connection = Connection(address)
    connection.request("GET", path)
    answer = connection.getresponse()
    if answer.status != http.client.OK:
        raise ValueError(f"{path} answered {answer.status}")
    return json.loads(answer.read())


def describe(address: str) -> str:
    """``STORE SUITE NAME VERSION``; the suite is ``-`` for an engine that is not ours."""
    version, info = get(address, "/version"), get(address, "/info")
    status = info.get("DriverStatus") or []
    containerd = ["driver-type", "io.containerd.snapshotter.v1"] in status
    labels = dict(label.partition("=")[::2] for label in info.get("Labels") or [])
    name = (version.get("Components") or [{}])[0].get("Name", "Engine")
    return " ".join(
        [
            "containerd" if containerd else info.get("Driver", "-"),
            labels.get("dev.imagekit.suite", "-"),
            "Docker Engine" if name == "Engine" else name,
            version["Version"],
        ]
    )


def main() -> int:
    """Print what is there, or why nothing is."""
    try:
        print(describe(sys.argv[1]))
    except PermissionError:
        print("access denied")
        return 11
    except (FileNotFoundError, ConnectionRefusedError):
        print("nothing listens there")
        return 10
    except (OSError, ValueError, KeyError, http.client.HTTPException) as error:
        print(str(error) or type(error).__name__)
        return 12
    return 0


sys.exit(main())
