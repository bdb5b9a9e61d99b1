"""Which engine is meant: the address, found as the docker command line finds it.

The order is that of the docker command line (docker/cli, ``cli/command/cli.go``,
``resolveContextName``; tried against 28.2): an address that was asked for, then
``DOCKER_HOST``, then the context named by ``DOCKER_CONTEXT`` or by ``currentContext``
in the user's ``config.json``, then the default socket.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagekit import home
from imagekit.errors import EngineError, Message

DEFAULT_SOCKET = "unix:///var/run/docker.sock"
_DEFAULT = "default"  # docker's name for no context


@dataclass(frozen=True, slots=True)
class Tls:
    """How to speak TLS with an engine.

    Attributes:
        verify: check the engine's certificate.
        ca: PEM file of the authority that signed it; None is the system's list.
        cert: PEM file with our certificate; None sends none.
        key: PEM file with its key; None exactly when ``cert`` is.
    """

    verify: bool
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An engine's address.

    Attributes:
        url: ``unix://``, ``tcp://`` or ``ssh://``.
        found: where the address comes from, as people say it (``DOCKER_HOST``).
        tls: None for a plain connection.
    """

    url: str
    found: str
    tls: Tls | None = None


def resolve(asked: str = "", env: Mapping[str, str] = os.environ) -> Endpoint:
    """The address of the engine that is meant.

    Args:
        asked: an address (``ssh://me@server``), or a docker context's name; empty to look
            for one. ``default`` overlooks the current context, as it does for docker.
        env: the environment.

    Raises:
        EngineError: the context that is named does not exist or cannot be read.
    """
    if "://" in asked:
        return Endpoint(asked, "as asked for", _tls_of_env(env, asked))
    folder = Path(env.get("DOCKER_CONFIG") or home.folder() / ".docker")
    if asked not in {"", _DEFAULT}:
        return _of_context(folder, asked)
    if host := env.get("DOCKER_HOST"):
        return Endpoint(host, "DOCKER_HOST", _tls_of_env(env, host))
    name, origin = ("", "") if asked else _context_name(folder, env)
    if name not in {"", _DEFAULT}:
        return _of_context(folder, name, origin)
    return Endpoint(DEFAULT_SOCKET, "the default socket", _tls_of_env(env, DEFAULT_SOCKET))


def _tls_of_env(env: Mapping[str, str], url: str) -> Tls | None:
    """TLS as DOCKER_TLS_VERIFY, DOCKER_TLS and DOCKER_CERT_PATH say; None for sockets and ssh."""
    if not url.startswith(("tcp://", "https://")):
        return None
    verify = bool(env.get("DOCKER_TLS_VERIFY"))
    if not (verify or env.get("DOCKER_TLS") or env.get("DOCKER_CERT_PATH")):
        return Tls(verify=True) if url.startswith("https://") else None
    certs = env.get("DOCKER_CERT_PATH") or env.get("DOCKER_CONFIG") or home.folder() / ".docker"
    return _tls_of_folder(Path(certs), verify=verify)


def _tls_of_folder(folder: Path, *, verify: bool) -> Tls:
    """TLS with the files of the usual names that are there."""
    ca, cert, key = (folder / name for name in ("ca.pem", "cert.pem", "key.pem"))
    pair = cert.is_file() and key.is_file()
    return Tls(
        verify=verify,
        ca=ca if ca.is_file() else None,
        cert=cert if pair else None,
        key=key if pair else None,
    )


def _context_name(folder: Path, env: Mapping[str, str]) -> tuple[str, str]:
    """The current context's name, and what named it; ``("", "")`` when nothing does."""
    if name := env.get("DOCKER_CONTEXT"):
        return name, "DOCKER_CONTEXT"
    path = folder / "config.json"
    config = _read(path) or {}
    return str(config.get("currentContext") or ""), str(path)


def _of_context(folder: Path, name: str, origin: str = "") -> Endpoint:
    """The engine of a context (docker/cli, ``cli/context/store``: folders are named by SHA-256).

    ``origin`` is what named the context; empty when it was asked for.
    """
    identity = hashlib.sha256(name.encode()).hexdigest()
    meta = folder / "contexts" / "meta" / identity / "meta.json"
    data = _read(meta)
    if data is None:
        raise EngineError(
            Message(
                origin,
                f"there is no docker context {name!r}",
                "docker context ls shows those that exist; docker context use default "
                "goes back to the local engine",
            )
        )
    endpoints = data.get("Endpoints")
    docker = endpoints.get("docker") if isinstance(endpoints, dict) else None
    host = str(docker.get("Host") or "") if isinstance(docker, dict) else ""
    if not isinstance(docker, dict) or not host:
        raise EngineError(Message(str(meta), f"docker context {name!r} names no Docker Engine"))
    files = folder / "contexts" / "tls" / identity / "docker"
    tls = None
    if files.is_dir() and not host.startswith(("unix://", "ssh://")):
        tls = _tls_of_folder(files, verify=not docker.get("SkipTLSVerify"))
    found = f"docker context {name!r}"
    return Endpoint(host, f"{found}, from {origin}" if origin else found, tls)


def _read(path: Path) -> dict[str, Any] | None:
    """A JSON object from a file; None when there is no such file."""
    try:
        data = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise EngineError(Message(str(path), f"cannot be read as JSON: {error}")) from error
    if not isinstance(data, dict):
        raise EngineError(Message(str(path), "holds no JSON object"))
    return data
