"""A plan becomes an image in an engine, and the image is proved to be that plan's."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from imagekit import bases, names, proxies, steps, tagging
from imagekit.bases import Base
from imagekit.context import DOCKERFILE, Context, ContextFile
from imagekit.document import quote
from imagekit.engine import buildkit, images, podman
from imagekit.engine.connection import Engine
from imagekit.engine.pin import pin
from imagekit.engine.proof import BuildResult
from imagekit.engine.trace import StepRun
from imagekit.errors import InputError, Message, WorkFailedError
from imagekit.events import Emit, Notice
from imagekit.plan.model import Plan
from imagekit.render import render
from imagekit.site import Site
from imagekit.steps import Place

# https://reproducible-builds.org/specs/source-date-epoch/
_EPOCH = "SOURCE_DATE_EPOCH"


@dataclass(frozen=True, slots=True)
class Built:
    """An image that is there.

    Attributes:
        image_id: ``sha256:…`` as the engine names it.
        tags: all its names, the one with ``latest`` first.
        digests: what registries call it, ``repository@sha256:…``.
        platform: for instance ``linux/amd64``.
        size: bytes, as the engine counts them.
        seconds: how long everything took.
        steps: the build's steps, in the order of their ends.
        base: what it was built on.
    """

    image_id: str
    tags: tuple[str, ...]
    digests: tuple[str, ...]
    platform: str
    size: int
    seconds: float
    steps: tuple[StepRun, ...]
    base: Base

    @property
    def cached(self) -> int:
        """How many steps came from the cache."""
        return sum(step.cached for step in self.steps)


@dataclass(frozen=True, slots=True)
class Frozen:
    """What a build is held to: its base, and files of the context that steps obey."""

    base: Base
    files: tuple[ContextFile, ...]


@dataclass(frozen=True, slots=True)
class Options:
    """How to build; what is not said to changes nothing about the image.

    Attributes:
        tags: names beside ``imagekit/<profile>:latest`` and ``:<plan, 12 hex>``; those
            that wait for the image's id (``{image}``) are given after the build.
        no_cache: run every step again.
        pull: fetch the base again.
        build_id: by which another thread can cancel the build.
        platform: what to build for, ``os/architecture``; empty for the engine's own.
        frozen: what a lock file holds the build to; it does change what the image is.
        epoch: seconds since 1970 that the image's own times are set to, where the engine
            can; None for its clock.
    """

    tags: tuple[str, ...] = ()
    no_cache: bool = False
    pull: bool = False
    build_id: str = ""
    platform: str = ""
    frozen: Frozen | None = None
    epoch: int | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """An image to build, what is true of the place, how, and whom to tell."""

    plan: Plan
    site: Site
    options: Options
    on_event: Emit


@dataclass(frozen=True, slots=True)
class Cut:
    """What a plan's build has before one of its steps, and a name for the image of that."""

    context: Context
    tag: str


def require(engine: Engine) -> None:
    """Raise unless the engine can build, which is worth knowing before a base is fetched.

    Raises:
        EngineError: it cannot.
    """
    if not engine.podman:
        buildkit.require(engine)


def build(engine: Engine, plan: Plan, site: Site, options: Options, on_event: Emit) -> Built:
    """Have the base of a plan and build its image.

    Raises:
        WorkFailedError: a step failed, or the result is not this plan's image.
        EngineError: the engine cannot do it, or no base is to be had.
        NetworkError: a registry failed.
    """
    require(engine)
    base = (
        options.frozen.base
        if options.frozen
        else bases.obtain(engine, plan.os, site, fresh=options.pull, on_event=on_event)
    )
    return build_on(engine, base, Job(plan, site, options, on_event))


def build_on(engine: Engine, base: Base, job: Job) -> Built:
    """Build the image of a plan on a base that the engine has.

    Raises:
        WorkFailedError: a step failed, or the result is not this plan's image.
        EngineError: the engine cannot do it.
    """
    plan = job.plan
    now = [tag for tag in job.options.tags if not tagging.waits(tag)]
    tags = (*names.tags(plan), *names.registry_tags(plan, job.site.registry), *now)
    result = _solve(engine, base, job, context_of(plan, job.options.frozen), tags)
    facts = images.find(engine, result.image_id)
    if facts is None or facts.labels.get(names.PLAN_LABEL) != plan.digest:
        what = f"the engine's image {result.image_id} is not of plan {plan.digest[:12]}"
        raise WorkFailedError(Message(plan.profile, what, "build again with --no-cache"))
    waiting = [tag for tag in job.options.tags if tagging.waits(tag)]
    later = [tagging.of_image(tag, facts.id) for tag in waiting]
    images.tag(engine, facts.id, later)
    return Built(
        image_id=facts.id,
        tags=(*tags, *later),
        digests=facts.repo_digests,
        platform=f"{facts.os}/{facts.architecture}",
        size=facts.size,
        seconds=result.seconds,
        steps=result.steps,
        base=base,
    )


