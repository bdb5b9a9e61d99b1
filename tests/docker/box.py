"""One container of an imagekit image, started in whatever way; for tests, bench and soak.

``checks.stage`` starts containers the one way in which imagekit does; this starts them in
all the ways in which people do, and asks the same checks.
"""

from __future__ import annotations

import io
import shlex
import subprocess
import tarfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import paramiko
from docker.models.containers import Container

from imagekit.checks import ssh
from imagekit.checks.registry import CHECKS
from imagekit.checks.report import Result
from imagekit.checks.round import ask_all
from imagekit.checks.stage import Stage
from imagekit.checks.subject import Gpus, Subject
from imagekit.container import (
    SECRETS_FOLDER,
    STATE_FOLDER,
    ContainerSpec,
    Mount,
    Port,
    Secrets,
    generate_secrets,
)
from imagekit.engine.connection import Engine
from imagekit.events import ignore
from imagekit.names import RESOLVED_LABEL, SSH_PORT, ports
from imagekit.plan.model import Plan, from_json
from imagekit.wait import Deadline, NotYetError, until

SECONDS = 60.0
"""Longer than any container takes to come up, on a busy machine too."""

MAIN_CHECKS = ("sshd", "vnc")
"""A login with the key, and a picture of the desktop."""

LABEL = {"dev.imagekit.run": "tests"}
# Runtimes give a tmpfs the mode of the folder below it, whatever its options say (runc 1.1):
# 0755 for /run, where only root may write, and 1777 for /run/imagekit, which the image has.
FOR_ANYBODY: Mapping[str, Any] = {"tmpfs": {"/run/imagekit": "", "/tmp": ""}}  # noqa: S108
FOR_ROOT: Mapping[str, Any] = {"tmpfs": {"/run": "", "/tmp": ""}}  # noqa: S108
READ_ONLY: Mapping[str, Any] = {"read_only": True}


@dataclass(frozen=True)
class Box:
    """A container that exists; ``start`` it and ask it."""

    engine: Engine
    container: Container
    plan: Plan
    secrets: Secrets
    key: paramiko.PKey

    @cached_property
    def stage(self) -> Stage:
        """The container as the checks enter it."""
        return Stage(self.engine, self.container, ports(self.plan), Gpus())

    def subject(self) -> Subject:
        """The container as the checks see it now; a restart may change its ports."""
        return Subject(self.plan, self.stage.addresses(), self.secrets, self.key, self.stage)

    def start(self) -> None:
        self.container.start()

    def ask(self, *names: str) -> dict[str, Result]:
        """What checks see; fails with the container's log when one of them does."""
        results = self.results(*names)
        reasons = [f"{r.name}: {r.reason}" for r in results.values() if r.status != "passed"]
        assert not reasons, "\n".join((*reasons, self.stage.logs()[-4000:]))
        return results

    def results(self, *names: str) -> dict[str, Result]:
        """The results of checks; they give up at once when the container ends."""
        wanted = [check for check in CHECKS if check.name in names]
        assert len(wanted) == len(names)
        results = ask_all(wanted, self.subject(), self._gone, ignore)
        return {result.name: result for result in results}

    def _gone(self) -> str:
        state = self.stage.state()
        return "" if state.running else f"the container ended with exit code {state.exit_code}"

    def come_up(self) -> float:
        """Seconds until login and picture were there, counted from this call."""
        begun = time.monotonic()
        wanted = [name for name in MAIN_CHECKS if name != "vnc" or self.plan.desktop]
        self.ask(*wanted)
        return time.monotonic() - begun

    def say(self, script: str, user: str = "") -> str:
        """What a shell script prints inside; it has to succeed."""
        code, text = self.stage.execute(["sh", "-c", script], user)
        assert code == 0, f"{script}: {code}\n{text}"
        return text

    def over_ssh(self, command: str) -> ssh.Output:
        """What ``ssh host command`` gives, logged in with the key."""
        deadline = Deadline.after(SECONDS)
        with ssh.connect(self.subject().address(SSH_PORT), deadline) as transport:
            assert ssh.try_key(transport, self.plan.user.name, self.key)
            return ssh.run(transport, command, deadline)

    def await_health(self) -> None:
        """Wait until the image's own HEALTHCHECK command succeeds."""

        def healthy() -> None:
            code, text = self.stage.execute(["/usr/lib/imagekit/health"])
            if code:
                raise NotYetError(text)

        until(healthy, Deadline.after(SECONDS))


