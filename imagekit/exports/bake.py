"""A bake file: the same contexts, built by buildx on other machines or in a cluster."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from imagekit import bases, names
from imagekit.context import Context
from imagekit.errors import InputError, Message
from imagekit.plan.model import Plan
from imagekit.plan.resolve import Decision
from imagekit.render import render
from imagekit.site import Site

FILE = "docker-bake.json"
"""The name that buildx looks for by itself
(https://docs.docker.com/build/bake/reference/#file-format)."""

SECRETS = ".secrets"
"""Folder beside the contexts with a folder for each profile; no profile can be called so."""

# Catalogued wheels and base images are of this one.
_PLATFORM = "linux/amd64"
# What a target may be called (buildx, bake/bake.go: validTargetNameChars).
_NOT_IN_TARGETS = re.compile(r"[^a-zA-Z0-9_-]")


@dataclass(frozen=True, slots=True)
class Target:
    """What one profile's image is built from.

    Attributes:
        name: the target's.
        profile: the profile's name, and that of its folder.
        context: the files of the folder.
        secrets: what the build is told of the place: ids to contents.
        values: the target as the bake file has it.
    """

    name: str
    profile: str
    context: Context
    secrets: dict[str, bytes]
    values: dict[str, Any]


def targets(decisions: Iterable[Decision], site: Site) -> tuple[Target, ...]:
    """A target for each plan.

    Raises:
        InputError: two profiles have one name, or would have targets of one name.
    """
    found: dict[str, Target] = {}
    for decision in decisions:
        target = _target(decision.plan, site.with_profile_mirrors(decision.mirrors))
        other = found.setdefault(target.name, target)
        if other.profile != target.profile:
            what = f"a target cannot be told from that of {other.profile}: {target.name}"
            raise InputError(Message(target.profile, what, "export them into two folders"))
        if other != target:
            what = f"two different profiles are called {target.profile}"
            raise InputError(Message("", what, "give one of them another name"))
    return tuple(found.values())


def document(made: Iterable[Target]) -> dict[str, Any]:
    """The bake file (https://docs.docker.com/build/bake/reference/); ``default`` is everything.

    Its paths are relative to the folder that it lies in, which has to be buildx's working
    folder.
    """
    listed = tuple(made)
    return {
        "group": {"default": {"targets": [target.name for target in listed]}},
        "target": {target.name: target.values for target in listed},
    }


def _target(plan: Plan, site: Site) -> Target:
    secrets = site.build_secrets()
    values: dict[str, Any] = {
        "context": plan.profile,
        "dockerfile": "Dockerfile",
        "args": {"BASE": bases.references(plan.os.image, site.registries)[0]},
        "tags": [*names.tags(plan), *names.registry_tags(plan, site.registry)],
        "platforms": [_PLATFORM],
    }
    if secrets:
        values["secret"] = [
            f"id={name},src={SECRETS}/{plan.profile}/{name}" for name in sorted(secrets)
        ]
    if site.cache_from:
        values["cache-from"] = [f"type=registry,ref={ref}" for ref in site.cache_from]
    if site.cache_inline:
        values["cache-to"] = ["type=inline"]
    target = _NOT_IN_TARGETS.sub("_", plan.profile)
    return Target(target, plan.profile, render(plan), secrets, values)
