"""Trying again what a registry failed at for the moment."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from imagekit.engine.refusals import RegistryError
from imagekit.engine.throttle import wait_wanted
from imagekit.errors import Message
from imagekit.events import Emit, Notice

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to go on with a registry.

    Attributes:
        pauses: seconds before the second try, the third and so on; of each, between half
            and all is waited, so that many jobs do not come back at one time.
        longest: seconds; a registry that asks for a longer wait is not waited for.
        total: seconds after which no other try is begun.
        idle: seconds in which nothing moves, after which a transfer is given up.
    """

    pauses: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0)
    longest: float = 120.0
    total: float = 180.0
    idle: float = 300.0


PATIENCE = Patience()
"""What people get."""


def persist(work: Callable[[], T], host: str, patience: Patience, on_event: Emit) -> T:
    """Do some work with a registry, again when it fails for the moment.

    Args:
        work: what to do; it has to bear being done twice.
        host: the registry, as in image names.
        patience: how often, and how long.
        on_event: told before each wait.

    Raises:
        RegistryError: what the last try raised, or the first that is not transient; with
            what the registry wants, when it wants to be left alone for too long.
    """
    until = time.monotonic() + patience.total
    tries = len(patience.pauses) + 1
    for number, pause in enumerate((*patience.pauses, 0.0), 1):
        try:
            return work()
        except RegistryError as error:
            if not error.transient:
                raise
            first = error.messages[0]
            wanted = wait_wanted(host, first.what) if error.throttled else 0.0
            # Jitter, not a secret.
            wait = wanted or pause * random.uniform(0.5, 1.0)  # noqa: S311
            late = wait > patience.longest or time.monotonic() + wait > until
            if number == tries or late:
                raise _given_up(first, number, wanted) from error
            what = f"{first.where}: {first.what}; try {number + 1} of {tries} in {wait:.0f} s"
            on_event(Notice(what))
            time.sleep(wait)
    raise AssertionError("the last try returns or raises")


def _given_up(message: Message, tries: int, wanted: float) -> RegistryError:
    """The error of what did not pass."""
    count = "1 try" if tries == 1 else f"{tries} tries"
    hint = f"the registry asks for {wanted:.0f} s; push again then" if wanted else message.hint
    return RegistryError(Message(message.where, f"{message.what} (after {count})", hint))
