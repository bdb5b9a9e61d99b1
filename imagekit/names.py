"""What an image is called and labelled, and where its services listen."""

from __future__ import annotations

import re

from imagekit.document import quote
from imagekit.errors import InputError, Message
from imagekit.plan.model import Plan

REPOSITORY = "imagekit"
BEFORE = "before-"
"""How tags of images begin that were built for a look into a failure."""
ANSWERS = "imagekit-lock"
"""Repository of images that hold the checksums of a lock until they are read."""

SSH_PORT = 22
WEB_PORT = 80
JUPYTER_PORT = 8888
VNC_PORT = 5900

LABEL_PREFIX = "dev.imagekit."
PROFILE_LABEL = f"{LABEL_PREFIX}profile"
PLAN_LABEL = f"{LABEL_PREFIX}plan"
RUN_LABEL = f"{LABEL_PREFIX}run"
"""Marks what belongs to one run of something that removes it in the end, so that nothing is
left behind."""
RESOLVED_LABEL = f"{LABEL_PREFIX}resolved"

# https://github.com/distribution/reference/blob/main/reference.go, the grammar at its top;
# without digests, which name no new image.
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]+)?/)"
_REFERENCE = re.compile(
    rf"{_HOST}?{_COMPONENT}(?:/{_COMPONENT})*(?::[\w][\w.-]{{0,127}})?\Z", re.ASCII
)


def check_reference(text: str) -> str:
    """The name for an image, when it is one.

    Raises:
        InputError: it is not.
    """
    if not _REFERENCE.match(text):
        hint = "lowercase, for instance registry.example.edu/lab/desktop:2"
        raise InputError(Message("", f"{quote(text)} is no name for an image", hint))
    return text


def split(reference: str) -> tuple[str, str, str]:
    """Repository, tag and digest of a reference; the last two are empty where it has none."""
    name, _, digest = reference.partition("@")
    repository, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:  # a registry's port
        return name, "", digest
    return repository, tag, digest


def tags(plan: Plan) -> tuple[str, str]:
    """The names that every image gets: one that moves, one that stays with the plan."""
    repository = f"{REPOSITORY}/{plan.profile}"
    return (f"{repository}:latest", f"{repository}:{plan.digest[:12]}")


def registry_tags(plan: Plan, registry: str) -> tuple[str, ...]:
    """The same names below a registry and its namespace; none without a registry."""
    if not registry:
        return ()
    repository = f"{registry}/{plan.profile}"
    return (f"{repository}:latest", f"{repository}:{plan.digest[:12]}")


def before(plan: Plan, stage: str, number: int) -> str:
    """The name of what was there before a step of the build."""
    return f"{REPOSITORY}/{plan.profile}:{BEFORE}{stage}-{number}"


def ports(plan: Plan) -> tuple[int, ...]:
    """The ports of the image's services."""
    services = [
        (SSH_PORT, plan.sshd is not None),
        (WEB_PORT, plan.desktop is not None),
        (VNC_PORT, plan.desktop is not None and plan.desktop.vnc != "off"),
        (JUPYTER_PORT, plan.jupyter),
    ]
    return tuple(port for port, there in services if there)


def labels(plan: Plan) -> tuple[tuple[str, str], ...]:
    """The image's labels: what it is, never when or where it was built.

    ``org.opencontainers.image.*`` as the OCI image specification defines them
    (https://github.com/opencontainers/image-spec/blob/main/annotations.md).
    """
    return (
        ("org.opencontainers.image.title", plan.profile),
        ("org.opencontainers.image.description", plan.description),
        ("org.opencontainers.image.base.name", plan.os.image),
        (PROFILE_LABEL, plan.profile),
        (PLAN_LABEL, plan.digest),
        (RESOLVED_LABEL, plan.to_json()),
        *_stack_labels(plan),
        *plan.labels,
    )


def _stack_labels(plan: Plan) -> tuple[tuple[str, str], ...]:
    """What runs in the image, and on which hardware, for people and for schedulers."""
    cuda, framework, python = plan.cuda, plan.framework, plan.python
    said = {
        "cuda": cuda.version if cuda else "",
        "driver.min": cuda.driver_min if cuda else "",
        "compute.min": cuda.cc_min if cuda else "",
        "compute.max": cuda.cc_max if cuda else "",
        "framework": f"{framework.name} {framework.release}" if framework else "",
        "python": python.version if python else "",
    }
    return tuple((f"{LABEL_PREFIX}{name}", value) for name, value in said.items() if value)
