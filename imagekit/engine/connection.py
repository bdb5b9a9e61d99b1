"""A connection to a Docker Engine, and what that engine can do."""

from __future__ import annotations

import logging
import os
import socket
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Any

import docker
import docker.utils
from docker.tls import TLSConfig

from imagekit.engine import logins
from imagekit.engine.endpoint import Endpoint, Tls, resolve
from imagekit.engine.faults import in_words
from imagekit.errors import EngineError, Message

OLDEST_API = (1, 41)
"""Docker Engine 20.10: the Dockerfiles are written in the dialect of its BuildKit."""

OLDEST_PODMAN = 5
"""Podman 4.3.1 empties images (buildah 1.28.2: its clean-up after ``--mount=type=tmpfs``
removes what is in ``/``); 5.4.2 does not."""

# What goes wrong with ssh is raised, and said in our words. paramiko's thread logs it with a
# traceback as well, which Python prints to stderr when nobody listens (``logging.lastResort``).
logging.getLogger("paramiko").addHandler(logging.NullHandler())

_TIMEOUT = 60  # seconds for one short request; builds and pulls have their own idle limit


@dataclass(frozen=True, slots=True)
class Engine:
    """A Docker Engine that answered.

    Attributes:
        client: docker-py's client; ``close`` ends it.
        address: the URL, for instance ``unix:///var/run/docker.sock``.
        found: where the address comes from, for instance ``DOCKER_HOST``.
        version: the engine's version, for instance ``20.10.24``.
        api_version: the version of the API that is spoken, for instance ``1.41``.
        buildkit: whether it builds with BuildKit when asked to.
        podman: whether it is Podman's likeness of an engine.
        store: ``containerd`` for the containerd image store, otherwise the name of
            the storage driver, mostly ``overlay2``.
        tls: how TLS is spoken with it; None for a plain connection.
    """

    client: docker.DockerClient
    address: str
    found: str
    version: str
    api_version: str
    buildkit: bool
    store: str
    tls: Tls | None = None
    podman: bool = False

    @property
    def endpoint(self) -> Endpoint:
        """Where it is, for another process that connects to the very same engine."""
        return Endpoint(self.address, self.found, self.tls)

    @property
    def where(self) -> str:
        """The engine as messages name it."""
        return f"{self.address} ({self.found})"

    def close(self) -> None:
        """Close all connections."""
        self.client.close()


def connect(asked: str = "", *, podman: bool = False) -> Engine:
    """Connect to the engine that the docker command line would use.

    Args:
        asked: an address such as ``ssh://me@server``, or a docker context's name, which
            takes precedence over the environment and the current context.
        podman: whether a Podman will do, which can only build.

    Raises:
        EngineError: there is none, we may not use it, it is too old, or it is a Podman
            that will not do.
    """
    return connect_to(resolve(asked), podman=podman)


def connect_to(endpoint: Endpoint, *, podman: bool = False) -> Engine:
    """Connect to the engine at an address that is known. Arguments as for ``connect``."""
    where = f"{endpoint.url} ({endpoint.found})"
    with in_words(where):
        knock(endpoint.url)
        # A client that is given a version sends nothing while it is made, so that there
        # is always something to close; the second one speaks the engine's own version.
        with closing(_client(endpoint, ".".join(map(str, OLDEST_API)))) as client:
            facts = client.version(api_version=False)
            podmans = _podman(facts)
            if podmans:
                _check_podman(where, podmans, podman)
            api = _check_version(where, facts)
        with ExitStack() as keep:
            client = keep.enter_context(closing(_client(endpoint, api)))
            engine = Engine(
                client=client,
                address=endpoint.url,
                found=endpoint.found,
                version=str(facts.get("Version", "")),
                api_version=api,
                buildkit=_has_buildkit(client, facts),
                store=_store(client.info()),
                tls=endpoint.tls,
                podman=bool(podmans),
            )
            keep.pop_all()
        return engine


def runs_apart(engine: Engine) -> str:
    """Why an engine behind a local socket has another network than this host, or nothing.

    A rootless engine lives in a network namespace of its own, and Docker Desktop's in a
    virtual machine (https://docs.docker.com/engine/security/rootless/ and
    https://docs.docker.com/desktop/).

    Raises:
        EngineError: the engine did not answer.
    """
    with in_words(engine.where):
        info = engine.client.info()
    if "name=rootless" in (info.get("SecurityOptions") or ()):
        return "a rootless engine"
    return "Docker Desktop" if info.get("OperatingSystem") == "Docker Desktop" else ""


