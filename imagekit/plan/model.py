"""The plan: what an image is, with every decision made.

A plan travels as a frozen value; as JSON it is what the plan digest hashes and
what the image carries in a label, so that an image can be tested wherever it was
built.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

FORMAT = 1
"""Version of the plan's JSON form."""


@dataclass(frozen=True, slots=True)
class Os:
    """The operating system release under everything.

    Attributes:
        id: the catalogue's name, such as ``debian12``.
        image: the reference of the base image in a registry.
        suite: the archive's codename, such as ``bookworm``.
    """

    id: str
    image: str
    suite: str


@dataclass(frozen=True, slots=True)
class User:
    """The person's account in the image."""

    name: str
    uid: int
    sudo: bool


@dataclass(frozen=True, slots=True)
class Sshd:
    """The ssh service; keys are always accepted, passwords when ``password`` is true."""

    password: bool


@dataclass(frozen=True, slots=True)
class Desktop:
    """The desktop in the browser. ``geometry`` is the size at first, ``WIDTHxHEIGHT`` pixels."""

    session: str
    geometry: str


@dataclass(frozen=True, slots=True)
class Locale:
    """Language and time of every session.

    Attributes:
        lang: the value of ``LANG``, for instance ``zh_CN.UTF-8``.
        timezone: an IANA time zone name.
        generate: all locales that are generated, ``lang`` among them, without C.UTF-8.
        fonts: apt packages of the fonts that the language needs.
    """

    lang: str
    timezone: str
    generate: tuple[str, ...]
    fonts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything about one image.

    Attributes:
        profile: the profile's name.
        description: one line for people.
        os: the base.
        user: the account that sessions belong to.
        sshd: the ssh service, or None for an image without one.
        desktop: the desktop, or None for an image without one.
        locale: language and time zone.
        apt: the packages of every layer of the apt trunk, in order: pairs of the
            feature that needs them and the sorted package names.
        env: variables of every session, sorted by name.
    """

    profile: str
    description: str
    os: Os
    user: User
    sshd: Sshd | None
    desktop: Desktop | None
    locale: Locale
    apt: tuple[tuple[str, tuple[str, ...]], ...]
    env: tuple[tuple[str, str], ...]

    def to_json(self) -> str:
        """The plan as canonical JSON: sorted keys, no spaces, ASCII."""
        return json.dumps({"format": FORMAT, **asdict(self)}, sort_keys=True, separators=(",", ":"))

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON, 64 lowercase hex digits."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()


def from_json(text: str) -> Plan:
    """The plan that ``Plan.to_json`` wrote.

    Raises:
        ValueError: the text is not a plan of this format.
    """
    try:
        data: dict[str, Any] = json.loads(text)
        if data.pop("format") != FORMAT:
            raise ValueError("a plan of another format")
        return Plan(
            profile=data["profile"],
            description=data["description"],
            os=Os(**data["os"]),
            user=User(**data["user"]),
            sshd=None if data["sshd"] is None else Sshd(**data["sshd"]),
            desktop=None if data["desktop"] is None else Desktop(**data["desktop"]),
            locale=Locale(
                lang=data["locale"]["lang"],
                timezone=data["locale"]["timezone"],
                generate=tuple(data["locale"]["generate"]),
                fonts=tuple(data["locale"]["fonts"]),
            ),
            apt=tuple((feature, tuple(names)) for feature, names in data["apt"]),
            env=tuple((name, value) for name, value in data["env"]),
        )
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"not a plan: {error}") from error
