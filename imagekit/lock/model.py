"""The lock as a value: what went into an image, package by package."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from imagekit.plan.model import Plan

FORMAT = 1
"""Version of the lock file's format."""


@dataclass(frozen=True, slots=True, order=True)
class Row:
    """One package.

    Attributes:
        name: the package's; with ``:`` and an architecture behind it where two of dpkg's
            packages have one name.
        version: as its package manager writes it.
        variant: dpkg's architecture, conda's build string, empty for Python.
        sha256: of the file that it came from, or of all that it can have come from;
            none for what came with the base image, whose digest stands for it.
    """

    name: str
    version: str
    variant: str = ""
    sha256: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LockedBase:
    """The base image.

    Attributes:
        image: as the plan has it.
        digest: ``sha256:…`` of its manifest in a registry; empty for a base that comes from
            none, such as a bootstrapped one.
        layers: ``sha256:…`` of each layer as a tar archive, the same in every engine
            (``rootfs.diff_ids`` of
            https://github.com/opencontainers/image-spec/blob/main/config.md).
    """

    image: str
    digest: str
    layers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Lock:
    """Everything that went into the image of a plan.

    Attributes:
        profile: the profile's name.
        plan: the plan digest.
        keys: pairs of each of the plan's keys and a short digest of its value, so that a
            stale lock can say what changed.
        base: the base image.
        apt: dpkg's packages.
        foreign: those of them from NVIDIA's or Mozilla's own source, which one step alone can
            reach.
        python: distributions in the environment that sessions have on their PATH.
        conda: pairs of an environment's folder and its packages.
    """

    profile: str
    plan: str
    keys: tuple[tuple[str, str], ...]
    base: LockedBase
    apt: tuple[Row, ...]
    foreign: tuple[Row, ...]
    python: tuple[Row, ...]
    conda: tuple[tuple[str, tuple[Row, ...]], ...]


def plan_keys(plan: Plan) -> tuple[tuple[str, str], ...]:
    """Each key of a plan with 8 hexadecimal digits of its value's SHA-256, sorted."""
    return tuple(
        (key, hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:8])
        for key, value in sorted(plan.to_dict().items())
    )


def changed(lock: Lock, plan: Plan) -> tuple[str, ...]:
    """The keys of a plan that are not what they were when it was locked."""
    return tuple(sorted({key for key, _ in {*lock.keys} ^ {*plan_keys(plan)}}))
