"""Which hardware verbs speak of, and what they say of a plan that does not run on it."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

import click

from imagekit import profile
from imagekit.catalogue import hardware
from imagekit.catalogue.hardware import Hardware
from imagekit.errors import InputError, Message
from imagekit.plan.model import Plan
from imagekit.plan.needs import needs
from imagekit.plan.resolve import resolve
from imagekit.plan.stack import stacks
from imagekit.plan.wanted import TITLES

_MOST = 3  # alternatives that a message names


def present(gpu: str, driver: str) -> tuple[Hardware, ...]:
    """The hardware that the options name, or this host's; nothing where there is none."""
    return hardware.given(gpu, driver) or hardware.host()


def misfits(plan: Plan, there: tuple[Hardware, ...]) -> tuple[str, ...]:
    """Why a plan does not run on all of the hardware; nothing when it does."""
    wanted = needs(plan)
    if wanted is None:
        return ()
    found = [
        f"on {one}: {reason}" if len(there) > 1 else reason
        for one in there
        for reason in hardware.misfits(wanted, one)
    ]
    return tuple(found)


def refusal(
    plan: Plan, there: tuple[Hardware, ...], others: Callable[[], tuple[Plan, ...]] | None = None
) -> Iterator[Message]:
    """The same as messages, the last with what works there.

    Args:
        plan: the plan.
        there: the hardware.
        others: where to look for profiles that do run there, by default ``every_plan``.
    """
    reasons = misfits(plan, there)
    if not reasons:
        return
    where = f"{plan.profile} on {' and '.join(map(str, there))}"
    for reason in reasons[:-1]:
        yield Message(where, reason)
    yield Message(where, reasons[-1], _alternatives(plan, there, (others or every_plan)()))


def every_plan() -> tuple[Plan, ...]:
    """The plans of all valid profiles that can be found."""
    found = []
    for name in profile.names():
        with suppress(InputError):
            found.append(resolve(profile.load(name)))
    return tuple(found)


def _alternatives(plan: Plan, there: tuple[Hardware, ...], others: Iterable[Plan]) -> str:
    """What works on the hardware instead: profiles, and versions of framework and CUDA."""
    parts = []
    names = _names_that_fit(plan, there, others)[:_MOST]
    if names:
        parts.append(f"profile{'s' if len(names) > 1 else ''} {', '.join(names)}")
    if plan.framework is not None:
        name = plan.framework.name
        buildable = {id(stack.build) for stack in stacks(name, gpu=True)}
        versions = [
            f"{TITLES[name]} {build.version} with CUDA {build.cuda}"
            for build in hardware.builds_that_fit(name, there)
            if id(build) in buildable
        ]
    else:
        supplied = {stack.cuda.version for stack in stacks("", gpu=True)}
        fitting = hardware.cuda_that_fits(there)
        versions = [f"CUDA {version}" for version in fitting if version in supplied]
    if versions:
        oldest = f" back to {versions[-1]}" if len(versions) > 1 else ""
        parts.append(f"{versions[0]}{oldest}")
    return f"what works there: {'; '.join(parts)}" if parts else ""


def notes(there: tuple[Hardware, ...]) -> tuple[str, ...]:
    """What else people should know of the hardware today."""
    today = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    found = [note for one in there for note in hardware.notes(one, today)]
    return tuple(dict.fromkeys(found))


def say_notes(there: tuple[Hardware, ...]) -> None:
    """Print the notes where they do not mix with results."""
    for note in notes(there):
        click.echo(f"note: {note}", err=True)


def _names_that_fit(plan: Plan, there: tuple[Hardware, ...], others: Iterable[Plan]) -> list[str]:
    """Names of profiles with CUDA that fit, those of the same framework and features first."""
    found = [
        (_distance(plan, other), other.profile)
        for other in others
        if other.cuda is not None and other.profile != plan.profile and not misfits(other, there)
    ]
    return [name for _, name in sorted(found)]


def _distance(plan: Plan, other: Plan) -> tuple[bool, bool]:
    """How unlike two plans are for people."""
    mine = plan.framework.name if plan.framework else ""
    theirs = other.framework.name if other.framework else ""
    return mine != theirs, (plan.desktop is None) != (other.desktop is None)
