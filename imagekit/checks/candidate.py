"""The image under test: what is expected of it, and a container of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import docker.errors

from imagekit.checks import environment, foreign, ssh, told
from imagekit.checks.selection import NO_WISH, Wish
from imagekit.checks.stage import Stage, loopback_or_all, staged
from imagekit.checks.subject import Subject
from imagekit.checks.told import NOTHING, Told
from imagekit.container import (
    SECRETS_FOLDER,
    STATE_FOLDER,
    ContainerSpec,
    Mount,
    Port,
    generate_secrets,
)
from imagekit.engine.connection import Engine
from imagekit.engine.faults import in_words
from imagekit.errors import EngineError, InputError, Message, WorkFailedError
from imagekit.names import RESOLVED_LABEL, ports
from imagekit.plan.model import Plan, from_json


@dataclass(frozen=True, slots=True)
class Candidate:
    """An image, and what is expected of it.

    Attributes:
        image: the reference that was asked for.
        image_id: what it means, ``sha256:…``.
        plan: what it has to be.
        ours: whether imagekit built it.
        user: ``Config.User`` of an image of somebody else.
        told: how such an image is used.
        by_profile: whether its plan is a profile's.
    """

    image: str
    image_id: str
    plan: Plan
    ours: bool = True
    user: str = ""
    told: Told = NOTHING
    by_profile: bool = False


def find(engine: Engine, image: str, wish: Wish = NO_WISH) -> Candidate:
    """Look at an image, and settle what is expected of it.

    Raises:
        InputError: nothing says what to expect, or what is told is for other images.
        EngineError: the engine cannot be reached.
        WorkFailedError: there is no such image, or its label cannot be read.
    """
    try:
        with in_words(engine.where):
            found = engine.client.images.get(image)
    except EngineError as error:
        if isinstance(error.__cause__, docker.errors.ImageNotFound):
            raise WorkFailedError(
                Message(image, "there is no such image", "imagekit build PROFILE makes one")
            ) from error
        raise
    label = found.labels.get(RESOLVED_LABEL, "")
    if label:
        if wish.told != NOTHING:
            what = "imagekit built this image, which says itself what to expect of it"
            hint = (
                "leave --with and --set out (in pytest --imagekit-with); "
                "a profile beside the image can expect something else"
            )
            raise InputError(Message(image, what, hint))
        return Candidate(image, str(found.id), wish.expected or _labelled(image, label))
    if wish.lacking:
        raise InputError(wish.lacking)
    plan = wish.expected or wish.promised
    if plan is None:
        what = "imagekit did not build this image, and nothing says what to expect of it"
        hint = (
            "name a PROFILE that says it, or checks: --only sshd --only jupyter; "
            "in pytest, --imagekit-profile NAME"
        )
        raise InputError(Message(image, what, hint))
    return Candidate(
        image=image,
        image_id=str(found.id),
        plan=plan,
        ours=False,
        user=str((found.attrs.get("Config") or {}).get("User") or ""),
        told=wish.told,
        by_profile=wish.expected is not None,
    )


def _labelled(image: str, label: str) -> Plan:
    """The plan that an image carries."""
    try:
        return from_json(label)
    except ValueError as error:
        what = f"the label {RESOLVED_LABEL} cannot be read: {error}"
        hint = "build it again, or name a PROFILE that says what to expect"
        raise WorkFailedError(Message(image, what, hint)) from error


@dataclass(frozen=True, slots=True)
class _Extras:
    """What a run wants of its container, whoever built the image; see ``ContainerSpec``."""

    gpus: str
    probe_seconds: float


@contextmanager
def entered(
    engine: Engine, candidate: Candidate, gpus: str = "", probe_seconds: float = 0.0
) -> Iterator[tuple[Stage, Subject]]:
    """A container of an image, as the checks see it; removed with its volumes in the end.

    Args:
        engine: where the image is.
        candidate: which, and what is expected of it.
        gpus: see ``ContainerSpec``.
        probe_seconds: see ``ContainerSpec``.

    Raises:
        EngineError: the engine cannot be reached or refuses.
        WorkFailedError: the container cannot be started.
    """
    entering = _ours if candidate.ours else _foreign
    extras = _Extras(gpus, probe_seconds)
    with entering(engine, candidate, extras) as both:
        yield both


@contextmanager
def _ours(engine: Engine, candidate: Candidate, extras: _Extras) -> Iterator[tuple[Stage, Subject]]:
    key = ssh.new_key()
    secrets = generate_secrets(ssh.public_line(key))
    plan = candidate.plan
    folders = (SECRETS_FOLDER, STATE_FOLDER, f"/home/{plan.user.name}")
    spec = ContainerSpec(
        image=candidate.image_id,
        ports=_published(engine, ports(plan)),
        mounts=tuple(Mount("", folder) for folder in folders),
        gpus=extras.gpus,
        probe_seconds=extras.probe_seconds,
        environment=tuple(environment.VARIABLES.items()),
    )
    with staged(engine, spec, secrets) as stage:
        yield stage, Subject(plan, stage.addresses(), secrets, key, stage, stage.gpus)


@contextmanager
def _foreign(
    engine: Engine, candidate: Candidate, extras: _Extras
) -> Iterator[tuple[Stage, Subject]]:
    """With nothing mounted: what imagekit's images expect there could hide files of others."""
    key = ssh.new_key()
    line = ssh.public_line(key)
    said = foreign.with_conventions(candidate.told)
    plan, secrets = candidate.plan, generate_secrets(line)
    secrets = replace(secrets, password=said.password or secrets.password)
    if said.user:
        plan = replace(plan, user=replace(plan.user, name=said.user))
    spec = ContainerSpec(
        image=candidate.image_id,
        ports=_published(engine, foreign.ports(plan, said).values()),
        gpus=extras.gpus,
        probe_seconds=extras.probe_seconds,
        # Whoever may ask the engine about the container sees these for as long as it runs.
        environment=told.variables(said, secrets),
        command=said.command,
        fresh_run=False,
    )
    with staged(engine, spec, secrets) as stage:
        who = foreign.account(stage, candidate.image, plan, candidate.user)
        foreign.let_in(stage, who, line)
        known = foreign.known(secrets, who, said)
        plan = foreign.adapted(plan, who, known, by_profile=candidate.by_profile)
        ways = foreign.ways(plan, who, said)
        addresses = stage.addresses()
        yield stage, Subject(plan, addresses, known, key, stage, stage.gpus, ways, given=secrets)


def _published(engine: Engine, wanted: Iterable[int]) -> tuple[Port, ...]:
    host = loopback_or_all(engine)
    return tuple(Port(port, host, 0) for port in dict.fromkeys(wanted))