@dataclass(frozen=True)
class OpenSsh:
    """OpenSSH's own client, with the box's key and no memory of host keys."""

    box: Box
    key: Path

    @property
    def options(self) -> tuple[str, ...]:
        """Options for ssh, scp and sftp alike; the port is among them."""
        settings = {
            "Port": self.box.subject().address(SSH_PORT)[1],
            "User": self.box.plan.user.name,
            "IdentityFile": self.key,
            "IdentitiesOnly": "yes",
            "BatchMode": "yes",
            "StrictHostKeyChecking": "no",
            "UserKnownHostsFile": "/dev/null",
            "LogLevel": "ERROR",
            "ConnectTimeout": 5,
        }
        return tuple(f"-o{name}={value}" for name, value in settings.items())

    @property
    def host(self) -> str:
        return self.box.subject().address(SSH_PORT)[0]

    def run(self, program: str, *arguments: str, data: str = "") -> str:
        """What ssh, scp, sftp, or rsync (which gets the options for its ssh) prints."""
        options = self.options
        if program == "rsync":
            options = ("-e", shlex.join(("ssh", *options)))
        done = self.call(program, *options, *arguments, data=data)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def call(
        self, program: str, *arguments: str, data: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run a program with the options that it is given, whatever comes of it."""
        return subprocess.run(
            [program, *arguments],
            input=data,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )


def write_key(box_key: paramiko.PKey, folder: Path) -> Path:
    """The private key as a file that OpenSSH accepts."""
    file = folder / "id"
    box_key.write_private_key_file(str(file))
    return file


def read_plan(engine: Engine, image: str) -> Plan:
    return from_json(engine.client.images.get(image).labels[RESOLVED_LABEL])


@contextmanager
def created(
    engine: Engine,
    image: str,
    *,
    secrets: Secrets | None = None,
    mounts: Sequence[Mount] | None = None,
    volumes: Mapping[str, str] | None = None,
    owner: int = 0,
    **changes: Any,
) -> Iterator[Box]:
    """A container with fresh secrets, not started yet; removed with its volumes.

    Args:
        engine: where the image is.
        image: reference or id.
        secrets: what it gets instead of generated ones; the key is always let in.
        mounts: volumes instead of those that imagekit gives: secrets, state and home.
        volumes: named volumes beside ``mounts``, target to name, mounted without the
            image's own files being copied into them.
        owner: who owns the secrets' files: whoever the container runs as.
        changes: arguments of docker-py's ``create`` beside or instead of imagekit's.
    """
    plan = read_plan(engine, image)
    key = ssh.new_key()
    line = ssh.public_line(key)
    given = replace(secrets, authorized_keys=line) if secrets else generate_secrets(line)
    volumes = volumes or {}
    if mounts is None:
        usual = (SECRETS_FOLDER, STATE_FOLDER, f"/home/{plan.user.name}")
        mounts = [Mount("", target) for target in usual if target not in volumes]
    published = tuple(Port(port, "127.0.0.1", 0) for port in ports(plan))
    arguments = ContainerSpec(image, ports=published, mounts=tuple(mounts)).arguments()
    arguments["mounts"] += [
        {"Type": "volume", "Source": name, "Target": target, "VolumeOptions": {"NoCopy": True}}
        for target, name in volumes.items()
    ]
    arguments["labels"] |= LABEL
    if changes.get("network_mode") == "none":
        del arguments["ports"]
    container = engine.client.containers.create(image, **(arguments | changes))
    try:
        if any(mount.target == SECRETS_FOLDER for mount in mounts):
            container.put_archive(SECRETS_FOLDER, owned(given, owner))
        yield Box(engine, container, plan, given, key)
    finally:
        container.remove(force=True, v=True)


@contextmanager
def started(engine: Engine, image: str, **options: Any) -> Iterator[Box]:
    """See ``created``; started."""
    with created(engine, image, **options) as box:
        box.start()
        yield box


@contextmanager
def volume_of(engine: Engine, image: str, uid: int, gid: int) -> Iterator[str]:
    """The name of an empty volume whose root belongs to somebody."""
    volume = engine.client.volumes.create(labels=LABEL)
    try:
        mount = {"Type": "volume", "Source": volume.name, "Target": "/mnt"}
        engine.client.containers.run(
            image, ["chown", f"{uid}:{gid}", "/mnt"], mounts=[mount], user="root", remove=True
        )
        yield volume.name
    finally:
        volume.remove(force=True)


def owned(secrets: Secrets, uid: int) -> bytes:
    """The secrets as a tar archive whose files belong to ``uid``, mode 0400."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in secrets.files().items():
            info = tarfile.TarInfo(name)
            info.size, info.mode, info.uid = len(data), 0o400, uid
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()
