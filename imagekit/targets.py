"""Where an image is pushed: what people write, and the references that it stands for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from imagekit import names, tagging
from imagekit.errors import InputError, Message, WorkFailedError

_WORD = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, slots=True)
class Target:
    """What a person wrote, in two parts; both may hold words in braces.

    Attributes:
        repository: for instance ``registry.example.edu/lab/{profile}``.
        tag: for instance ``{version}-{date}``; empty when none was written.
    """

    repository: str
    tag: str


@dataclass(frozen=True, slots=True)
class Destination:
    """What is pushed to one repository, in this order.

    Attributes:
        repository: with its registry's host, as people write it.
        fixed: the tag that is never overwritten; it holds the image's id.
        moving: tags that go from image to image.
    """

    repository: str
    fixed: str
    moving: tuple[str, ...]


def wanted(texts: Sequence[str], registry: str) -> tuple[Target, ...]:
    """The targets that people named, or the site's registry.

    Args:
        texts: ``REPOSITORY`` or ``REPOSITORY:TAG``, with words in braces.
        registry: the site's registry and namespace, or empty.

    Raises:
        InputError: no target, or one that is no name for an image.
    """
    if not texts and not registry:
        hint = "name one, or write registry: into the site file"
        raise InputError(Message("", "there is no TARGET to push to", hint))
    problems: list[Message] = []
    targets: list[Target] = []
    for text in texts or (f"{registry}/{{profile}}",):
        try:
            targets.append(_parse(text))
        except InputError as error:
            problems.extend(error.messages)
    if problems:
        raise InputError(problems)
    return tuple(targets)


def _parse(text: str) -> Target:
    if unknown := [word for word in _WORD.findall(text) if word not in tagging.SAMPLES]:
        listed = ", ".join(f"{{{word}}}" for word in tagging.SAMPLES)
        raise InputError(
            Message(text, f"{{{unknown[0]}}} is no word of a name", f"known: {listed}")
        )
    names.check_reference(tagging.fill(text, tagging.SAMPLES))
    folder, slash, last = text.rpartition("/")
    name, _, tag = last.partition(":")
    return Target(f"{folder}{slash}{name}", tag)


def destinations(targets: Iterable[Target], known: Mapping[str, str]) -> tuple[Destination, ...]:
    """The references that targets stand for, with the fixed tag of each repository first.

    A repository alone gets ``{plan}-{image}``, then ``{plan}`` and ``latest``. With a tag it
    gets ``{plan}-{image}`` and that tag; a tag that holds ``{image}`` is itself the fixed one.

    Args:
        targets: what people wrote.
        known: what words mean for the image: ``tagging.words``, and ``image``.

    Raises:
        WorkFailedError: the image does not say what a word means.
        InputError: what comes out is no name for an image.
    """
    plan = ("{plan}",) if "plan" in known else ()
    fixed = "-".join((*plan, "{image}"))
    found: dict[tuple[str, str], list[str]] = {}
    for target in targets:
        repository = _fill(target.repository, known)
        own = "{image}" in target.tag
        tags = () if own else (target.tag,) if target.tag else (*plan, "latest")
        key = (repository, _fill(target.tag if own else fixed, known))
        found.setdefault(key, []).extend(_fill(tag, known) for tag in tags)
    result = tuple(
        Destination(repository, tag, tuple(dict.fromkeys(moving)))
        for (repository, tag), moving in found.items()
    )
    for each in result:
        for tag in (each.fixed, *each.moving):
            names.check_reference(f"{each.repository}:{tag}")
    return result


def _fill(text: str, known: Mapping[str, str]) -> str:
    for word in _WORD.findall(text):
        if word not in known:
            what = f"the image does not say its {word}"
            raise WorkFailedError(Message(f"{{{word}}}", what, "write it out in the TARGET"))
    return _WORD.sub(lambda found: known[found.group(1)], text)
