"""What long work tells whoever watches it.

The engine and the checks emit these values; ``imagekit.commands`` shows them. An
``Emit`` is any callable that takes one event; what it raises cancels the build.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Notice:
    """Something worth a line of its own, such as why a base image was bootstrapped."""

    text: str


@dataclass(frozen=True, slots=True)
class StepStarted:
    """A build step began, or was found in the cache (then ``StepFinished`` follows at once).

    Attributes:
        step: the engine's identity of the step, equal in all events about it.
        name: what the step is called, for instance ``[image 2/9] RUN apt-get …``.
    """

    step: str
    name: str


@dataclass(frozen=True, slots=True)
class StepLog:
    """Output of a step: whole lines without their line ends, undecodable bytes replaced."""

    step: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StepProgress:
    """How far a transfer inside a step is, in bytes; ``total`` is 0 while unknown."""

    step: str
    item: str
    current: int
    total: int


@dataclass(frozen=True, slots=True)
class StepFinished:
    """A build step ended.

    Attributes:
        step: as in ``StepStarted``.
        seconds: how long it ran, by the engine's clock where the engine says it; 0.0 when cached.
        cached: whether the result came from the cache.
        error: the engine's message when the step failed, otherwise empty.
    """

    step: str
    seconds: float
    cached: bool
    error: str


@dataclass(frozen=True, slots=True)
class BuildStarted:
    """The build of a profile's image began; its steps follow."""


@dataclass(frozen=True, slots=True)
class BuildFinished:
    """The build of a profile's image ended.

    Attributes:
        seconds: how long it took.
        error: why it failed, otherwise empty.
    """

    seconds: float
    error: str


Event: TypeAlias = (
    Notice | StepStarted | StepLog | StepProgress | StepFinished | BuildStarted | BuildFinished
)
Emit: TypeAlias = Callable[[Event], None]


@contextmanager
def step(name: str, on_event: Emit) -> Iterator[None]:
    """Tell of a block as of one step, with the time that it took and the error that ended it."""
    on_event(StepStarted(name, name))
    start = time.monotonic()
    try:
        yield
    except Exception as error:
        on_event(StepFinished(name, time.monotonic() - start, cached=False, error=str(error)))
        raise
    on_event(StepFinished(name, time.monotonic() - start, cached=False, error=""))


def ignore(event: Event) -> None:
    """Accept an event and do nothing with it: the ``Emit`` of those who do not watch."""
