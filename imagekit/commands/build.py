"""``imagekit build``."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import click

from imagekit import metadata, profile, steps, tagging
from imagekit import site as site_file
from imagekit.commands import progress
from imagekit.commands.options import engine_option, set_option, site_option
from imagekit.document import quote
from imagekit.errors import InputError, Message
from imagekit.events import Emit
from imagekit.plan.resolve import Decision, decide
from imagekit.profile import Profile
from imagekit.site import Site
from imagekit.steps import Place

if TYPE_CHECKING:
    # This imports docker-py.
    from imagekit.build import Job

# Steps that use apt lock those of the same release out, so that a second build finds work
# beside the first and a third mostly waits.
_JOBS = 2


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A profile that was asked for, as it was written, and its plan."""

    argument: str
    profile: Profile
    decision: Decision


@dataclass(frozen=True, slots=True)
class _How:
    """What is true of all builds of this command line.

    Attributes:
        settings: the options that decide about plans and places, to be said again.
        address: the engine's, as it was written; empty for the one that is found.
    """

    tags: tuple[str, ...]
    settings: tuple[str, ...]
    place: Site
    address: str
    no_cache: bool
    pull: bool
    jobs: int
    style: str


@click.command()
@click.argument("profiles", nargs=-1, required=True, metavar="PROFILE...")
@click.option(
    "--tag",
    "tags",
    metavar="NAME",
    multiple=True,
    help="One more name for the image; {profile} {version} {date} {plan} {image} are filled in.",
)
@set_option
@site_option
@engine_option
@click.option("--no-cache", is_flag=True, help="Run every step again.")
@click.option("--pull", is_flag=True, help="Fetch the base image again.")
@click.option(
    "--jobs",
    metavar="N",
    type=click.IntRange(1, 32),
    default=_JOBS,
    show_default=True,
    help="How many profiles to build at the same time.",
)
@click.option("--metadata-file", metavar="FILE", default="", help="Describe what was built there.")
@click.option(
    "--before",
    metavar="STEP",
    default="",
    help='Build the state before a step, such as "image 9/14", to look into it.',
)
@progress.option
def command(
    profiles: tuple[str, ...],
    tags: tuple[str, ...],
    overrides: tuple[str, ...],
    site: str,
    address: str,
    no_cache: bool,
    pull: bool,
    jobs: int,
    metadata_file: str,
    before: str,
    style: str,
) -> None:
    """Build the images of profiles.

    Prints one line an image to stdout: the image id and its names. A profile that fails
    does not stop the others.
    """
    for tag in tags:
        tagging.check(tag)
    file = metadata.check_path(metadata_file) if metadata_file else None
    step = _step(before) if before else None
    wanted = _decide(profiles, overrides)
    settings = [part for override in overrides for part in ("--set", override)]
    settings += ["--site", site] if site else []
    settings += ["--engine", address] if address else []
    today = datetime.now(timezone.utc).date()
    named = tuple(tagging.of_run(tag, _version(), today) for tag in tags)
    place = site_file.load(site)
    how = _How(named, tuple(settings), place, address, no_cache, pull, jobs, style)
    if step is not None:
        if len(wanted) > 1 or tags or file:
            raise click.UsageError("--before is for one profile, without --tag or --metadata-file")
        _build_before(wanted[0], step, how)
        return
    if len(wanted) > 1 and not all(map(tagging.distinguishes, tags)):
        what = "with several profiles, --tag needs {profile}, {plan} or {image}"
        raise click.UsageError(what)
    _build(wanted, how, file)


def _version() -> str:
    """The version of imagekit itself."""
    return version("imagekit-lab")


def _step(text: str) -> Place:
    """The step that ``--before`` names."""
    found = steps.place(text)
    if found is None:
        raise click.UsageError(f"--before takes a step such as image 9/14, not {quote(text)}")
    return found


def _decide(profiles: tuple[str, ...], overrides: tuple[str, ...]) -> list[_Wanted]:
    """What to build, each plan once, or everything that is wrong with any profile."""
    wanted: dict[str, _Wanted] = {}
    problems: list[Message] = []
    for name in profiles:
        try:
            loaded = profile.load(name, overrides)
            decision = decide(loaded)
        except InputError as error:
            problems.extend(error.messages)
            continue
        found = wanted.setdefault(loaded.name, _Wanted(name, loaded, decision))
        if found.decision.plan != decision.plan:
            what = f"has the name of {found.argument}, and so would the image"
            problems.append(Message(name, what, "build one of them at a time"))
    if problems:
        raise InputError(problems)
    return list(wanted.values())


def _build(wanted: Sequence[_Wanted], how: _How, file: Path | None) -> None:
    """Build images, say what became of them, and describe them when all are there."""
    # The engine's modules import docker-py, which takes longer than all before.
    from imagekit import room  # noqa: PLC0415
    from imagekit.build import Built  # noqa: PLC0415
    from imagekit.commands import outcome  # noqa: PLC0415
    from imagekit.engine.connection import connect  # noqa: PLC0415
    from imagekit.engine.endpoint import resolve  # noqa: PLC0415
    from imagekit.proxies import check  # noqa: PLC0415
    from imagekit.several import build_all  # noqa: PLC0415

    check(how.place, resolve(how.address).url)
    with closing(connect(how.address)) as engine:
        with progress.show_several(how.style, [one.profile.name for one in wanted]) as emits:
            jobs = [_job(one, how, emits[one.profile.name]) for one in wanted]
            room.check(engine, [(job.plan, job.on_event) for job in jobs])
            outcomes = build_all(engine, partial(connect, how.address), jobs, how.jobs)
        builds = [(o.job.plan, o.result) for o in outcomes if isinstance(o.result, Built)]
        if file is not None and len(builds) == len(outcomes):
            metadata.write(file, metadata.describe(builds, engine, _version()))
    asked = [outcome.Asked(one.profile, (one.argument, *how.settings)) for one in wanted]
    outcome.tell(asked, outcomes)


def _job(one: _Wanted, how: _How, on_event: Emit) -> Job:
    """The build of one profile, for ``build_all``."""
    from imagekit.build import Job, Options  # noqa: PLC0415

    plan = one.decision.plan
    tags = tuple(tagging.of_plan(tag, plan) for tag in how.tags)
    options = Options(tags, no_cache=how.no_cache, pull=how.pull)
    return Job(plan, how.place.with_profile_mirrors(one.decision.mirrors), options, on_event)


def _build_before(one: _Wanted, step: Place, how: _How) -> None:
    """Build the state before a step, and say how to look into it."""
    from imagekit.build import build_cut, cut  # noqa: PLC0415
    from imagekit.engine.connection import connect  # noqa: PLC0415
    from imagekit.engine.endpoint import resolve  # noqa: PLC0415
    from imagekit.proxies import check  # noqa: PLC0415

    check(how.place, resolve(how.address).url)
    plan = one.decision.plan
    part = cut(plan, step)
    with (
        closing(connect(how.address)) as engine,
        progress.show(how.style, plan.profile) as on_event,
    ):
        image_id = build_cut(engine, part, _job(one, how, on_event))
    click.echo(f"to look into it: docker run --rm -it --entrypoint bash {part.tag}", err=True)
    click.echo(f"{image_id} {part.tag}")
