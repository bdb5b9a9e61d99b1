"""What is done to a container to see whether it survives, and what such a thing needs."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Protocol

from imagekit.checks.check import Attachment, Check, CheckFailedError, CheckSkippedError
from imagekit.checks.report import Result, failed
from imagekit.checks.subject import State, Subject
from imagekit.events import Emit, Notice, StepFinished, StepStarted


class Addressed(Protocol):
    """A container as far as it can be reached from outside."""

    def addresses(self) -> Mapping[int, tuple[str, int]]:
        """See ``Stage``."""
        ...


class Disturbable(Addressed, Protocol):
    """The container as disruptions need it; ``Stage`` is one."""

    def stop(self, seconds: int) -> State:
        """See ``Stage``."""
        ...

    def kill(self) -> State:
        """See ``Stage``."""
        ...

    def start(self) -> None:
        """See ``Stage``."""
        ...

    def twin(self) -> AbstractContextManager[Addressed]:
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


def observe(name: str, on_event: Emit, disturb: Callable[[dict[str, object]], None]) -> Result:
    """Do it, and make a result of it.

    Args:
        name: the disruption's name; its step is ``check NAME``.
        on_event: gets the step, and a notice when it is skipped.
        disturb: does it. It puts what it sees into the result's data, which is kept when it
            raises ``CheckFailedError`` or ``CheckSkippedError``.
    """
    begun = time.monotonic()
    on_event(StepStarted(f"check {name}", name))
    data: dict[str, object] = {}
    try:
        disturb(data)
    except CheckFailedError as error:
        result = failed(name, error, time.monotonic() - begun, data)
    except CheckSkippedError as error:
        result = Result(name, "skipped", error.reason, time.monotonic() - begun, data)
    else:
        result = Result(name, "passed", "", time.monotonic() - begun, data)
    reason = result.reason if result.status == "failed" else ""
    on_event(StepFinished(f"check {name}", result.seconds, cached=False, error=reason))
    if result.status == "skipped":
        on_event(Notice(f"{name} skipped: {result.reason}"))
    return result


def judge(answers: Sequence[Result], after: str, data: dict[str, object], key: str) -> None:
    """Keep what was asked again, and see that it passed as it did before.

    Args:
        answers: what came of it.
        after: what was done before, such as ``stop and start``.
        data: the disruption's own, which gets the answers; and beside them what they
            attached, as only a result's own attachments become files.
        key: where in ``data`` the answers go; begins with ``report.INNER``.

    Raises:
        CheckFailedError: one failed.
    """
    told: list[dict[str, object]] = []
    for answer in answers:
        attached = {k: v for k, v in answer.data.items() if isinstance(v, Attachment)}
        data.update({f"{answer.name} {k} after {after}": v for k, v in attached.items()})
        rest = {k: v for k, v in answer.data.items() if k not in attached}
        told.append(replace(answer, data=rest).as_dict())
    data[key] = told
    if failed_ones := [answer for answer in answers if answer.status == "failed"]:
        names = ", ".join(answer.name for answer in failed_ones)
        raise CheckFailedError(
            f"the same answers after {after}", f"{names} failed: {failed_ones[0].reason}"
        )
