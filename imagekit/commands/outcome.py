"""What is said of builds that ended: what is there, what failed, and where to look."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from imagekit import names, steps
from imagekit.blame import blame
from imagekit.build import Built
from imagekit.commands.finish import Finished
from imagekit.document import printable
from imagekit.engine.failures import BuildFailedError
from imagekit.errors import (
    EngineError,
    ImagekitError,
    InputError,
    Message,
    NetworkError,
    WorkFailedError,
)
from imagekit.several import Outcome

if TYPE_CHECKING:
    from imagekit.profile import Profile


@dataclass(frozen=True, slots=True)
class Asked:
    """A profile as it was asked for.

    Attributes:
        profile: the profile as loaded.
        arguments: what of the command line decides about its plan, the profile first.
        engine: as it was asked for; empty for the one that is found.
    """

    profile: Profile
    arguments: tuple[str, ...]
    engine: str


def tell(asked: Sequence[Asked], outcomes: Sequence[Outcome], finished: Finished) -> None:
    """Say what became of every build: images and pushed names on stdout, the rest on stderr.

    Raises:
        ImagekitError: with everything that failed, when something did.
    """
    messages: list[Message] = []
    errors: list[ImagekitError] = []
    for one, outcome in zip(asked, outcomes, strict=True):
        name, result = outcome.job.plan.profile, outcome.result
        if isinstance(result, Built):
            _say(f"{name}: {_figures(result)}")
            click.echo(f"{result.image_id} {' '.join(result.tags)}")
            continue
        errors.append(result)
        if isinstance(result, BuildFailedError):
            _say_log(name, result)
            messages += _explained(one, outcome, result)
        else:
            messages += (_of(name, message) for message in result.messages)
    for pushed in finished.pushed:
        click.echo(pushed.pinned)
    for file in finished.files:
        _say(f"wrote {file}")
    if len(outcomes) > 1:
        _say(f"{len(outcomes) - len(errors)} of {len(outcomes)} built")
    errors += finished.errors
    messages += (message for error in finished.errors for message in error.messages)
    if errors:
        raise _one_error(errors, messages)


def look_into(image: str, engine: str) -> str:
    """The command that gives a shell in an image.

    Args:
        image: its name.
        engine: where it is, as ``Asked`` has it; docker itself finds the same one by itself.
    """
    option = "--host" if "://" in engine else "--context"
    place = [option, engine] if engine else []
    return shlex.join(["docker", *place, "run", "--rm", "-it", "--entrypoint", "bash", image])


def _figures(built: Built) -> str:
    size = f"{built.size / 1e6:.0f} MB"
    return f"{size}, {built.seconds:.1f} s, {built.cached} of {len(built.steps)} steps cached"


def _say_log(name: str, error: BuildFailedError) -> None:
    """The last lines of the failed step."""
    if error.log_tail:
        _say(f"{name}: the last lines of {_step(error)}")
    for line in error.log_tail:
        _say(f"  | {click.unstyle(line)}")


def _explained(asked: Asked, outcome: Outcome, error: BuildFailedError) -> Iterator[Message]:
    """The lines of the profile, then the step with how to get into the state before it."""
    plan = outcome.job.plan
    for problem in blame(asked.profile, plan, steps.short_name(error.step), error.log_tail):
        yield problem.message
    (message,) = error.messages
    step = steps.place(error.step)
    hint = message.hint
    # What a frozen build had before the step is not what --before builds, which knows no lock.
    if step is not None and not hint and outcome.job.options.frozen is None:
        build = ["imagekit", "build", *asked.arguments, "--before", str(step)]
        shell = look_into(names.before(plan, step.stage, step.number), asked.engine)
        lines = ("for a shell in the state before it:", shlex.join(build), shell)
        hint = "\n    ".join(lines)
    where = f"{plan.profile}: {_step(error)}" if error.step else f"{plan.profile}: {message.where}"
    yield Message(where, message.what, hint)


def _step(error: BuildFailedError) -> str:
    """The step's command in one line, cut where nobody reads on."""
    name = printable(steps.short_name(error.step))
    return name if len(name) <= 600 else f"{name[:599]}…"


def _of(name: str, message: Message) -> Message:
    where = f"{name}: {message.where}" if message.where not in {"", name} else name
    return Message(where, message.what, message.hint)


def _one_error(errors: Sequence[ImagekitError], messages: Sequence[Message]) -> ImagekitError:
    """Of the kind that all are of, otherwise that the work failed."""
    for kind in (EngineError, NetworkError, InputError):
        if all(isinstance(error, kind) for error in errors):
            return kind(messages)
    return WorkFailedError(messages)


def _say(text: str) -> None:
    click.echo(printable(text), err=True)
