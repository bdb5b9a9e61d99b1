"""Where a plan's base image comes from: here, a registry, an archive, or an apt mirror."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from imagekit import archives, catalogue, fetch, proxies
from imagekit.catalogue import OsRelease
from imagekit.engine import bootstrap, images
from imagekit.engine.bootstrap import Recipe
from imagekit.engine.connection import Engine
from imagekit.engine.pin import LOCAL
from imagekit.errors import EngineError, ImagekitError, InputError, Message, NetworkError
from imagekit.events import Emit, Notice
from imagekit.plan.model import Os
from imagekit.site import Archive, Site

BOOTSTRAPPED = f"{LOCAL}imagekit/base"
"""Repository of bases that were made here."""

BASE_LABEL = "dev.imagekit.base"

_DOCKER_HUB = "docker.io"


@dataclass(frozen=True, slots=True)
class Base:
    """A base image that the engine has, and a name of it there."""

    reference: str
    image_id: str


def obtain(engine: Engine, os: Os, site: Site, *, fresh: bool, on_event: Emit) -> Base:
    """Have the base image of a plan in the engine.

    Sources in order: an image that is already there, its registry (or what the site names
    in its place), the site's archive of the release, and a root made from an apt mirror.
    The first that works is used, and events say why the ones before it were not. The site's
    ``base_policy`` leaves sources out: ``pull`` takes the registry's image alone,
    ``archive`` the archive's, ``bootstrap`` the root alone, ``local`` only what is there.

    Args:
        engine: where the image has to be.
        os: the release, and the image that the plan stands on.
        site: names mirrors of registries and of apt's archive, and the policy.
        fresh: leave out what is already there, unless nothing else is allowed, or its
            source would give the same again: an archive by its checksum, an apt mirror by
            what it says it holds.
        on_event: told of what takes time or was not to be expected.

    Raises:
        EngineError: no source worked; the message holds every reason.
    """
    policy = site.base_policy
    pullable = references(os.image, site.registries) if _allows(policy, "pull") else ()
    archive = _archive(os, site) if _allows(policy, "archive") else None
    root = _root(os) if _allows(policy, "bootstrap") else ""
    if not fresh or policy == "local":
        for reference in known_as(os, site):
            if found := images.find(engine, reference):
                return Base(reference, found.id)
    reasons: list[Message] = []
    if policy != "local":
        for reference in pullable:
            if base := _pulled(engine, reference, reasons, on_event):
                return base
        if archive and (base := _unpacked(engine, archive, site, reasons, on_event)):
            return base
        if root:
            return _bootstrapped(engine, os, site, reasons, on_event)
    raise EngineError(reasons or [_left_out(os, policy)])


def known_as(os: Os, site: Site) -> tuple[str, ...]:
    """What the base of a plan may be called in an engine, by each source that the site allows."""
    policy = site.base_policy
    pullable = references(os.image, site.registries) if _allows(policy, "pull") else ()
    original = (os.image,) if pullable else ()
    archive = _archive(os, site) if _allows(policy, "archive") else None
    packed = archives.reference(archive, BOOTSTRAPPED) if archive else ""
    root = _root(os) if _allows(policy, "bootstrap") else ""
    return tuple(filter(None, dict.fromkeys((*original, *pullable, packed, root))))


def recipe(release: OsRelease, site: Site) -> Recipe:
    """How to make a root of a release from the site's apt mirror, or else the host's."""
    return Recipe(
        suite=release.suite,
        family=release.family,
        one_line=release.sources == "one-line",
        mirror=f"{site.apt}/{release.family}" if site.apt else "",
        environment=proxies.environment(site),
    )


def references(image: str, registries: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    """What to pull for an image, in this order.

    Args:
        image: a reference as people write it, without Docker Hub's own names.
        registries: pairs of a registry's host and the prefix that stands in for it. A
            place that names some wants them instead of the registry itself.
    """
    host, path = _parts(image)
    mirrored = tuple(f"{prefix}/{path}" for registry, prefix in registries if registry == host)
    return mirrored or (image,)


def _parts(image: str) -> tuple[str, str]:
    """The registry's host and the full path below it, by the engine's own rules.

    These are ``splitDockerDomain`` of https://github.com/distribution/reference.
    """
    first, slash, rest = image.partition("/")
    if slash and (first == "localhost" or any(char in first for char in ".:")):
        host, path = first, rest
    else:
        host, path = _DOCKER_HUB, image
    if host in {_DOCKER_HUB, "index.docker.io"}:
        host, path = _DOCKER_HUB, path if "/" in path else f"library/{path}"
    return host, path


def _allows(policy: str, source: str) -> bool:
    """Whether a policy allows images of a source; ``local`` does when they are there."""
    return policy in {source, "any", "local"}


def _is_plain(os: Os) -> bool:
    """Whether the plan's image is the release itself; one with CUDA in it holds more."""
    return os.image == catalogue.os_releases()[os.id].image


