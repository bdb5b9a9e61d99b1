"""What an engine holds by a label: listed, measured, and removed without force.

The engine's own refusals are the last safeguard: what came into use after it was listed stays.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import docker.errors

from imagekit.engine import images
from imagekit.engine.connection import Engine
from imagekit.engine.faults import in_words, shorten
from imagekit.engine.images import ImageFacts
from imagekit.errors import Message, WorkFailedError
from imagekit.wait import Deadline, NotYetError, until

_COUNT_SECONDS = 30
_PRUNE_SECONDS = 600  # one request, and the engine deletes many gigabytes before it answers


@dataclass(frozen=True, slots=True)
class Holding:
    """A container or a network.

    Attributes:
        id: the engine's id.
        name: its name.
        labels: its labels; a container has its image's, too.
        age: seconds since it was created, by the engine's clock.
        image: a container's image id; empty for a network.
    """

    id: str
    name: str
    labels: Mapping[str, str]
    age: float
    image: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """A step of an image's history.

    Attributes:
        image: id of the image that it ended with, when the engine still needs that one.
        made_by: the instruction, or the command of a committed container.
    """

    image: str
    made_by: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Bytes on the engine's disk, everybody's.

    Attributes:
        images: all image layers, each counted once.
        cache: build cache that is not part of an image.
    """

    images: int
    cache: int


def labelled_images(engine: Engine, label: str) -> tuple[ImageFacts, ...]:
    """All images with a label, those without a name among them."""
    return _found(engine, {"label": label})


def named_images(engine: Engine, pattern: str) -> tuple[ImageFacts, ...]:
    """All images with a name that fits a pattern, for instance ``lab/*:old-*``."""
    return _found(engine, {"reference": pattern})


def _found(engine: Engine, filters: dict[str, str]) -> tuple[ImageFacts, ...]:
    with in_words(engine.where):
        listed = engine.client.api.images(filters=filters, quiet=True)
    found = (images.find(engine, image) for image in dict.fromkeys(listed))
    return tuple(image for image in found if image is not None)


def steps(engine: Engine, image_id: str) -> tuple[Step, ...]:
    """The steps that made an image, the last one first, as the engine's history has them."""
    with in_words(engine.where):
        try:
            history = engine.client.api.history(image_id)  # type: ignore[no-untyped-call]
        except docker.errors.NotFound:
            return ()
    return tuple(Step(str(step["Id"]), str(step["CreatedBy"])) for step in history)


def containers(engine: Engine) -> tuple[Holding, ...]:
    """All containers, running or not."""
    with in_words(engine.where):
        now = _now(engine)
        listed = engine.client.api.containers(all=True)
    return tuple(
        Holding(
            id=item["Id"],
            name=(item["Names"] or [item["Id"][:12]])[0].lstrip("/"),
            labels=item["Labels"] or {},
            age=now - item["Created"],
            image=item["ImageID"],
        )
        for item in listed
    )


def networks(engine: Engine, label: str) -> tuple[Holding, ...]:
    """All networks with a label."""
    with in_words(engine.where):
        now = _now(engine)
        listed = engine.client.api.networks(filters={"label": label})
    return tuple(
        Holding(item["Id"], item["Name"], item["Labels"] or {}, now - _seconds(item["Created"]))
        for item in listed
    )


def usage(engine: Engine) -> Usage:
    """What the engine counts (``GET /system/df``); takes a moment on a full disk."""

    def count() -> dict[str, Any]:
        try:
            return dict(engine.client.df())
        except docker.errors.NotFound as error:
            # Engine 28 with the containerd store answers so when somebody removes or
            # builds something while it counts.
            raise NotYetError(str(error.explanation)) from error

    with in_words(engine.where):
        counted = until(count, Deadline.after(_COUNT_SECONDS))
    # From API 1.52 on the totals have objects of their own
    # (https://docs.docker.com/reference/api/engine/version-history/).
    if "BuildCacheUsage" in counted or "ImageUsage" in counted:
        return Usage(
            int((counted.get("ImageUsage") or {}).get("TotalSize") or 0),
            int((counted.get("BuildCacheUsage") or {}).get("TotalSize") or 0),
        )
    records = counted.get("BuildCache") or ()
    cache = sum(int(record["Size"]) for record in records if not record["Shared"])
    return Usage(int(counted.get("LayersSize") or 0), cache)


