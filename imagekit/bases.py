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

_KEYRINGS = {"debian": "/usr/share/keyrings/debian-archive-keyring.gpg"}


@dataclass(frozen=True, slots=True)
class Base:
    """A base image that the engine has. ``reference`` is what ``FROM`` is told."""

    reference: str
    image_id: str


def obtain(engine: Engine, os: Os, site: Site, *, fresh: bool, on_event: Emit) -> Base:
    """Have the base image of an operating system release in the engine.

    Sources in order: an image that is already there, the registry, and a root made by
    debootstrap from an apt mirror. The first that works is used, and events say why the
    ones before it were not.

    Args:
        engine: where the image has to be.
        os: the release.
        site: names the apt mirror.
        fresh: leave out what is already there.
        on_event: told of what takes time or was not to be expected.

    Raises:
        EngineError: no source worked; the message holds every reason.
    """
    local = f"{BOOTSTRAPPED}:{os.id}"
    if not fresh:
        for reference in (os.image, local):
            if found := images.find(engine, reference):
                return Base(reference, found.id)
    reasons: list[Message] = []
    try:
        on_event(Notice(f"base {os.image}: pulling"))
        return Base(os.image, images.pull(engine, os.image, on_event).id)
    except NetworkError as error:
        reasons.extend(error.messages)
        why = error.messages[0].what
        on_event(Notice(f"base {os.image}: cannot be pulled ({why})"))
    try:
        on_event(Notice(f"base {local}: bootstrapping {os.suite} from the apt mirror instead"))
        family = catalogue.os_releases()[os.id].bootstrap
        made = bootstrap.bootstrap(
            engine,
            suite=os.suite,
            keyring=_KEYRINGS[family],
            ref=local,
            mirror=f"{site.apt}/{family}" if site.apt else "",
            labels={BASE_LABEL: os.id},
            on_event=on_event,
        )
    except ImagekitError as error:
        reasons.extend(error.messages)
        raise EngineError(reasons) from error
    return Base(local, made.id)
