"""One round: several checks side by side, each in a thread with its own deadline."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence

from imagekit.checks.check import Check, CheckFailedError, CheckSkippedError
from imagekit.checks.report import Result
from imagekit.checks.subject import Subject
from imagekit.events import Emit, StepFinished, StepStarted
from imagekit.wait import Deadline

# How often a round looks whether the container is still there, in seconds.
_LOOK_EVERY = 0.5
# Every wait of a check is bounded by its deadline; this is for what knows none, such as
# an engine that hangs.
_GRACE = 10.0


def ask_all(
    checks: Sequence[Check],
    subject: Subject,
    gone: Callable[[], str],
    on_event: Emit,
    prefix: str = "",
) -> tuple[Result, ...]:
    """Ask all checks at once and wait for their results.

    Args:
        checks: what to ask.
        subject: of whom.
        gone: says why no answer can come any more (the container ended), or ``""``.
        on_event: gets ``StepStarted`` and ``StepFinished`` for each check.
        prefix: goes before the checks' names in events.

    Returns:
        One result for each check, in their order.

    Raises:
        Exception: whatever a check raises that is neither a failure nor a skip: a bug.
    """
    answers: queue.SimpleQueue[tuple[Check, Result | BaseException]] = queue.SimpleQueue()
    abandoned = threading.Event()
    begun = time.monotonic()
    pending = {check.name: check for check in checks}
    results: dict[str, Result] = {}

    def finish(result: Result) -> None:
        del pending[result.name]
        results[result.name] = result
        on_event(_finished(prefix, result))

    try:
        for check in checks:
            on_event(StepStarted(f"check {prefix}{check.name}", f"{prefix}{check.name}"))
            deadline = Deadline(begun + check.limit, abandoned)
            # A daemon, so that a check that hangs cannot keep the program from ending.
            threading.Thread(
                target=lambda c=check, d=deadline: answers.put((c, _ask(c, subject, d))),
                name=f"check {prefix}{check.name}",
                daemon=True,
            ).start()
        while pending:
            try:
                check, answer = answers.get(timeout=_LOOK_EVERY)
            except queue.Empty:
                for result in _lost(list(pending.values()), begun, gone()):
                    finish(result)
                continue
            if isinstance(answer, BaseException):
                raise answer
            if check.name in pending:
                finish(answer)
    finally:
        abandoned.set()
    return tuple(results[check.name] for check in checks)


def _ask(check: Check, subject: Subject, deadline: Deadline) -> Result | BaseException:
    begun = time.monotonic()
    try:
        data = check.ask(subject, deadline)
    except CheckFailedError as error:
        return Result(check.name, "failed", str(error), time.monotonic() - begun)
    except CheckSkippedError as error:
        return Result(check.name, "skipped", error.reason, time.monotonic() - begun)
    except BaseException as error:  # noqa: BLE001 (raised again by the thread that waits)
        return error
    return Result(check.name, "passed", "", time.monotonic() - begun, data)


def _lost(pending: Sequence[Check], begun: float, gone: str) -> list[Result]:
    """Results for checks from which no answer is to be expected any more."""
    spent = time.monotonic() - begun
    return [
        Result(check.name, "failed", gone or f"no end after {spent:.0f} s", spent)
        for check in pending
        if gone or spent > check.limit + _GRACE
    ]


def _finished(prefix: str, result: Result) -> StepFinished:
    error = result.reason if result.status == "failed" else ""
    return StepFinished(f"check {prefix}{result.name}", result.seconds, cached=False, error=error)
