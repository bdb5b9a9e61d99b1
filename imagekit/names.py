"""What an image is called and labelled, and where its services listen."""

from __future__ import annotations

import re

from imagekit.document import quote
from imagekit.errors import InputError, Message
from imagekit.plan.model import Plan

REPOSITORY = "imagekit"

SSH_PORT = 22
WEB_PORT = 80

LABEL_PREFIX = "dev.imagekit."
PROFILE_LABEL = f"{LABEL_PREFIX}profile"
PLAN_LABEL = f"{LABEL_PREFIX}plan"
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


def tags(plan: Plan) -> tuple[str, str]:
    """The names that every image gets: one that moves, one that stays with the plan."""
    repository = f"{REPOSITORY}/{plan.profile}"
    return (f"{repository}:latest", f"{repository}:{plan.digest[:12]}")


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
    )
