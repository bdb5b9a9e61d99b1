"""Whether what is to be built fits on the engine's disk.

What a profile takes is summed up from what its features were measured to take
(docs/building.md has the figures). The sum is a lower limit: downloads that stay in
BuildKit's caches and a profile's own packages are not counted. What is new of it is not
known: a build that failed late, or the image of another profile, may have left all but the
last steps. So what does not fit in what is free and what the engine holds does not fit; what
does may still run out of room.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from imagekit import names
from imagekit.engine import images, inventory
from imagekit.engine.connection import Engine
from imagekit.engine.disk import Disk, disk
from imagekit.errors import EngineError, Message
from imagekit.events import Emit, Notice
from imagekit.plan.model import Plan

_MB = 1_000_000

# What is in an image by feature, in bytes.
_SYSTEM = 200 * _MB
_DESKTOP = 400 * _MB
_INPUT_METHOD = 250 * _MB
_ENVIRONMENTS = {
    # framework, and the first number of CUDA's version where it has CUDA
    ("tensorflow", ""): 1_500 * _MB,
    ("tensorflow", "12"): 6_000 * _MB,
    ("pytorch", "12"): 7_000 * _MB,
    ("jax", ""): 650 * _MB,
    ("jax", "12"): 4_500 * _MB,
}
# Environments are made in a stage of their own and copied into the image.
_COPIES = 2


def check(engine: Engine, plans: Sequence[tuple[Plan, Emit]]) -> None:
    """Ask whether the engine's disk has room for the images of plans.

    How much of an image is new cannot be known: too little room is only told, unless all
    that the engine holds would not make up for it.

    Args:
        engine: where they will be.
        plans: what is to be built, and whom to tell.

    Raises:
        EngineError: there is too little room, or the engine did not answer.
    """
    place = disk(engine)
    if place is None:
        return
    first: list[tuple[Plan, Emit]] = []
    for plan, on_event in plans:
        moving, own = names.tags(plan)
        if images.find(engine, own) is not None:
            continue  # nothing is new
        earlier = images.find(engine, moving)
        if earlier is None:
            first.append((plan, on_event))
        elif earlier.size > place.free:
            took = f"took {_gb(earlier.size)} the last time"
            on_event(Notice(f"{took}, and {_gb(place.free)} are free in {place.folder}"))
    _compare(engine, first, place)


def _compare(engine: Engine, first: Sequence[tuple[Plan, Emit]], place: Disk) -> None:
    """Refuse plans without an image yet, or tell of what they take, where that is too much.

    Raises:
        EngineError: it cannot fit, or the engine did not answer.
    """
    least = needed(plan for plan, _ in first)
    if least <= place.free:
        return
    used = inventory.usage(engine)
    held = used.images + used.cache
    profiles = ", ".join(plan.profile for plan, _ in first)
    if least > place.free + held:
        verb = "takes" if len(first) == 1 else "take"
        what = (
            f"{profiles} {verb} at least {_gb(least)}, {_gb(place.free)} are free, and the "
            f"engine's images and build cache are {_gb(held)}"
        )
        hint = (
            "free room on that disk, or give the engine a larger one (data-root in its daemon.json)"
        )
        raise EngineError(Message(place.folder, what, hint))
    what = (
        f"all of {profiles} takes at least {_gb(least)}, and {_gb(place.free)} are free in "
        f"{place.folder}; what the engine has of it already is not counted"
    )
    for _, on_event in first:
        on_event(Notice(what))


def needed(plans: Iterable[Plan]) -> int:
    """Bytes that the images of plans take at least; what they share counts once."""
    parts: dict[tuple[object, ...], int] = {}
    for plan in plans:
        parts["system", plan.os, plan.sshd] = _SYSTEM
        if plan.desktop is not None:
            parts["desktop", plan.os, plan.sshd, plan.desktop] = _DESKTOP
        if plan.locale.input_method:
            parts["input method", plan.os, plan.sshd, plan.desktop, plan.locale] = _INPUT_METHOD
        if plan.framework is not None:
            size = environment(plan)
            parts["environment", plan.os, plan.cuda, plan.framework] = size * _COPIES
    return sum(parts.values())


def environment(plan: Plan) -> int:
    """Bytes that the plan's framework was measured to take with its CUDA; 0 for not measured."""
    if plan.framework is None:
        return 0
    cuda = plan.cuda.version.partition(".")[0] if plan.cuda else ""
    return _ENVIRONMENTS.get((plan.framework.name, cuda), 0)


def _gb(size: int) -> str:
    return f"{size / 1e9:.1f} GB"
