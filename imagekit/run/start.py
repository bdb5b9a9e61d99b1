"""Starting a person's container."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import docker.errors

from imagekit import names
from imagekit.container import (
    SECRETS_FOLDER,
    STATE_FOLDER,
    ContainerSpec,
    Mount,
    Secrets,
)
from imagekit.engine.connection import Engine
from imagekit.engine.faults import in_words
from imagekit.engine.images import ImageFacts
from imagekit.errors import EngineError, Message, WorkFailedError
from imagekit.events import Emit, Notice
from imagekit.plan.model import Plan
from imagekit.run import person as people
from imagekit.run import ports
from imagekit.run.person import Person
from imagekit.site import Site
from imagekit.wait import Deadline, NotYetError, until

NAMES_VARIABLE = "IMAGEKIT_NAMES"
"""Tells the image by which names it is reached, with blanks between."""

_ANY = "0.0.0.0"  # noqa: S104  (compared with, never bound to)
_TRIES = 3
_READY_SECONDS = 60
_POLL_SECONDS = 0.2
_LOG_LINES = 20
# How engines say that another program has the port; there is no code for it
# (moby, libnetwork/portallocator and the kernel's own words).
_PORT_TAKEN = ("port is already allocated", "address already in use")


@dataclass(frozen=True, slots=True)
class Request:
    """What a person gets.

    Attributes:
        name: the person.
        plan: what the image is.
        image: the image.
        secrets: what opens the container.
        gpus: as in ``ContainerSpec``.
    """

    name: str
    plan: Plan
    image: ImageFacts
    secrets: Secrets
    gpus: str = ""


def start(engine: Engine, request: Request, site: Site, on_event: Emit) -> Person:
    """Create and start a container, and wait until its services answer.

    When it does not come up it is removed again; home and host keys stay.

    Raises:
        WorkFailedError: it ended, or its services do not answer.
        EngineError: the engine refuses.
    """
    taken = {other.base for other in people.everyone(engine)}
    tries = 0
    for base in ports.free_blocks(site.ports, taken, site.bind):
        tries += 1
        container = _create(engine, request, site, base)
        try:
            with in_words(engine.where):
                container.put_archive(SECRETS_FOLDER, request.secrets.tar())
                if not _started(container, last=tries == _TRIES):
                    on_event(Notice(f"ports from {base} are taken; trying the next block"))
                    container.remove(force=True)
                    continue
                on_event(Notice("waiting for the services"))
                _await_ready(container, request.name)
        except BaseException:
            _undo(engine, container, request.name, on_event)
            raise
        return people.must_find(engine, request.name)
    raise WorkFailedError(
        Message("", f"no free block of ports from {site.ports} upwards", "imagekit rm PERSON")
    )


def _undo(engine: Engine, container: Any, name: str, on_event: Emit) -> None:
    """Remove what did not come up; failing at that must not hide why it did not."""
    try:
        with in_words(engine.where):
            container.remove(force=True)
            people.remove_volume(engine, people.volumes(name).secrets)
    except EngineError as error:
        on_event(Notice(f"{name}: the container could not be removed: {error}"))


def resume(engine: Engine, person: Person, image: ImageFacts | None, on_event: Emit) -> Person:
    """Have the container that a person has running and ready.

    It stays the container it is, even when the profile's image (None when it is not built)
    is another by now; an event says so.
    """
    another = f"{person.name}'s container is of another image than the profile's"
    if image is None:
        on_event(Notice(f"{another}, which is not built yet"))
    elif person.image != image.id:
        way = f"`imagekit rm {person.name}` and run again gives the new one, home kept"
        on_event(Notice(f"{another}; {way}"))
    with in_words(engine.where):
        container = engine.client.containers.get(person.container)
        if person.state != "running":
            on_event(Notice(f"was {person.state}; starting it"))
            container.start()
            _await_ready(container, person.name)
    return people.must_find(engine, person.name)


def _create(engine: Engine, request: Request, site: Site, base: int) -> Any:
    of = people.volumes(request.name)
    spec = ContainerSpec(
        image=request.image.id,
        name=people.container_name(request.name),
        hostname=request.name.replace("_", "-"),
        ports=ports.published(request.plan, site.bind, base),
        mounts=(
            Mount(of.home, f"/home/{request.plan.user.name}"),
            Mount(of.state, STATE_FOLDER),
            Mount(of.secrets, SECRETS_FOLDER),
        ),
        labels=tuple(_labels(request, site, base)),
        environment=((NAMES_VARIABLE, " ".join(reached_by(site))),),
        restart="unless-stopped",
        gpus=request.gpus,
    )
    with in_words(engine.where):
        return engine.client.containers.create(spec.image, **spec.arguments())


def _labels(request: Request, site: Site, base: int) -> Iterator[tuple[str, str]]:
    yield people.PERSON_LABEL, request.name
    yield people.PORTS_LABEL, str(base)
    yield names.PROFILE_LABEL, request.plan.profile
    if site.host:
        yield people.HOST_LABEL, site.host
    if request.secrets.tls_certificate:
        yield people.TLS_LABEL, "given"


def reached_by(site: Site) -> tuple[str, ...]:
    """Names and addresses that people may reach containers by, for their own certificates."""
    found = [site.host, socket.gethostname(), site.bind]
    if site.bind == _ANY:
        # Connecting a datagram socket sends nothing; it finds the address that this host
        # has towards others. The peer: RFC 5737, section 3, an address for documentation.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, suppress(OSError):
            probe.connect(("192.0.2.1", 9))
            found[-1] = str(probe.getsockname()[0])
    return tuple(dict.fromkeys(name for name in found if name and name != _ANY))


def _started(container: Any, *, last: bool) -> bool:
    """Start it; False when its ports are taken and there is another block to try."""
    try:
        container.start()
    except docker.errors.APIError as error:
        text = str(error.explanation)
        if last or not any(words in text for words in _PORT_TAKEN):
            raise
        return False
    return True


def _await_ready(container: Any, name: str) -> None:
    """Ask the image's own health check until it is content."""

    def healthy() -> None:
        container.reload()
        if container.status != "running":
            raise WorkFailedError(_with_log(container, name, "the container ended at once"))
        answer = container.exec_run(["/usr/lib/imagekit/health"])
        if answer.exit_code != 0:
            raise NotYetError(answer.output.decode(errors="replace").strip())

    try:
        until(healthy, Deadline.after(_READY_SECONDS), pause=_POLL_SECONDS)
    except TimeoutError as error:
        what = f"its services do not answer after {_READY_SECONDS} s: {error}"
        raise WorkFailedError(_with_log(container, name, what)) from error


def _with_log(container: Any, name: str, what: str) -> Message:
    tail = container.logs(tail=_LOG_LINES).decode(errors="replace").rstrip()
    return Message(name, what, f"the end of its log:\n{tail}")
