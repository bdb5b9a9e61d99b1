"""What a container of an imagekit image is made of, said once for checks and run alike.

A ``ContainerSpec`` becomes the keyword arguments that docker-py's
``client.containers.create(image, **arguments)`` takes; nothing here talks to an engine.
"""

from __future__ import annotations

import io
import re
import secrets
import string
import tarfile
from dataclasses import dataclass, field, replace
from typing import Any

from imagekit.errors import InputError, Message
from imagekit.plan.model import Plan

SECRETS_FOLDER = "/run/secrets"
STATE_FOLDER = "/var/lib/imagekit"
"""Where the image keeps what must outlive a container: ssh host keys and the machine id."""

# Read aloud and typed by people: no 0/O, 1/l/I.
_ALPHABET = "".join(sorted(set(string.ascii_letters + string.digits) - set("0O1lI")))
_PASSWORD_LENGTH = 16
# VNC's own authentication looks at 8 characters only (RFC 6143, section 7.2.2).
_VNC_PASSWORD_LENGTH = 8
# Pasted, or part of an address that is opened; never typed.
_TOKEN_LENGTH = 32


@dataclass(frozen=True, slots=True)
class Secrets:
    """What opens a container; never put into an environment variable, a label or a log.

    Attributes:
        password: of the account, for ssh and for viewers of VNC over TLS, any length; empty
            for none.
        desktop_password: for the desktop in the browser, any length.
        authorized_keys: OpenSSH public keys, one a line; may be empty.
        jupyter_token: for Jupyter Lab, any length; empty for none.
        vnc_password: for viewers of plain VNC, at most 8 characters; empty for none.
        root_password: for root over ssh, where the profile allows it; empty for none.
        tls_certificate: of the desktop's page, PEM with its chain; empty for a self-signed one.
        tls_key: the certificate's private key, PEM without a password.
    """

    password: str = field(repr=False)
    desktop_password: str = field(repr=False)
    authorized_keys: str = field(default="", repr=False)
    jupyter_token: str = field(default="", repr=False)
    vnc_password: str = field(default="", repr=False)
    root_password: str = field(default="", repr=False)
    tls_certificate: str = field(default="", repr=False)
    tls_key: str = field(default="", repr=False)

    def files(self) -> dict[str, bytes]:
        """File name below ``SECRETS_FOLDER`` to content, for those that are not empty."""
        named = {
            "password": self.password,
            "desktop_password": self.desktop_password,
            "authorized_keys": self.authorized_keys,
            "jupyter_token": self.jupyter_token,
            "vnc_password": self.vnc_password,
            "root_password": self.root_password,
            "tls_certificate": self.tls_certificate,
            "tls_key": self.tls_key,
        }
        return {name: f"{text.rstrip()}\n".encode() for name, text in named.items() if text}

    def tar(self) -> bytes:
        """The files as a tar archive for ``put_archive``: owner root, mode 0400."""
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
            for name, data in self.files().items():
                info = tarfile.TarInfo(name)
                info.size, info.mode = len(data), 0o400
                archive.addfile(info, io.BytesIO(data))
        return out.getvalue()


def generate_secrets(authorized_keys: str = "") -> Secrets:
    """Fresh passwords from the operating system's random source."""
    return Secrets(
        password=_random_text(_PASSWORD_LENGTH),
        desktop_password=_random_text(_PASSWORD_LENGTH),
        authorized_keys=authorized_keys,
        jupyter_token=_random_text(_TOKEN_LENGTH),
        vnc_password=_random_text(_VNC_PASSWORD_LENGTH),
        root_password=_random_text(_PASSWORD_LENGTH),
    )


def of_plan(given: Secrets, plan: Plan) -> Secrets:
    """Those of the passwords that the plan's image reads; the others would open nothing."""
    sshd, vnc = plan.sshd, plan.desktop.vnc if plan.desktop else "off"
    read = {
        "password": vnc == "tls" or (sshd is not None and sshd.password),
        "desktop_password": plan.desktop is not None,
        "jupyter_token": plan.jupyter,
        "vnc_password": vnc == "password",
        "root_password": sshd is not None and sshd.root == "password",
    }
    return replace(given, **{name: "" for name, wanted in read.items() if not wanted})


