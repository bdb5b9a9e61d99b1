"""``imagekit build``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import date, datetime, timezone
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import click

from imagekit import assets, metadata, profile, steps, tagging, targets
from imagekit import site as site_file
from imagekit.commands import progress
from imagekit.commands.options import engine_option, set_option, site_option
from imagekit.document import quote
from imagekit.errors import InputError, Message
from imagekit.events import ignore
from imagekit.lock import file as lock_file
from imagekit.lock.model import Lock
from imagekit.plan.resolve import Decision, decide
from imagekit.profile import Profile
from imagekit.site import Site
from imagekit.steps import Place
from imagekit.targets import Target

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

    @property
    def lock(self) -> Path:
        """Where its lock file lies."""
        file = Path(self.profile.where().file)
        return lock_file.beside(file, assets.folder("profiles"))


@dataclass(frozen=True, slots=True)
class _How:
    """What is true of all builds of this command line.

    Attributes:
        tags: names for every image, with placeholders.
        today: the day of the build, in UTC.
        settings: the options that decide about plans and places, to be said again.
        address: the engine's, as it was written; empty for the one that is found.
        platform: as it was written; empty for the engine's own.
        locks: what builds are held to, by profile.
    """

    tags: tuple[str, ...]
    today: date
    settings: tuple[str, ...]
    place: Site
    address: str
    no_cache: bool
    pull: bool
    jobs: int
    platform: str
    locks: Mapping[str, Lock]
    style: str


@dataclass(frozen=True, slots=True)
class _Then:
    """What is done with images that are there.

    Attributes:
        lock: write lock files.
        targets: where to push each image; none without ``--push``.
        file: the metadata file, or None.
    """

    lock: bool
    targets: tuple[Target, ...]
    file: Path | None


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
@click.option(
    "--platform", metavar="OS/ARCH", default="", help="Build for it, where the engine can."
)
@click.option("--lock", is_flag=True, help="Write down all that went in, beside the profile.")
@click.option("--frozen", is_flag=True, help="Build what the lock file says, and nothing else.")
@click.option("--push", is_flag=True, help="Push to the --tag names, or to the site's registry.")
@click.option(
    "--metadata-file",
    metavar="FILE",
    default="",
    help="Describe what was built there, with bills of materials and provenance beside it.",
)
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
    platform: str,
    lock: bool,
    frozen: bool,
    push: bool,
    metadata_file: str,
    before: str,
    style: str,
) -> None:
    """Build the images of profiles.

    Prints one line an image to stdout: the image id and its names; with --push also one a
    pushed name, once the registry was seen to have it. A profile that fails does not stop
    the others.
    """
    if lock and frozen:
        raise click.UsageError("--lock writes what --frozen reads: take one of them")
    if before and (len(profiles) > 1 or tags or lock or frozen or push or metadata_file):
        raise click.UsageError("--before is for a look into one profile, and nothing else")
    for tag in tags:
        tagging.check(tag)
    file = metadata.check_path(metadata_file) if metadata_file else None
    step = _step(before) if before else None
    wanted = _decide(profiles, overrides)
    if lock:
        _demand_writable(wanted)
    settings = [part for override in overrides for part in ("--set", override)]
    for option, value in (("--site", site), ("--engine", address), ("--platform", platform)):
        settings += [option, value] if value else []
    how = _How(
        tags=tags,
        today=datetime.now(timezone.utc).date(),
        settings=tuple(settings),
        place=site_file.load(site),
        address=address,
        no_cache=no_cache,
        pull=pull,
        jobs=jobs,
        platform=platform,
        locks=_locks(wanted) if frozen else {},
        style=style,
    )
    if step is not None:
        _build_before(wanted[0], step, how)
        return
    if len(wanted) > 1 and not all(map(tagging.distinguishes, tags)):
        what = "with several profiles, --tag needs {profile}, {plan} or {image}"
        raise click.UsageError(what)
    pushed = targets.wanted(tags, how.place.registry) if push else ()
    _build(wanted, how, _Then(lock, pushed, file))


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


def _locks(wanted: Sequence[_Wanted]) -> dict[str, Lock]:
    """The lock of every profile, or everything that is wrong with any of them."""
    locks: dict[str, Lock] = {}
    problems: list[Message] = []
    for one in wanted:
        try:
            locks[one.profile.name] = lock_file.load(one.lock, one.decision.plan)
        except InputError as error:
            problems.extend(error.messages)
    if problems:
        raise InputError(problems)
    return locks


def _demand_writable(wanted: Sequence[_Wanted]) -> None:
    """Raise before the work when a lock could not be written in the end."""
    hint = "--lock writes a file beside the profile"
    problems = [
        Message(str(one.lock), what, hint)
        for one in wanted
        if (what := metadata.unwritable(one.lock.absolute()))
    ]
    if problems:
        raise InputError(problems)


def _build(wanted: Sequence[_Wanted], how: _How, then: _Then) -> None:
    """Build images, do with them what was asked for, and say what became of it."""
    # The engine's modules import docker-py, which takes longer than all before.
    from imagekit import room  # noqa: PLC0415
    from imagekit.commands import finish, outcome  # noqa: PLC0415
    from imagekit.engine.connection import connect  # noqa: PLC0415
    from imagekit.engine.endpoint import resolve  # noqa: PLC0415
    from imagekit.proxies import check  # noqa: PLC0415
    from imagekit.several import build_all  # noqa: PLC0415

    check(how.place, resolve(how.address).url)
    silent = [_job(one, how) for one in wanted]
    # Locks, pushes and descriptions ask more of an engine than Podman was tried with.
    podman = not (then.lock or then.targets or then.file or how.locks)
    again = partial(connect, how.address, podman=podman)
    with closing(again()) as engine:
        with progress.show_several(how.style, [one.profile.name for one in wanted]) as emits:
            jobs = [replace(job, on_event=emits[job.plan.profile]) for job in silent]
            room.check(engine, [(job.plan, job.on_event) for job in jobs])
            outcomes = build_all(engine, again, jobs, how.jobs, how.locks)
        finished = finish.finish(
            engine,
            outcomes,
            [one.lock if then.lock else None for one in wanted],
            finish.Wanted(then.targets, then.file, how.locks, version("imagekit-lab")),
            partial(progress.show, how.style),
        )
    asked = [
        outcome.Asked(one.profile, (one.argument, *how.settings), how.address) for one in wanted
    ]
    outcome.tell(asked, outcomes, finished)


def _job(one: _Wanted, how: _How) -> Job:
    """The build of one profile; it tells nobody yet."""
    from imagekit.build import Job, Options, source_date_epoch  # noqa: PLC0415
    from imagekit.engine.platforms import normalize  # noqa: PLC0415

    plan = one.decision.plan
    options = Options(
        tuple(tagging.of_plan(tag, plan, how.today) for tag in how.tags),
        no_cache=how.no_cache,
        pull=how.pull,
        platform=normalize(how.platform) if how.platform else "",
        epoch=source_date_epoch(),
    )
    return Job(plan, how.place.with_profile_mirrors(one.decision.mirrors), options, ignore)


def _build_before(one: _Wanted, step: Place, how: _How) -> None:
    """Build the state before a step, and say how to look into it."""
    from imagekit.build import build_cut, cut  # noqa: PLC0415
    from imagekit.commands import outcome  # noqa: PLC0415
    from imagekit.engine.connection import connect  # noqa: PLC0415
    from imagekit.engine.endpoint import resolve  # noqa: PLC0415
    from imagekit.proxies import check  # noqa: PLC0415

    check(how.place, resolve(how.address).url)
    part, job = cut(one.decision.plan, step), _job(one, how)
    with (
        closing(connect(how.address, podman=True)) as engine,
        progress.show(how.style, one.profile.name) as on_event,
    ):
        image_id = build_cut(engine, part, replace(job, on_event=on_event))
    click.echo(f"to look into it: {outcome.look_into(part.tag, how.address)}", err=True)
    click.echo(f"{image_id} {part.tag}")
