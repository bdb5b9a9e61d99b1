"""Deadlines, and the one place that waits for something to become true."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

T = TypeVar("T")

_LATE = "not in time: "


class NotYetError(Exception):
    """The condition does not hold yet; the text says what is missing."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """A point on the monotonic clock, after which nobody waits for the answer.

    Attributes:
        at: seconds on the monotonic clock.
        abandoned: set when nobody waits any longer, even though the time has not come.
    """

    at: float
    abandoned: threading.Event = field(default_factory=threading.Event)

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """The deadline ``seconds`` from now."""
        return cls(time.monotonic() + seconds)

    @property
    def left(self) -> float:
        """Seconds left; 0.0 when it has passed."""
        return 0.0 if self.abandoned.is_set() else max(0.0, self.at - time.monotonic())

    def timeout(self, most: float | None = None) -> float:
        """Seconds that one blocking call may take: what is left, at most ``most``.

        Raises:
            TimeoutError: nothing is left.
        """
        left = self.left
        if left <= 0.0:
            raise TimeoutError("no answer in time")
        return left if most is None else min(left, most)


def until(condition: Callable[[], T], deadline: Deadline, *, pause: float = 0.1) -> T:
    """Ask until the condition gives a value.

    Args:
        condition: returns the value, or raises ``NotYetError``.
        deadline: when to give up. The condition is asked at least once.
        pause: seconds between two tries.

    Raises:
        TimeoutError: it did not come true; the text is that of the last ``NotYetError``.
    """
    missing = ""
    while True:
        try:
            return condition()
        except NotYetError as not_yet:
            missing = str(not_yet)
            if deadline.left <= pause:
                raise _late(missing) from not_yet
        except TimeoutError as error:
            # The last try had too little time for an answer: what the one before it found
            # missing says more.
            if missing and deadline.left <= pause:
                raise _late(missing) from error
            raise
        time.sleep(pause)


def _late(missing: str) -> TimeoutError:
    """Said once, also where what was awaited had a wait of its own."""
    return TimeoutError(f"{_LATE}{missing.removeprefix(_LATE)}")
