"""Profiles: found by name, merged with what they extend, validated, typed.

This is the last place where a profile is a mapping; what leaves is a ``Profile``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from imagekit import inherit, validation
from imagekit.document import Mapping, Mark, Problem
from imagekit.errors import InputError, Message
from imagekit.library import find, names

__all__ = ["DesktopChoice", "Profile", "find", "load", "names"]


@dataclass(frozen=True, slots=True)
class DesktopChoice:
    """What a profile says of its desktop; None where it leaves the choice open."""

    session: str | None
    geometry: str | None


@dataclass(frozen=True, slots=True)
class Profile:
    """A valid profile, typed. None means that the profile leaves the choice to the resolver.

    Attributes:
        name: the file's stem.
        merged: the located document, for saying where a value was written.
        problems: what is wrong with the files; such a profile must not be resolved.
    """

    name: str
    description: str
    os: str | None
    desktop: DesktopChoice | None
    sshd_password: bool | None
    lang: str
    timezone: str
    apt: tuple[str, ...]
    user_name: str
    user_uid: int
    user_sudo: bool
    env: tuple[tuple[str, str], ...]
    merged: Mapping
    problems: tuple[Problem, ...] = ()

    def where(self, *path: str | int) -> Mark:
        """Where the value at ``path`` was written, or the nearest thing around it."""
        return validation.place(self.merged, path)


def load(name: str, overrides: tuple[str, ...] = ()) -> Profile:
    """Find, merge, validate and type a profile.

    What is wrong with single values is kept in ``Profile.problems``, and the defaults
    stand in for them, so that the resolver can add what it finds and all is said at once.

    Args:
        name: a profile's name or path.
        overrides: ``key.path=value`` texts that win over the files.

    Raises:
        InputError: there is no such profile, or a file involved is no readable mapping.
    """
    path = find(name)
    if path.stem.startswith("_"):
        hint = "mixins are for extends: only"
        raise InputError(Message(str(path), "a mixin cannot be built", hint))
    documents = inherit.lineage(path)
    defaults, merged = documents[0].root, Mapping((), Mark(str(path)))
    for part in documents:
        merged = inherit.merge(merged, part.root)
    for override in overrides:
        merged = inherit.merge(merged, inherit.override(override))
    checked = validation.validate(merged, "profile")
    sound = inherit.merge(defaults, validation.prune(merged, checked.bad))
    values = checked.values
    if checked.problems:
        values = validation.validate(sound, "profile").values
    problems = [problem for part in documents for problem in part.problems]
    return _typed(path.stem, values, sound, (*problems, *checked.problems))


def _typed(
    name: str, values: dict[str, Any], merged: Mapping, problems: tuple[Problem, ...]
) -> Profile:
    sshd = values.get("sshd", True)
    password = sshd.get("password", True) if isinstance(sshd, dict) else True
    return Profile(
        name=name,
        description=values.get("description", ""),
        os=values.get("base", {}).get("os"),
        desktop=_desktop(values.get("desktop", False)),
        sshd_password=None if sshd is False else password,
        lang=values["locale"]["lang"],
        timezone=values["locale"]["timezone"],
        apt=tuple(values.get("packages", {}).get("apt", ())),
        user_name=values["user"]["name"],
        user_uid=values["user"]["uid"],
        user_sudo=values["user"]["sudo"],
        env=tuple(sorted(values.get("env", {}).items())),
        merged=merged,
        problems=problems,
    )


def _desktop(value: Any) -> DesktopChoice | None:
    if value is False:
        return None
    settings = value if isinstance(value, dict) else {}
    return DesktopChoice(settings.get("session"), settings.get("geometry"))