def source_date_epoch() -> int | None:
    """What SOURCE_DATE_EPOCH of this process's environment asks for, or None.

    Raises:
        InputError: it is no whole number of seconds.
    """
    text = os.environ.get(_EPOCH, "")
    if not re.fullmatch("[0-9]{0,15}", text, re.ASCII):
        hint = "seconds since 1970, for instance $(git log -1 --format=%ct)"
        raise InputError(Message(_EPOCH, f"{quote(text)} is no whole number", hint))
    return int(text) if text else None


def context_of(plan: Plan, frozen: Frozen | None = None) -> Context:
    """What is sent to the engine for a plan, held to a lock or not."""
    context = render(plan)
    return Context(tuple(sorted((*context.files, *frozen.files)))) if frozen else context


def cut(plan: Plan, step: Place) -> Cut:
    """What was there before a step of a plan's build.

    Raises:
        InputError: the plan's build has no such step.
    """
    context = render(plan)
    try:
        text = steps.before(context.dockerfile, step)
    except KeyError:
        known = ", ".join(map(str, steps.places(context.dockerfile)))
        raise InputError(Message(plan.profile, f"has no step {step}", f"known: {known}")) from None
    others = (file for file in context.files if file.path != DOCKERFILE)
    files = (*others, ContextFile(DOCKERFILE, text.encode()))
    return Cut(Context(tuple(sorted(files))), names.before(plan, step.stage, step.number))


def build_cut(engine: Engine, part: Cut, job: Job) -> str:
    """Build what was there before a step, to look into it; the image's id.

    What comes before a step that failed is in BuildKit's cache, so this takes seconds.

    Raises:
        WorkFailedError: a step before it failed.
        EngineError: the engine cannot do it, or no base is to be had.
        NetworkError: a registry failed.
    """
    fresh = job.options.pull
    base = bases.obtain(engine, job.plan.os, job.site, fresh=fresh, on_event=job.on_event)
    return _solve(engine, base, job, part.context, (part.tag,)).image_id


def _solve(
    engine: Engine, base: Base, job: Job, context: Context, tags: tuple[str, ...]
) -> BuildResult:
    """Have a context built with what the place adds to it."""
    site, options = job.site, job.options
    if site.ca_sources:
        count = len(site.ca_sources)
        said = f"trusting {count} extra CA certificate file(s) of this host, build only"
        job.on_event(Notice(said))
    base_name = pin(engine, base.reference, base.image_id, options.platform)
    args = {"BASE": base_name, **proxies.environment(site)}
    network = proxies.network(engine, site, job.on_event)
    if engine.podman:
        return podman.build(
            engine,
            context,
            tags=tags,
            secrets=site.build_secrets(),
            build_args=args,
            platform=options.platform,
            no_cache=options.no_cache,
            network=network,
            on_event=job.on_event,
        )
    return buildkit.build(
        engine,
        context,
        tags=tags,
        secrets=site.build_secrets(),
        build_args={**args, **_inline(site), **_epoch(options.epoch)},
        cache_from=site.cache_from,
        platform=options.platform,
        no_cache=options.no_cache,
        network=network,
        compression=site.compression,
        build_id=options.build_id,
        on_event=job.on_event,
    )


def _inline(site: Site) -> dict[str, str]:
    """Ask for an image that others can take as a cache.

    https://docs.docker.com/build/cache/backends/inline/
    """
    return {"BUILDKIT_INLINE_CACHE": "1"} if site.cache_inline else {}


def _epoch(epoch: int | None) -> dict[str, str]:
    """BuildKit knows this argument since 0.11; older ones pass over it.

    https://docs.docker.com/build/ci/github-actions/reproducible-builds/
    """
    return {} if epoch is None else {_EPOCH: str(epoch)}
