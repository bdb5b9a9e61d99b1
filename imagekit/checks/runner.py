"""All checks of an image: a container for the run, the checks side by side, a report."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timezone

from imagekit.checks import foreign
from imagekit.checks.candidate import entered, find
from imagekit.checks.health import PROBE_SECONDS
from imagekit.checks.redact import Redactor, redactor_of
from imagekit.checks.registry import CHECKS, DISRUPTIONS, NAMES
from imagekit.checks.report import Report, Result
from imagekit.checks.restart import RESTART
from imagekit.checks.round import ask_all
from imagekit.checks.selection import NO_WISH, Wish
from imagekit.checks.stage import Stage
from imagekit.checks.subject import Subject
from imagekit.checks.unhealthy import UNHEALTHY
from imagekit.engine import images
from imagekit.engine.connection import Engine
from imagekit.errors import InputError, Message
from imagekit.events import Emit, Event, Notice, StepFinished, ignore
from imagekit.plan.model import Plan

_LOG_LINES_IN_REASON = 3
# What asks for the container's health, or asks again what does.
_OF_HEALTH = frozenset({"health", UNHEALTHY, RESTART})

NO_GPUS = "none"
GPU_CHECKS = frozenset({"gpu", "framework-gpu"})


@dataclass(frozen=True, slots=True)
class Options:
    """What is asked, and how.

    Attributes:
        only: names of ``registry.NAMES``; none for a whole set.
        full: ask everything, disruptions included, and not only what takes seconds.
        require: names of checks that fail where they would be skipped.
        gpus: ``"all"``, ``"none"``, or GPU UUIDs separated by commas; ``""`` for all where
            the plan has CUDA or a check of GPUs is required, and none otherwise. What the
            engine does not have makes those checks skipped, with its reason.
        also: names of checks that are asked beside the set.
        wish: what is said of the image beside what it says of itself.
    """

    only: tuple[str, ...] = ()
    full: bool = False
    require: tuple[str, ...] = ()
    gpus: str = ""
    also: tuple[str, ...] = ()
    wish: Wish = NO_WISH


def run_checks(
    engine: Engine, image: str, options: Options = Options(), *, on_event: Emit = ignore
) -> Report:
    """Start a container of an image, ask checks, remove it, and report.

    It is removed with its volumes however the run ends, ``KeyboardInterrupt`` included.
    All events come from the calling thread.

    Args:
        engine: where the image is; nothing is pulled.
        image: reference or id.
        options: what is asked.
        on_event: gets a step for each check and a notice for each one skipped.

    Raises:
        InputError: there is no such check, or nothing says what to expect of the image.
        EngineError: the engine cannot be reached or refuses.
        WorkFailedError: there is no such image, its label cannot be read, or its container
            cannot be started.
    """
    begun = time.monotonic()
    tested = datetime.now(timezone.utc).isoformat(timespec="seconds")
    wanted = select(options)
    candidate = find(engine, image, options.wish)
    gpus = gpus_for(options, candidate.plan)
    probe = PROBE_SECONDS if wanted & _OF_HEALTH else 0.0
    with entered(engine, candidate, gpus, probe) as (stage, subject):
        redactor = redactor_of(subject)
        results = ask(stage, subject, wanted, _redacted(redactor, on_event))
        results = tuple(_required(result, options.require) for result in results)
        failed = any(result.status == "failed" for result in results)
        log = stage.logs() if failed else ""
    # As the profile has it: what is true of an image of others makes another plan of it.
    plan = candidate.plan
    return Report(
        image=image,
        image_id=candidate.image_id,
        profile=plan.profile,
        plan=plan.digest if plan.profile else "",
        engine=f"Docker Engine {engine.version}",
        seconds=time.monotonic() - begun,
        results=tuple(map(redactor.result, results)),
        log=redactor.text(log),
        store=engine.store,
        tested=tested,
        facts=images.find(engine, candidate.image_id),
    )


def select(options: Options) -> frozenset[str]:
    """The names of what is asked.

    Raises:
        InputError: there is no such check, or one is required that is not asked.
    """
    unknown = sorted({*options.only, *options.also, *options.require} - frozenset(NAMES))
    messages = [
        Message("", f"there is no check {name!r}", f"the checks are {', '.join(NAMES)}")
        for name in unknown
    ]
    everything = frozenset(NAMES)
    usual = frozenset(check.name for check in CHECKS if not check.full)
    wanted = frozenset(options.only) or (everything if options.full else usual)
    wanted |= frozenset(options.also)
    if not messages:
        messages = [
            Message("", f"the check {name!r} is required, but not asked", _hint(name, options))
            for name in sorted({*options.require} - wanted)
        ]
    if messages:
        raise InputError(messages)
    return wanted


def _hint(name: str, options: Options) -> str:
    """How a check is asked that is not: --only counts before --full."""
    return f"--only {name} asks it, too" if options.only else "--full asks it"


def _required(result: Result, require: Iterable[str]) -> Result:
    """The result, failed where it was skipped and must not be."""
    if result.status != "skipped" or result.name not in require:
        return result
    return replace(result, status="failed", reason=f"required, and skipped: {result.reason}")


def gpus_for(options: Options, plan: Plan) -> str:
    """What the container is given, as ``ContainerSpec.gpus`` takes it."""
    if options.gpus:
        return "" if options.gpus == NO_GPUS else options.gpus
    wanted = plan.cuda is not None or not GPU_CHECKS.isdisjoint(options.require)
    return "all" if wanted else ""


def ask(
    stage: Stage,
    subject: Subject,
    wanted: frozenset[str],
    on_event: Emit,
    before: frozenset[str] = frozenset(),
) -> tuple[Result, ...]:
    """Ask what is wanted, all checks at once, and do the disruptions after them.

    Args:
        stage: the container.
        subject: the same, as the checks see it.
        wanted: names of ``registry.NAMES``.
        on_event: as for ``run_checks``.
        before: names of checks that passed earlier: disruptions ask them again, too.

    Returns:
        One result for each name, in the registry's order.

    Raises:
        EngineError: the engine cannot be reached.
    """
    begun = time.monotonic()
    everything = CHECKS
    if subject.foreign is not None:
        everything = tuple(
            foreign.otherwise(check, subject.plan, subject.secrets) for check in CHECKS
        )
    checks = [check for check in everything if check.name in wanted]
    results = ask_all(checks, subject, lambda: _gone(stage), on_event)
    for result in results:
        if result.status == "skipped":
            on_event(Notice(f"{result.name} skipped: {result.reason}"))
    # What failed before would fail again, after as long a wait. Where nothing is left to ask
    # after a disruption, everything is; but nothing that takes long.
    usual = [check for check in everything if not check.full]
    passed = before.union(result.name for result in results if result.status == "passed")
    again = [check for check in usual if check.name in passed]
    if not again and all(result.status != "failed" for result in results):
        again = usual
    for disruption in DISRUPTIONS:
        if disruption.name not in wanted:
            continue
        if gone := _gone(stage):
            results = (*results, Result(disruption.name, "failed", gone))
            continue
        now = replace(subject, addresses=stage.addresses())
        started = time.monotonic() - begun
        result = disruption.disturb(stage, now, again, lambda: _gone(stage), on_event)
        results = (*results, replace(result, started=started))
    return results


def _gone(stage: Stage) -> str:
    """Why no more answers can come; empty while the container runs."""
    state = stage.state()
    if state.running:
        return ""
    lines = " | ".join(stage.logs().splitlines()[-_LOG_LINES_IN_REASON:])
    return f"the container ended with exit code {state.exit_code}; it said last: {lines}"


def _redacted(redactor: Redactor, on_event: Emit) -> Emit:
    """An ``Emit`` that passes events on without secrets."""

    def emit(event: Event) -> None:
        match event:
            case StepFinished(error=error) if error:
                on_event(replace(event, error=redactor.text(error)))
            case Notice(text=text):
                on_event(Notice(redactor.text(text)))
            case _:
                on_event(event)

    return emit