def knock(url: str) -> None:
    """Connect to a unix socket and hang up.

    docker-py would find the same faults, but leaves its socket open when it does.

    Raises:
        OSError: there is no socket, it is not for us, or nobody listens.
    """
    address = str(docker.utils.parse_host(url))
    if address.startswith("http+unix://"):
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(_TIMEOUT)
            probe.connect(address.removeprefix("http+unix://"))


def _podman(facts: dict[str, Any]) -> str:
    """The version of the Podman that answers; empty for a Docker Engine."""
    for part in facts.get("Components") or ():
        if part.get("Name") == "Podman Engine":
            return str(part.get("Version") or "0")
    return ""


def _check_podman(where: str, version: str, will_do: bool) -> None:
    """Raise where a Podman cannot do what is wanted. docs/engine.md has what was tried.

    Raises:
        EngineError: it is too old to build, or building is not all.
    """
    hint = (
        "a Docker Engine, rootless or not, does everything; docs/engine.md says what Podman lacks"
    )
    major = version.partition(".")[0]
    if not major.isdecimal() or int(major) < OLDEST_PODMAN:
        what = (
            f"this is Podman {version}, which empties the image when a step mounts a tmpfs, "
            "as all of imagekit's do"
        )
        raise EngineError(Message(where, what, f"Podman {OLDEST_PODMAN} builds; {hint}"))
    if not will_do:
        what = (
            f"this is Podman {version}, on which imagekit builds images and does nothing else: "
            "no tests, containers, pushes, locks or metadata files"
        )
        raise EngineError(Message(where, what, hint))


def _check_version(where: str, facts: dict[str, Any]) -> str:
    """The newest API version of an engine that is new enough.

    Raises:
        EngineError: it is too old, or this is no engine.
    """
    api = str(facts.get("ApiVersion", ""))
    try:
        version = tuple(int(part) for part in api.split("."))
    except ValueError:
        raise EngineError(
            Message(where, "what answers there is no Docker Engine", "check DOCKER_HOST")
        ) from None
    if version < OLDEST_API:
        what = (
            f"Docker Engine {facts.get('Version', '?')} speaks API {api}; "
            f"imagekit needs {'.'.join(map(str, OLDEST_API))} or newer"
        )
        raise EngineError(Message(where, what, "upgrade to Docker Engine 20.10 or newer"))
    return api


def _has_buildkit(client: docker.DockerClient, facts: dict[str, Any]) -> bool:
    """Whether ``POST /build?version=2`` builds with BuildKit.

    ``Builder-Version: 2`` in the answer to a ping says that it is even the default
    (API reference, ``GET /_ping``). Engine 20.10 on Linux does not say so but has it:
    the parameter exists since API 1.38, and Docker's own engine is recognised by its
    component's name. Others may ignore the parameter.
    """
    api = client.api
    ping = api.get(f"{api.base_url}/_ping", timeout=_TIMEOUT)
    ping.raise_for_status()
    if ping.headers.get("Builder-Version") == "2":
        return True
    names = {part.get("Name") for part in facts.get("Components") or ()}
    return "Engine" in names and facts.get("Os") == "linux"


def _store(info: dict[str, Any]) -> str:
    """The image store; the containerd one shows itself by its snapshotter's plugin type."""
    status = {pair[0]: pair[1] for pair in info.get("DriverStatus") or () if len(pair) == 2}
    if status.get("driver-type") == "io.containerd.snapshotter.v1":
        return "containerd"
    return str(info.get("Driver", ""))


def _client(endpoint: Endpoint, version: str) -> docker.DockerClient:
    try:
        client = docker.DockerClient(
            base_url=endpoint.url, version=version, timeout=_TIMEOUT, tls=_tls(endpoint)
        )
    except logins.DAMAGED as error:
        # Every client reads docker's configuration, whether it will log in or not.
        if damage := logins.damage():
            hint = "mend it, or move it away"
            raise EngineError(Message("docker's configuration", damage, hint)) from error
        raise
    tls = endpoint.tls
    if tls is not None and (tls.ca is not None or not tls.verify):
        # requests prefers REQUESTS_CA_BUNDLE to what the session says (psf/requests
        # issue 3829), but an engine has its own authority or none.
        client.api.trust_env = False
    return client


def _tls(endpoint: Endpoint) -> TLSConfig | bool:
    """docker-py's form of the endpoint's TLS settings."""
    tls = endpoint.tls
    if tls is None:
        return False
    return TLSConfig(
        client_cert=(os.fspath(tls.cert), os.fspath(tls.key)) if tls.cert and tls.key else None,
        ca_cert=os.fspath(tls.ca) if tls.ca else None,
        verify=tls.verify,
    )
