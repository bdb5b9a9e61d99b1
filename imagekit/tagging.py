"""Names that people give to images, with placeholders."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date

from imagekit.document import quote
from imagekit.errors import InputError, Message
from imagekit.names import check_reference
from imagekit.plan.model import Plan
from imagekit.suggest import suggestion

IMAGE = "image"

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


def of_run(template: str, version: str, today: date) -> str:
    """The name with what is the same for all that is built at once.

    Args:
        template: a name with placeholders.
        version: imagekit's own; ``{version}``.
        today: the day in UTC; ``{date}``, as in 20261125.
    """
    return fill(template, {"version": version, "date": f"{today:%Y%m%d}"})


def of_plan(template: str, plan: Plan) -> str:
    """The name for the image of a plan: its profile, and its digest as 12 hex digits."""
    return fill(template, {"profile": plan.profile, "plan": plan.digest[:12]})


def of_image(template: str, image_id: str) -> str:
    """The name for an image; ``{image}`` as the 12 first hex digits of its id."""
    return fill(template, {IMAGE: image_id.removeprefix("sha256:")[:12]})


def waits(template: str) -> bool:
    """Whether the name cannot be known before there is an image."""
    return f"{{{IMAGE}}}" in template


def fill(template: str, values: Mapping[str, str]) -> str:
    """The template with those placeholders replaced that there are values for."""
    return _PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), template)
