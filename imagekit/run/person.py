"""A person's container: started, found, removed. The engine's labels are the only memory."""

from __future__ import annotations

import io
import json
import re
import tarfile
from dataclasses import dataclass
from typing import Any

import docker.errors

from imagekit import names
from imagekit.container import SECRETS_FOLDER, Secrets
from imagekit.engine.connection import Engine
from imagekit.engine.faults import in_words
from imagekit.errors import InputError, Message, WorkFailedError

PERSON_LABEL = f"{names.LABEL_PREFIX}person"
PORTS_LABEL = f"{names.LABEL_PREFIX}ports"
HOST_LABEL = f"{names.LABEL_PREFIX}host"
TLS_LABEL = f"{names.LABEL_PREFIX}tls"

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Person:
    """Someone's container.

    Attributes:
        name: the person.
        container: the container's id.
        image: the id of the image it was made from.
        state: the engine's word: ``running``, ``exited`` …
        profile: the name of its image's profile.
        login: the account in it.
        bind: the address that its ports are published on.
        ports: container port to host port.
        base: first port of its block.
        host: the name that people reach it by, or empty.
        tls: whether its page has a certificate of the site's.
        keys_only: whether sshd refuses the account's password.
    """

    name: str
    container: str
    image: str
    state: str
    profile: str
    login: str
    bind: str
    ports: tuple[tuple[int, int], ...]
    base: int
    host: str = ""
    tls: bool = False
    keys_only: bool = False

    def port(self, container_port: int) -> int | None:
        """The host port of a container port, or None."""
        return dict(self.ports).get(container_port)


@dataclass(frozen=True, slots=True)
class Volumes:
    """Names of a person's volumes."""

    home: str
    state: str
    secrets: str


def check_name(name: str) -> str:
    """The name, when it is one.

    Raises:
        InputError: it is not.
    """
    if not _NAME.match(name):
        hint = "lowercase letters, digits, - and _, at most 32; for instance zhangsan"
        raise InputError(Message("", f"{name!r} is no person's name", hint))
    return name


def container_name(person: str) -> str:
    """What a person's container is called."""
    return f"imagekit-{person}"


def volumes(person: str) -> Volumes:
    """What a person's volumes are called."""
    prefix = container_name(person)
    return Volumes(f"{prefix}-home", f"{prefix}-state", f"{prefix}-secrets")


def find(engine: Engine, name: str) -> Person | None:
    """A person's container, or None."""
    found = everyone(engine, name)
    return found[0] if found else None


def everyone(engine: Engine, name: str = "") -> tuple[Person, ...]:
    """All people's containers, sorted by name; with ``name`` only that person's.

    A container of an image that was committed from one has its label, too, but not its name.
    """
    label = f"{PERSON_LABEL}={name}" if name else PERSON_LABEL
    with in_words(engine.where):
        found = engine.client.containers.list(
            all=True, filters={"label": label}, ignore_removed=True
        )
    own = [item for item in found if item.name == container_name(item.labels[PERSON_LABEL])]
    return tuple(sorted((_person(item.attrs) for item in own), key=lambda person: person.name))


def must_find(engine: Engine, name: str) -> Person:
    """A person's container.

    Raises:
        InputError: it is no person's name.
        WorkFailedError: there is none.
    """
    person = find(engine, check_name(name))
    if person is None:
        known = [other.name for other in everyone(engine)]
        hint = f"there is {', '.join(known)}" if known else "imagekit run PROFILE --name PERSON"
        raise WorkFailedError(Message("", f"{name} has no container", hint))
    return person


def remove(engine: Engine, person: Person, *, purge: bool) -> tuple[str, ...]:
    """Remove a person's container and passwords.

    Args:
        engine: where it is.
        person: whose.
        purge: remove the home and the host keys as well.

    Returns:
        The volumes that stay.
    """
    of = volumes(person.name)
    kept = () if purge else (of.home, of.state)
    with in_words(engine.where):
        engine.client.containers.get(person.container).remove(force=True, v=True)
        for volume in (of.home, of.state, of.secrets):
            if volume not in kept:
                remove_volume(engine, volume)
    return kept


def remove_volumes(engine: Engine, name: str) -> tuple[str, ...]:
    """Remove what is left of somebody without a container: home, host keys, passwords.

    Returns:
        The volumes that were there.
    """
    of = volumes(name)
    with in_words(engine.where):
        return tuple(
            volume for volume in (of.home, of.state, of.secrets) if remove_volume(engine, volume)
        )


def remove_volume(engine: Engine, name: str) -> bool:
    """Remove a volume; whether it was there."""
    try:
        engine.client.volumes.get(name).remove()
    except docker.errors.NotFound:
        return False
    return True


def read_secrets(engine: Engine, person: Person) -> Secrets:
    """A person's passwords, from the volume that the container reads them from."""
    with in_words(engine.where):
        container = engine.client.containers.get(person.container)
        chunks, _ = container.get_archive(SECRETS_FOLDER)
        data = b"".join(chunks)
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        texts = {
            member.name.rpartition("/")[2]: file.read().decode().strip()
            for member in archive.getmembers()
            if (file := archive.extractfile(member)) is not None
        }
    return Secrets(
        password=texts.get("password", ""),
        desktop_password=texts.get("desktop_password", ""),
        authorized_keys=texts.get("authorized_keys", ""),
        jupyter_token=texts.get("jupyter_token", ""),
        vnc_password=texts.get("vnc_password", ""),
        root_password=texts.get("root_password", ""),
    )


def _person(attrs: dict[str, Any]) -> Person:
    labels = attrs["Config"]["Labels"]
    # Not read as a plan: containers outlive the versions of the plan's format.
    resolved = json.loads(labels[names.RESOLVED_LABEL])
    sshd = resolved.get("sshd") or {}
    wanted: dict[str, list[dict[str, str]]] = attrs["HostConfig"]["PortBindings"] or {}
    bindings = {int(port.partition("/")[0]): given[0] for port, given in wanted.items()}
    return Person(
        name=labels[PERSON_LABEL],
        container=attrs["Id"],
        image=attrs["Image"],
        state=attrs["State"]["Status"],
        profile=labels[names.PROFILE_LABEL],
        login=resolved["user"]["name"],
        bind=next((given["HostIp"] for given in bindings.values()), ""),
        ports=tuple((port, int(bindings[port]["HostPort"])) for port in sorted(bindings)),
        base=int(labels[PORTS_LABEL]),
        host=labels.get(HOST_LABEL, ""),
        tls=TLS_LABEL in labels,
        keys_only=not sshd.get("password", True),
    )
