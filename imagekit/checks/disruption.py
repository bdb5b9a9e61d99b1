"""What is done to a container to see whether it survives, and what such a thing needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from imagekit.checks.check import Check
from imagekit.checks.report import Result
from imagekit.checks.subject import State, Subject
from imagekit.events import Emit


class Disturbable(Protocol):
    """The container as disruptions need it; ``Stage`` is one."""

    def stop(self, seconds: int) -> State:
        """See ``Stage``."""
        ...

    def start(self) -> None:
        """See ``Stage``."""
        ...

    def addresses(self) -> Mapping[int, tuple[str, int]]:
        """See ``Stage``."""
        ...


@dataclass(frozen=True, slots=True)
class Disruption:
    """Something that no check beside it would survive: it is done alone, after the checks.

    Attributes:
        name: how the report and the command line call it.
        disturb: does it to the stage, and asks again what passed before. Its arguments are
            the stage, the subject as it was before, the checks to ask again, what says
            why no answer can come any more (see ``round.ask_all``), and who is told.
    """

    name: str
    disturb: Callable[
        [Disturbable, Subject, Sequence[Check], Callable[[], str], Emit],
        Result,
    ]
