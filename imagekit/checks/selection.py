"""What is tested, and what is expected of it: a profile's image, or any other one.

Nothing here asks an engine; ``candidate`` finds out what an image says of itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from imagekit import names, profile
from imagekit.checks import told as telling
from imagekit.checks.told import NOTHING, Told
from imagekit.errors import InputError, Message
from imagekit.plan.model import Plan
from imagekit.plan.resolve import resolve

# What a check asks for, so that an image of which it is asked by name promises it.
_SSHD = ("sshd",)
_DESKTOP = ("desktop",)
NEEDS: Mapping[str, tuple[str, ...]] = {
    "sshd": _SSHD,
    "sshd-password": _SSHD,
    "sshd-root": _SSHD,
    "locale": _SSHD,
    "vnc": _DESKTOP,
    "web": _DESKTOP,
    "session": _DESKTOP,
    "opengl": _DESKTOP,
    "input": _DESKTOP,
    "resize": _DESKTOP,
    "clipboard": _DESKTOP,
    "desktop": _DESKTOP,
    "browser": _DESKTOP,
    "sshd-host-keys": _SSHD,
    "jupyter": ("jupyter",),
}
"""The features that checks need, by the checks' names."""

ANY = frozenset(
    {
        *("environment", "framework", "framework-gpu", "cuda", "conda", "mirrors", "gpu"),
        *("user", "installs", "hygiene", "layers", "services", "health"),
        *("unhealthy", "restart"),
    }
)
"""Checks that need none of them."""

_FEATURES = ("sshd", "desktop", "jupyter")
# What a plan has to name, and no general default can.
_TO_SET = {"framework": "framework", "framework-gpu": "framework", "cuda": "cuda"}


@dataclass(frozen=True, slots=True)
class Wish:
    """What is said of an image beside what it says of itself.

    Attributes:
        expected: a profile's plan, which counts whatever the image says; None where the
            image's label counts.
        promised: what an image without a label is taken to promise; None where nobody says.
        told: how an image without a label is used.
        lacking: what would have to be said of an image without a label.
    """

    expected: Plan | None = None
    promised: Plan | None = None
    told: Told = NOTHING
    lacking: tuple[Message, ...] = ()


NO_WISH = Wish()


def choose(
    name: str, image: str, only: Sequence[str], settings: Sequence[str], told: Sequence[str]
) -> tuple[str, Wish]:
    """The image of a profile; or an image, as a profile, its label or the checks describe it.

    Args:
        name: a profile's name or path; empty for none.
        image: reference or id; empty for the profile's own.
        only: names of checks.
        settings: ``key.path=value`` texts over the profile, or over the general defaults.
        told: ``KEY=VALUE`` texts on an image of somebody else; see ``told.parse``.

    Returns:
        The image's reference, and what is said of it.

    Raises:
        InputError: neither is named, or what is said of them is wrong.
    """
    if not name and not image:
        raise InputError(Message("", "nothing to test", "name a PROFILE, or an image with --image"))
    said = telling.parse(told)
    if not image and said != NOTHING:
        hint = "name the image with --image"
        raise InputError(Message("", "--with is for images that imagekit did not build", hint))
    if name:
        plan = resolve(profile.load(name, tuple(settings)))
        # The plan's own tag, not `latest`: what is tested is what the profile says now.
        if not image:
            return names.tags(plan)[1], NO_WISH
        return image, Wish(expected=plan, told=said)
    # Whether it matters is known when the image is: the label of our own says more.
    lacking = _lacking(only, settings)
    promised = promise(only, settings) if only and not lacking else None
    said = replace(said, settings=tuple(settings))
    return image, Wish(promised=promised, told=said, lacking=lacking)


def promise(only: Sequence[str], settings: Sequence[str]) -> Plan:
    """A plan with the features that some checks need and the general defaults, no more.

    Where no setting says it, the account's name and the size of the desktop are empty:
    whatever the image has is right.

    Raises:
        InputError: a setting is wrong, or one is missing without which a check has nothing
            to compare with.
    """
    if lacking := _lacking(only, settings):
        raise InputError(lacking)
    keys = {setting.partition("=")[0] for setting in settings}
    needed = {feature for check in only for feature in NEEDS.get(check, ())}
    switches = [
        f"{feature}={str(feature in needed).lower()}"
        for feature in _FEATURES
        # Its own switch would take away the general defaults that lie below it.
        if not (feature == "sshd" and feature in needed)
    ]
    defaults = profile.defaults((*switches, "healthcheck=false", *settings))
    plan = resolve(defaults)
    user, desktop = plan.user, plan.desktop
    if "user.name" not in keys:
        user = replace(user, name="")
    if desktop is not None and "desktop.geometry" not in keys:
        desktop = replace(desktop, geometry="")
    return replace(plan, user=user, desktop=desktop)


def _lacking(only: Sequence[str], settings: Sequence[str]) -> tuple[Message, ...]:
    """What checks would have nothing to compare with."""
    tops = {setting.partition("=")[0].partition(".")[0] for setting in settings}
    return tuple(
        Message("", f"the check {check!r} needs to know what to expect", _hint(_TO_SET[check]))
        for check in only
        if check in _TO_SET and _TO_SET[check] not in tops
    )


def _hint(key: str) -> str:
    example = "cuda=12.4" if key == "cuda" else "framework.name=pytorch --set framework.version=2.6"
    return f"say it with --set {example}, or name a PROFILE"
