"""Where the time of a build goes, as its own log tells it.

apt and dpkg say what they do line by line; the time until the next line belongs to the line
before it. What is read here is a measurement and decides nothing.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from dataclasses import dataclass, field

from imagekit.events import Event, StepFinished, StepLog, StepStarted

PHASES = ("download", "unpack", "configure", "python", "copy", "export", "other")

# The beginnings of lines, and what goes on after them.
_LINES = (
    (re.compile(r"Get:|Hit:|Ign:|Need to get|Fetched"), "download"),
    (re.compile(r"Selecting |Preparing to unpack|Unpacking |\(Reading database"), "unpack"),
    (re.compile(r"Setting up |Processing triggers|Generating |Created symlink"), "configure"),
)
_STEPS = (
    (re.compile(r"\[.*\] COPY"), "copy"),
    (re.compile(r"exporting to image"), "export"),
    (re.compile(r"\[python |.*environment_"), "python"),
)


@dataclass(slots=True)
class Phases:
    """An ``Emit`` that adds up the seconds of each phase.

    Steps that run side by side are counted each, so that the sum may be more than the build
    took.
    """

    seconds: Counter[str] = field(default_factory=Counter)
    _now: dict[str, tuple[str, float]] = field(default_factory=dict)

    def __call__(self, event: Event) -> None:
        now = time.monotonic()
        if isinstance(event, StepStarted):
            kind = next((kind for form, kind in _STEPS if form.match(event.name)), "other")
            self._now[event.step] = (kind, now)
        elif isinstance(event, StepLog) and event.step in self._now:
            for line in event.lines:
                kind = next((kind for form, kind in _LINES if form.match(line)), "")
                if kind:
                    self._turn(event.step, kind, now)
        elif isinstance(event, StepFinished) and event.step in self._now:
            self._turn(event.step, "", now)
            del self._now[event.step]

    def _turn(self, step: str, kind: str, now: float) -> None:
        before, since = self._now[step]
        self.seconds[before] += now - since
        self._now[step] = (kind or before, now)