def _archive(os: Os, site: Site) -> Archive | None:
    """The site's archive of the release, where it can stand in for the plan's image."""
    return next((one for one in site.archives if one.release == os.id and _is_plain(os)), None)


def _root(os: Os) -> str:
    """Our own name of the release's root, where it can stand in for the plan's image."""
    return f"{BOOTSTRAPPED}:{os.id}" if _is_plain(os) else ""


def _pulled(engine: Engine, reference: str, reasons: list[Message], on_event: Emit) -> Base | None:
    """The image from its registry; None, with the reason noted, when that has none for us."""
    on_event(Notice(f"base {reference}: pulling"))
    try:
        return Base(reference, images.pull(engine, reference, on_event).id)
    except NetworkError as error:
        reasons.extend(error.messages)
        on_event(Notice(f"base {reference}: cannot be pulled ({error.messages[0].what})"))
        return None


def _unpacked(
    engine: Engine, archive: Archive, site: Site, reasons: list[Message], on_event: Emit
) -> Base | None:
    """The image of an archive; None, with the reason noted, when it is none for us."""
    reference = archives.reference(archive, BOOTSTRAPPED)
    if found := archives.find(engine, archive, reference):
        on_event(Notice(f"base {reference}: is already made of {archive.place}"))
        return Base(reference, found.id)
    on_event(Notice(f"base {reference}: unpacking {archive.place}{_instead(reasons)}"))
    labels = {BASE_LABEL: archive.release}
    try:
        made = archives.load(engine, archive, reference, site, labels=labels, on_event=on_event)
    except (InputError, NetworkError) as error:
        reasons.extend(error.messages)
        on_event(Notice(f"base {reference}: cannot be made of it ({error.messages[0].what})"))
        return None
    return Base(reference, made.id)


def _bootstrapped(
    engine: Engine, os: Os, site: Site, reasons: list[Message], on_event: Emit
) -> Base:
    """A root of the release, imported; the one that is there when it would be the same."""
    made_by, reference = recipe(catalogue.os_releases()[os.id], site), _root(os)
    try:
        there = images.find(engine, reference)
        # There is one here only when something fresh was asked for.
        if there and _is_current(there.labels, made_by, site):
            on_event(Notice(f"base {reference}: {made_by.archive} still has what it was made of"))
            return Base(reference, there.id)
        what = f"bootstrapping {os.suite} from the apt mirror{_instead(reasons)}"
        on_event(Notice(f"base {reference}: {what}"))
        labels = {BASE_LABEL: os.id}
        made = bootstrap.bootstrap(engine, made_by, reference, labels=labels, on_event=on_event)
    except ImagekitError as error:
        raise EngineError([*reasons, *error.messages]) from error
    return Base(reference, made.id)


def _is_current(labels: Mapping[str, str], made_by: Recipe, site: Site) -> bool:
    """Whether a root that is there is the one that its mirror would give now."""
    origin = labels.get(bootstrap.ORIGIN_LABEL)
    if not origin or not made_by.index:
        return False
    return origin == made_by.origin(fetch.small(made_by.index, site))


def _instead(reasons: list[Message]) -> str:
    return " instead" if reasons else ""


def _left_out(os: Os, policy: str) -> Message:
    """Why there was nothing to try."""
    if policy == "local":
        hint = "docker load it, or base: {policy: any}"
        what = "is not in the engine, and the site allows no other"
    elif policy == "archive" and _is_plain(os):
        what = f"the site allows archives only, and names none of {os.id}"
        hint = f"base: {{archives: {{{os.id}: …}}}}, or base: {{policy: any}}"
    else:
        made = {"bootstrap": "bootstrapped bases", "archive": "archives"}[policy]
        what = f"holds more than {os.id} itself, and the site allows {made} only"
        hint = "base: {policy: any}"
    return Message(f"base {os.image}", what, hint)
