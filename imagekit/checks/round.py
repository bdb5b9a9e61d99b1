"""One round: several checks side by side, each with its own deadline.

Checks that use the same thing, such as the screen, share a thread and are asked in turn.
"""

from __future__ import annotations

import math
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from imagekit.checks.check import Check, CheckFailedError, CheckSkippedError
from imagekit.checks.report import Result, failed
from imagekit.checks.subject import Subject
from imagekit.events import Emit, StepFinished, StepStarted
from imagekit.wait import Deadline

# How often a round looks whether the container is still there, in seconds.
_LOOK_EVERY = 0.5
# Every wait of a check is bounded by its deadline; this is for what knows none, such as
# an engine that hangs.
_GRACE = 10.0
# Seconds for what is asked after a check that waited in vain, for the same thing most likely:
# a desktop that never comes up would else take six times as long as the first one's limit.
_AFTER_IN_VAIN = 20.0
# A check gives up when too little is left for another try.
_LAST_PAUSE = 2.0


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
        One result for each check, in their order; failures begin with what ``gone`` says.

    Raises:
        Exception: whatever a check raises that is neither a failure nor a skip: a bug.
    """
    news: queue.SimpleQueue[_News] = queue.SimpleQueue()
    abandoned = threading.Event()
    begun = time.monotonic()
    asked: dict[str, float] = {}
    results: dict[str, Result] = {}

    def finish(result: Result) -> None:
        started = asked.get(result.name, time.monotonic()) - begun
        results[result.name] = replace(result, started=started)
        on_event(_finished(prefix, result))

    try:
        for lane in _lanes(checks):
            # A daemon, so that a check that hangs cannot keep the program from ending.
            threading.Thread(
                target=_ask_in_turn,
                args=(lane, subject, abandoned, news),
                name=f"checks {prefix}{lane[0].name}",
                daemon=True,
            ).start()
        while len(results) < len(checks):
            try:
                check, answer = news.get(timeout=_LOOK_EVERY)
            except queue.Empty:
                for result in _lost(checks, asked, results, gone()):
                    finish(result)
                continue
            if isinstance(answer, BaseException):
                raise answer
            if answer is None:
                asked[check.name] = time.monotonic()
                on_event(StepStarted(f"check {prefix}{check.name}", f"{prefix}{check.name}"))
            elif check.name not in results:
                finish(answer)
    finally:
        abandoned.set()
    return _explained([results[check.name] for check in checks], gone)


_News: TypeAlias = tuple[Check, Result | BaseException | None]
"""A check and what came of it; None when it is being asked now."""


def _lanes(checks: Sequence[Check]) -> list[list[Check]]:
    """What is asked side by side; within each, one after another."""
    lanes: dict[str, list[Check]] = {}
    for check in checks:
        lanes.setdefault(check.uses or f"check {check.name}", []).append(check)
    return list(lanes.values())


def _ask_in_turn(
    lane: Sequence[Check],
    subject: Subject,
    abandoned: threading.Event,
    news: queue.SimpleQueue[_News],
) -> None:
    most = math.inf
    for check in lane:
        if abandoned.is_set():
            return
        news.put((check, None))
        begun, limit = time.monotonic(), min(check.limit, most)
        answer = _ask(check, subject, Deadline(begun + limit, abandoned))
        news.put((check, answer))
        in_vain = isinstance(answer, Result) and answer.status == "failed"
        if in_vain and time.monotonic() > begun + limit - _LAST_PAUSE:
            most = _AFTER_IN_VAIN


def _ask(check: Check, subject: Subject, deadline: Deadline) -> Result | BaseException:
    begun = time.monotonic()
    try:
        data = check.ask(subject, deadline)
    except CheckFailedError as error:
        return failed(check.name, error, time.monotonic() - begun)
    except CheckSkippedError as error:
        return Result(check.name, "skipped", error.reason, time.monotonic() - begun)
    except BaseException as error:  # noqa: BLE001 (raised again by the thread that waits)
        return error
    return Result(check.name, "passed", "", time.monotonic() - begun, data)


def _lost(
    checks: Sequence[Check], asked: Mapping[str, float], results: Mapping[str, Result], gone: str
) -> list[Result]:
    """Results for checks from which no answer is to be expected any more."""
    now = time.monotonic()
    lost: list[Result] = []
    blocked: set[str] = set()
    for check in checks:
        if check.name in results:
            continue
        spent = now - asked.get(check.name, now)
        overdue = spent > check.limit + _GRACE
        if gone or overdue:
            lost.append(Result(check.name, "failed", gone or f"no end after {spent:.0f} s", spent))
        elif check.uses in blocked:
            lost.append(Result(check.name, "failed", f"a check of the {check.uses} hangs"))
        if overdue and check.uses:
            blocked.add(check.uses)
    return lost


def _explained(answers: Sequence[Result], gone: Callable[[], str]) -> tuple[Result, ...]:
    """The answers, where the container's end says more of failures than what checks met."""
    if all(answer.status != "failed" for answer in answers) or not (why := gone()):
        return tuple(answers)
    return tuple(_ended(a, why) if a.status == "failed" else a for a in answers)


def _ended(answer: Result, why: str) -> Result:
    if answer.reason == why:
        return answer
    parts = answer.failure
    if parts is not None:
        parts = replace(parts, got=f"{why}; {parts.got}")
    return replace(answer, reason=f"{why}; {answer.reason}", failure=parts)


def _finished(prefix: str, result: Result) -> StepFinished:
    error = result.reason if result.status == "failed" else ""
    return StepFinished(f"check {prefix}{result.name}", result.seconds, cached=False, error=error)
