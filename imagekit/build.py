"""A plan becomes an image in an engine, and the image is proved to be that plan's."""

from __future__ import annotations

from dataclasses import dataclass

from imagekit import bases, names, proxies
from imagekit.bases import Base
from imagekit.engine import buildkit, images
from imagekit.engine.connection import Engine
from imagekit.errors import Message, WorkFailedError
from imagekit.events import Emit, Notice
from imagekit.plan.model import Plan
from imagekit.render import render
from imagekit.site import Site


@dataclass(frozen=True, slots=True)
class Built:
    """An image that is there.

    Attributes:
        image_id: ``sha256:…`` as the engine names it.
        tags: all its names, the one with ``latest`` first.
        size: bytes, as the engine counts them.
        seconds: how long everything took.
        steps: how many build steps there were.
        cached: how many of them came from the cache.
        base: what it was built on.
    """

    image_id: str
    tags: tuple[str, ...]
    size: int
    seconds: float
    steps: int
    cached: int
    base: Base


@dataclass(frozen=True, slots=True)
class Options:
    """How to build; none of it changes what the image is.

    Attributes:
        tags: names beside ``imagekit/<profile>:latest`` and ``:<plan, 12 hex>``.
        no_cache: run every step again.
        pull: fetch the base again.
    """

    tags: tuple[str, ...] = ()
    no_cache: bool = False
    pull: bool = False


def build(engine: Engine, plan: Plan, site: Site, options: Options, on_event: Emit) -> Built:
    """Build the image of a plan.

    Raises:
        WorkFailedError: a step failed, or the result is not this plan's image.
        EngineError: the engine cannot do it, or no base is to be had.
        NetworkError: a registry failed.
    """
    if site.ca_sources:
        count = len(site.ca_sources)
        on_event(Notice(f"trusting {count} extra CA certificate file(s) of this host, build only"))
    base = bases.obtain(engine, plan.os, site, fresh=options.pull, on_event=on_event)
    tags = (*names.tags(plan), *names.registry_tags(plan, site.registry), *options.tags)
    result = buildkit.build(
        engine,
        render(plan),
        tags=tags,
        secrets=site.build_secrets(),
        build_args={"BASE": base.reference, **proxies.environment(site), **_inline(site)},
        cache_from=site.cache_from,
        no_cache=options.no_cache,
        network=proxies.network(engine, site, on_event),
        on_event=on_event,
    )
    facts = images.find(engine, result.image_id)
    if facts is None or facts.labels.get(names.PLAN_LABEL) != plan.digest:
        what = f"the engine's image {result.image_id} is not of plan {plan.digest[:12]}"
        raise WorkFailedError(Message(plan.profile, what, "build again with --no-cache"))
    return Built(
        image_id=result.image_id,
        tags=tags,
        size=facts.size,
        seconds=result.seconds,
        steps=len(result.steps),
        cached=sum(step.cached for step in result.steps),
        base=base,
    )


def _inline(site: Site) -> dict[str, str]:
    """Ask for an image that others can take as a cache.

    https://docs.docker.com/build/cache/backends/inline/
    """
    return {"BUILDKIT_INLINE_CACHE": "1"} if site.cache_inline else {}
