"""Profiles: found by name, merged with what they extend, validated, typed.

This is the last place where a profile is a mapping; what leaves is a ``Profile``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from imagekit import inherit, validation
from imagekit.choices import (
    CudaChoice,
    DesktopChoice,
    FileChoice,
    FrameworkChoice,
    HealthChoice,
    MirrorChoice,
    SshdChoice,
    UserChoice,
)
from imagekit.document import MAX_DEPTH, Document, Mapping, Mark, Problem, beyond
from imagekit.errors import InputError, Message
from imagekit.library import find, names

__all__ = ["Profile", "defaults", "find", "load", "names"]

# Takes an input method away that a profile inherits.
_NO_INPUT = "none"


@dataclass(frozen=True, slots=True)
class Profile:
    """A valid profile, typed. None means that the profile leaves the choice to the resolver.

    Attributes:
        name: the file's stem.
        os: id of an operating system release.
        image: a base image, or empty.
        cuda: None for an image without CUDA.
        framework: None for an image without one.
        python: a version or the beginning of one, or empty.
        desktop: None for an image without one.
        sshd: None for an image without one.
        fonts: apt packages of fonts beside those of the language.
        input_method: name of an input method, or empty.
        health: None for an image without a health check.
        merged: the located document, for saying where a value was written.
        problems: what is wrong with the files; such a profile must not be resolved.
        wrong: the top keys that something is wrong with, whose defaults stand in for them.
    """

    name: str
    description: str
    os: str | None
    image: str
    cuda: CudaChoice | None
    framework: FrameworkChoice | None
    python: str
    desktop: DesktopChoice | None
    sshd: SshdChoice | None
    jupyter: bool
    conda: bool
    lang: str
    timezone: str
    fonts: tuple[str, ...]
    input_method: str
    mirrors: MirrorChoice | None
    apt: tuple[str, ...]
    pip: tuple[str, ...]
    npm: tuple[str, ...]
    user: UserChoice
    env: tuple[tuple[str, str], ...]
    labels: tuple[tuple[str, str], ...]
    files: tuple[FileChoice, ...]
    health: HealthChoice | None
    merged: Mapping
    problems: tuple[Problem, ...] = ()
    wrong: frozenset[str] = frozenset()

    def where(self, *path: str | int) -> Mark:
        """Where the value at ``path`` was written, or the nearest thing around it."""
        return validation.place(self.merged, path)

    def key(self, *path: str | int) -> str:
        """What the value at ``path`` is called in messages: as it is numbered in its own file."""
        return validation.named(self.merged, path)


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
    return _merged(path.stem, inherit.lineage(path), Mark(str(path)), overrides)


def defaults(overrides: tuple[str, ...] = ()) -> Profile:
    """The general defaults with overrides on top: a profile without a file and a name.

    Raises:
        InputError: as for ``load``.
    """
    path = find(inherit.BASE_NAME)
    return _merged("", inherit.lineage(path), Mark(str(path)), overrides)


def _merged(
    name: str, documents: Sequence[Document], mark: Mark, overrides: tuple[str, ...]
) -> Profile:
    """What documents, the most general first, and overrides come to."""
    general, merged = documents[0].root, Mapping((), mark)
    for part in documents:
        merged = inherit.merge(merged, part.root)
    for override in overrides:
        merged = inherit.merge(merged, inherit.override(override))
    checked = validation.validate(merged, "profile")
    values, sound = _sound(general, merged, checked)
    problems = [problem for part in documents for problem in part.problems]
    more = beyond(problems, checked.problems)
    found = _typed(name, values, sound, (*problems, *more))
    return replace(found, wrong=frozenset(str(path[0]) for path in checked.bad if path))


def _sound(
    defaults: Mapping, merged: Mapping, checked: validation.Validated
) -> tuple[dict[str, Any], Mapping]:
    """What is left of a profile without what is wrong, and without what needs that."""
    sound = merged
    # What is left out can be what another key requires, at most once on each level.
    for _ in range(MAX_DEPTH):
        if not checked.bad:
            break
        sound = inherit.merge(defaults, validation.prune(sound, checked.bad))
        checked = validation.validate(sound, "profile")
    return checked.values, sound


def _typed(
    name: str, values: dict[str, Any], merged: Mapping, problems: tuple[Problem, ...]
) -> Profile:
    base = values.get("base", {})
    locale = values["locale"]
    packages = values.get("packages", {})
    return Profile(
        name=name,
        description=values.get("description", ""),
        os=base.get("os"),
        image=base.get("image", ""),
        cuda=_cuda(values.get("cuda", "false")),
        framework=_framework(values.get("framework", "none")),
        python=values.get("python", ""),
        desktop=_desktop(values.get("desktop", False)),
        sshd=_sshd(values.get("sshd", True)),
        jupyter=values.get("jupyter", False),
        conda=values.get("conda", False),
        lang=locale["lang"],
        timezone=locale["timezone"],
        fonts=tuple(locale.get("fonts", ())),
        input_method=_input(locale.get("input", _NO_INPUT)),
        mirrors=_mirrors(values.get("mirrors")),
        apt=tuple(packages.get("apt", ())),
        pip=tuple(packages.get("pip", ())),
        npm=tuple(packages.get("npm", ())),
        user=_user(values["user"]),
        env=tuple(sorted(values.get("env", {}).items())),
        labels=tuple(sorted(values.get("labels", {}).items())),
        files=tuple(_file(item) for item in values.get("files", ())),
        health=_health(values.get("healthcheck", True)),
        merged=merged,
        problems=problems,
    )


def _cuda(value: Any) -> CudaChoice | None:
    if isinstance(value, dict):
        return CudaChoice(
            version=value.get("version", ""),
            cudnn=value.get("cudnn", ""),
            flavour=value.get("flavour", ""),
            source=value.get("from", ""),
        )
    if value == "false":
        return None
    return CudaChoice(version="" if value == "true" else value)


def _framework(value: Any) -> FrameworkChoice | None:
    named = value if isinstance(value, dict) else {"name": value}
    if named["name"] == "none":
        return None
    return FrameworkChoice(named["name"], named.get("version", ""))


def _desktop(value: Any) -> DesktopChoice | None:
    if value is False:
        return None
    settings = value if isinstance(value, dict) else {}
    return DesktopChoice(
        session=settings.get("session"),
        geometry=settings.get("geometry"),
        depth=settings.get("depth", 0),
        applications=tuple(settings.get("applications", ())),
        vnc=settings.get("vnc", "off"),
    )


def _sshd(value: Any) -> SshdChoice | None:
    if value is False:
        return None
    return SshdChoice(**value) if isinstance(value, dict) else SshdChoice()


def _input(name: str) -> str:
    return "" if name == _NO_INPUT else name


def _mirrors(value: Any) -> MirrorChoice | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        return MirrorChoice(preset=value)
    urls = {kind: url for kind, url in value.items() if kind not in {"preset", "keep"}}
    return MirrorChoice(
        preset=value.get("preset", ""),
        urls=tuple(sorted(urls.items())),
        keep=value.get("keep", True),
    )


def _user(value: dict[str, Any]) -> UserChoice:
    return UserChoice(**{**value, "groups": tuple(value.get("groups", ()))})


def _file(value: dict[str, Any]) -> FileChoice:
    return FileChoice(
        path=value["path"],
        text=value.get("text", ""),
        origin=value.get("from", ""),
        mode=value.get("mode", "0644"),
    )


def _health(value: Any) -> HealthChoice | None:
    if value is False:
        return None
    return HealthChoice(**value) if isinstance(value, dict) else HealthChoice()