def remove_container(engine: Engine, container: Holding) -> None:
    """Remove a container, running or not, with the volumes that have no name.

    Raises:
        WorkFailedError: the engine refuses.
    """
    with _refusals(engine, container.name):
        engine.client.api.remove_container(container.id, v=True, force=True)


def remove_network(engine: Engine, network: Holding) -> None:
    """Remove a network that nothing is connected to.

    Raises:
        WorkFailedError: the engine refuses.
    """
    with _refusals(engine, network.name):
        engine.client.api.remove_network(network.id)


def remove_image(engine: Engine, image: ImageFacts) -> None:
    """Take an image's names away and with the last of them the image.

    One that cannot be removed gets the names back that it lost.

    Raises:
        WorkFailedError: a container uses it, it has another name by now, or the engine
            refuses for its own reasons.
    """
    name = image.tags[0] if image.tags else image.id
    # With several names the engine would take one after the other away whatever uses
    # the image, and refuse at the last one only.
    if any(container.image == image.id for container in containers(engine)):
        raise WorkFailedError(Message(name, "a container uses it now"))
    found = images.find(engine, image.id)
    if found is not None and not set(found.tags) <= set(image.tags):
        raise WorkFailedError(Message(name, f"it has more names now: {' '.join(found.tags)}"))
    taken: list[str] = []
    try:
        for reference in image.tags or (image.id,):
            current = images.find(engine, reference)
            if current is None or current.id != image.id:
                continue  # a build has moved this name on, or somebody was faster
            with _refusals(engine, name):
                engine.client.api.remove_image(reference, force=False)
            taken.append(reference)
        if images.find(engine, image.id) is not None:
            with _refusals(engine, name):
                engine.client.api.remove_image(image.id, force=False)
    except WorkFailedError:
        images.tag(engine, image.id, [reference for reference in taken if reference != image.id])
        raise


def prune_cache(engine: Engine, cap: int) -> None:
    """Have the engine remove the build cache that was not used for longest, down to a size.

    ``POST /build/prune``; the size is ``keep-storage`` up to API 1.47 and ``reserved-space``
    and ``max-used-space`` from 1.48 on
    (https://docs.docker.com/reference/api/engine/version-history/).

    Args:
        engine: whose cache, everybody's.
        cap: bytes that may stay; 0 is sent as 1, as no size would mean no limit.

    Raises:
        WorkFailedError: the engine refuses, for instance while another one prunes.
    """
    api = engine.client.api
    size = str(max(cap, 1))
    asked = {"keep-storage": size, "reserved-space": size, "max-used-space": size}
    with in_words(engine.where):
        answer = api.post(
            f"{api.base_url}/v{engine.api_version}/build/prune",
            params=asked,
            timeout=_PRUNE_SECONDS,
        )
    if answer.status_code >= 400:
        raise WorkFailedError(Message("build cache", shorten(answer.text)))


@contextmanager
def _refusals(engine: Engine, where: str) -> Iterator[None]:
    """Let what is gone be gone, and tell an engine's refusal from an engine that is away."""
    with in_words(engine.where):
        try:
            yield
        except docker.errors.NotFound:
            return
        except docker.errors.APIError as error:
            text = shorten(str(error.explanation or error))
            raise WorkFailedError(Message(where, text)) from error


def _now(engine: Engine) -> float:
    """The engine's clock, seconds since 1970."""
    return _seconds(engine.client.info()["SystemTime"])


def _seconds(text: str) -> float:
    """RFC 3339 in seconds since 1970; fractions of a second are left out."""
    whole, _, rest = text.partition(".")
    zone = rest.lstrip("0123456789") if rest else ""
    return datetime.fromisoformat((whole + zone).replace("Z", "+00:00")).timestamp()
