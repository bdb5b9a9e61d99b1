"""Names that people give to images, with placeholders, and what these stand for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date

from imagekit import names
from imagekit.document import quote
from imagekit.errors import InputError, Message
from imagekit.names import check_reference
from imagekit.plan.model import Plan
from imagekit.suggest import suggestion

IMAGE = "image"
VERSION_LABEL = "org.opencontainers.image.version"

_FRAMEWORK_LABEL = f"{names.LABEL_PREFIX}framework"
_HEX = 12  # digits of a plan's digest and of an image's id

# placeholder: what stands for it while nothing is built; each is a value of the right form.
SAMPLES = {
    "profile": "p",
    "version": "0.1.0",
    "date": "20261125",
    "plan": "0123456789ab",
    IMAGE: "0123456789ab",
}
_DISTINGUISHING = ("profile", "plan", IMAGE)
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


def check(template: str) -> None:
    """Refuse what can never be a name for an image.

    Raises:
        InputError: a placeholder is unknown, or what comes out is no name.
    """
    for word in _PLACEHOLDER.findall(template):
        if word not in SAMPLES:
            what = f"{quote(template)}: there is no placeholder {quote(word)}"
            raise InputError(Message("--tag", what, suggestion(word, list(SAMPLES))))
    try:
        check_reference(fill(template, SAMPLES))
    except InputError as error:
        (message,) = error.messages
        what = f"{quote(template)} is no name for an image"
        raise InputError(Message("--tag", what, message.hint)) from error


def distinguishes(template: str) -> bool:
    """Whether images of several profiles get different names."""
    return any(word in _DISTINGUISHING for word in _PLACEHOLDER.findall(template))


def words(labels: Mapping[str, str], today: date) -> dict[str, str]:
    """What placeholders stand for in names of an image, by its labels; all but ``{image}``.

    What the labels do not say is left out. ``{version}`` is the profile's own label
    ``org.opencontainers.image.version``, else the framework's release.
    """
    framework = labels.get(_FRAMEWORK_LABEL, "").partition(" ")[2]
    said = {
        "profile": labels.get(names.PROFILE_LABEL, ""),
        # `+` stands in the versions of wheels, and in no tag.
        "version": (labels.get(VERSION_LABEL) or framework).replace("+", "-"),
        "date": f"{today:%Y%m%d}",
        "plan": labels.get(names.PLAN_LABEL, "")[:_HEX],
    }
    return {word: value for word, value in said.items() if value}


def short_id(image_id: str) -> str:
    """What ``{image}`` stands for: the 12 first hex digits of an image's id."""
    return image_id.removeprefix("sha256:")[:_HEX]


def of_plan(template: str, plan: Plan, today: date) -> str:
    """The name for the image of a plan; ``{image}`` stays.

    Raises:
        InputError: a placeholder stands for nothing, or what comes out is no name.
    """
    known = words(dict(names.labels(plan)), today)
    filled = fill(template, known)
    for word in _PLACEHOLDER.findall(filled):
        if word != IMAGE:
            hint = f"labels: {{{VERSION_LABEL}: …}} in the profile says one"
            what = f"{quote(template)}: {plan.profile} has no {word}"
            raise InputError(Message("--tag", what, hint if word == "version" else ""))
    check_reference(fill(filled, SAMPLES))
    return filled


def of_image(template: str, image_id: str) -> str:
    """The name for an image, its id filled in."""
    return fill(template, {IMAGE: short_id(image_id)})


def waits(template: str) -> bool:
    """Whether the name cannot be known before there is an image."""
    return f"{{{IMAGE}}}" in template


def fill(template: str, values: Mapping[str, str]) -> str:
    """The template with those placeholders replaced that there are values for."""
    return _PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), template)