def _random_text(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


@dataclass(frozen=True, slots=True)
class Port:
    """A published TCP port; ``host_port`` 0 lets the engine choose."""

    container_port: int
    host_ip: str
    host_port: int


@dataclass(frozen=True, slots=True)
class Mount:
    """A volume in the container; an empty ``volume`` is an anonymous one."""

    volume: str
    target: str


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """One container.

    Attributes:
        image: reference or id.
        name: the container's name; empty lets the engine choose.
        hostname: what the shell prompt shows; empty for the engine's choice.
        ports: published ports.
        mounts: volumes.
        labels: pairs of name and value.
        shm_bytes: size of /dev/shm. Docker's default of 64 MiB crashes browsers and
            PyTorch's data loaders.
        restart: the engine's restart policy, ``no`` or ``unless-stopped``.
        gpus: ``""`` for none, ``"all"``, or GPU UUIDs separated by commas.
        environment: pairs of name and value; nothing secret.
        log_bytes: cap of the container's log; the engine keeps three files of a third each.
        probe_seconds: how often the engine probes the image's health, believing each probe;
            0.0 leaves interval, start period and retries as the image has them.
        command: instead of the image's own; none for that.
        fresh_run: whether ``/run`` is empty memory at the start. imagekit's images expect
            that; others may have put folders there that their services need.
    """

    image: str
    name: str = ""
    hostname: str = ""
    ports: tuple[Port, ...] = ()
    mounts: tuple[Mount, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    shm_bytes: int = 1 << 30
    restart: str = "no"
    gpus: str = ""
    environment: tuple[tuple[str, str], ...] = ()
    log_bytes: int = 30 << 20
    probe_seconds: float = 0.0
    command: tuple[str, ...] = ()
    fresh_run: bool = True

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments of docker-py's ``containers.create``, the image not among them."""
        arguments: dict[str, Any] = {
            "labels": dict(self.labels),
            "mounts": [
                {"Type": "volume", "Target": mount.target, "Source": mount.volume}
                for mount in self.mounts
            ],
            "ports": {
                f"{port.container_port}/tcp": (port.host_ip, port.host_port or None)
                for port in self.ports
            },
            "shm_size": self.shm_bytes,
            # What the image writes there at its start, the desktop's password among it
            # (VNC keeps it in a form that anyone can read), must not reach a layer.
            "tmpfs": {"/run": "mode=0755"} if self.fresh_run else {},
            "log_config": {
                "type": "json-file",
                "config": {"max-file": "3", "max-size": str(self.log_bytes // 3)},
            },
        }
        if self.name:
            arguments["name"] = self.name
        if self.hostname:
            arguments["hostname"] = self.hostname
        if self.restart != "no":
            arguments["restart_policy"] = {"Name": self.restart}
        if self.command:
            arguments["command"] = list(self.command)
        if self.environment:
            arguments["environment"] = dict(self.environment)
        if self.gpus:
            arguments["device_requests"] = [_device_request(self.gpus)]
        if self.probe_seconds:
            arguments["healthcheck"] = _probes(round(self.probe_seconds * 1_000_000_000))
        return arguments


def check_gpus(text: str) -> str:
    """What ``ContainerSpec.gpus`` takes, when it is that.

    Raises:
        InputError: it is not.
    """
    if text and not re.fullmatch(r"all|[A-Za-z0-9/-]+(,[A-Za-z0-9/-]+)*", text, re.ASCII):
        hint = "all, or GPU UUIDs separated by commas, as `nvidia-smi -L` prints them"
        raise InputError(Message("", f"{text!r} names no GPUs", hint))
    return text


def _probes(interval: int) -> dict[str, int]:
    """A health check with the image's own test and time-out, every ``interval`` nanoseconds.

    What is left out is the image's (moby, daemon/commit.go, ``merge``). Within the start
    period engines from 25.0 on probe at another interval, so it is over at once.
    """
    return {"interval": interval, "start_period": 1_000_000, "retries": 1}


def _device_request(gpus: str) -> dict[str, Any]:
    request: dict[str, Any] = {"Driver": "", "Options": {}, "Capabilities": [["gpu"]]}
    if gpus == "all":
        return {**request, "Count": -1, "DeviceIDs": []}
    return {**request, "Count": 0, "DeviceIDs": gpus.split(",")}
