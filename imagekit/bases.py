"""Where a plan's base image comes from: here, a registry, or an apt mirror."""

from __future__ import annotations

from dataclasses import dataclass

from imagekit import catalogue
from imagekit.engine import bootstrap, images
from imagekit.engine.connection import Engine
from imagekit.errors import EngineError, ImagekitError, Message, NetworkError
from imagekit.events import Emit, Notice
from imagekit.plan.model import Os
from imagekit.site import Site

BOOTSTRAPPED = "imagekit/base"
BASE_LABEL = "dev.imagekit.base"

_DOCKER_HUB = "docker.io"


@dataclass(frozen=True, slots=True)
class Base:
    """A base image that the engine has. ``reference`` is what ``FROM`` is told."""

    reference: str
    image_id: str


def obtain(engine: Engine, os: Os, site: Site, *, fresh: bool, on_event: Emit) -> Base:
    """Have the base image of a plan in the engine.

    Sources in order: an image that is already there, its registry (or what the site names
    in its place), and a root made by debootstrap from an apt mirror. The first that works
    is used, and events say why the ones before it were not. The site's ``base_policy``
    leaves sources out: ``pull`` takes the registry's image alone, ``bootstrap`` the root
    alone, ``local`` only what is there.

    Args:
        engine: where the image has to be.
        os: the release, and the image that the plan stands on.
        site: names mirrors of registries and of apt's archive, and the policy.
        fresh: leave out what is already there, unless nothing else is allowed.
        on_event: told of what takes time or was not to be expected.

    Raises:
        EngineError: no source worked; the message holds every reason.
    """
    policy = site.base_policy
    remote = () if policy == "bootstrap" else references(os.image, site.registries)
    root = "" if policy == "pull" else _root(os)
    if not fresh or policy == "local":
        original = () if policy == "bootstrap" else (os.image,)
        for reference in filter(None, dict.fromkeys((*original, *remote, root))):
            if found := images.find(engine, reference):
                return Base(reference, found.id)
    reasons: list[Message] = []
    if policy != "local":
        for reference in remote:
            if base := _pulled(engine, reference, reasons, on_event):
                return base
        if root:
            return _bootstrapped(engine, os, site, reasons, on_event)
    raise EngineError(reasons or [_left_out(os, policy)])


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


def _root(os: Os) -> str:
    """Our own name of the release's root, where it can stand in for the plan's image.

    It cannot for an image that holds more, such as CUDA.
    """
    return f"{BOOTSTRAPPED}:{os.id}" if os.image == catalogue.os_releases()[os.id].image else ""


def _pulled(engine: Engine, reference: str, reasons: list[Message], on_event: Emit) -> Base | None:
    """The image from its registry; None, with the reason noted, when that has none for us."""
    on_event(Notice(f"base {reference}: pulling"))
    try:
        return Base(reference, images.pull(engine, reference, on_event).id)
    except NetworkError as error:
        reasons.extend(error.messages)
        on_event(Notice(f"base {reference}: cannot be pulled ({error.messages[0].what})"))
        return None


def _bootstrapped(
    engine: Engine, os: Os, site: Site, reasons: list[Message], on_event: Emit
) -> Base:
    """A root of the release, imported."""
    release = catalogue.os_releases()[os.id]
    reference = _root(os)
    on_event(Notice(f"base {reference}: bootstrapping {os.suite} from the apt mirror instead"))
    try:
        made = bootstrap.bootstrap(
            engine,
            suite=os.suite,
            ref=reference,
            family=release.family,
            one_line=release.sources == "one-line",
            mirror=f"{site.apt}/{release.family}" if site.apt else "",
            labels={BASE_LABEL: os.id},
            on_event=on_event,
        )
    except ImagekitError as error:
        raise EngineError([*reasons, *error.messages]) from error
    return Base(reference, made.id)


def _left_out(os: Os, policy: str) -> Message:
    """Why there was nothing to try."""
    if policy == "bootstrap":
        what = f"holds more than {os.id} itself, and the site allows bootstrapped bases only"
        return Message(f"base {os.image}", what, "base: {policy: any}")
    hint = "docker load it, or base: {policy: any}"
    return Message(f"base {os.image}", "is not in the engine, and the site allows no other", hint)
