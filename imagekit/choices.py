"""What a profile says of one feature each, typed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CudaChoice:
    """What a profile says of CUDA; empty texts leave the choice open."""

    version: str = ""
    cudnn: str = ""
    flavour: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class FrameworkChoice:
    """The framework that a profile names; an empty version leaves the choice open."""

    name: str
    version: str = ""


@dataclass(frozen=True, slots=True)
class DesktopChoice:
    """What a profile says of its desktop; None and 0 where it leaves the choice open."""

    session: str | None = None
    geometry: str | None = None
    depth: int = 0
    applications: tuple[str, ...] = ()
    vnc: str = "off"


@dataclass(frozen=True, slots=True)
class SshdChoice:
    """The ssh service: whether passwords are accepted, and how root may log in."""

    password: bool = True
    root: str = "refused"


@dataclass(frozen=True, slots=True)
class MirrorChoice:
    """Mirrors that a profile names.

    Attributes:
        preset: a mirror site of the catalogue, or empty.
        urls: pairs of kind and address that win over the preset's.
        keep: whether the image keeps them for its users.
    """

    preset: str = ""
    urls: tuple[tuple[str, str], ...] = ()
    keep: bool = True


@dataclass(frozen=True, slots=True)
class FileChoice:
    """A file for the image: ``text`` as written, or the file ``origin`` beside the profile."""

    path: str
    text: str
    origin: str
    mode: str


@dataclass(frozen=True, slots=True)
class HealthChoice:
    """How the image's health is asked; times with their unit, for instance ``60s``."""

    interval: str = "60s"
    timeout: str = "15s"
    start_period: str = "30s"
    retries: int = 3
    command: str = ""


@dataclass(frozen=True, slots=True)
class UserChoice:
    """The account. ``gid`` is None where it follows the uid."""

    name: str
    uid: int
    sudo: bool
    gid: int | None = None
    groups: tuple[str, ...] = ()
    shell: str = "bash"
