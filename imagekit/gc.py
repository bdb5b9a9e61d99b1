"""What imagekit left in an engine: found with a reason each, and removed.

Only what carries imagekit's labels, or a name that only imagekit gives, is looked at. Volumes
with a name are never touched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from imagekit import names
from imagekit.bases import BASE_LABEL
from imagekit.engine import inventory
from imagekit.engine.connection import Engine
from imagekit.engine.images import ImageFacts
from imagekit.engine.inventory import Holding, Usage
from imagekit.engine.pin import PINNED
from imagekit.errors import WorkFailedError
from imagekit.names import RUN_LABEL
from imagekit.run.person import PERSON_LABEL

KEPT_PLANS = 2
"""How many plans of a profile keep their image: today's, and the one to go back to."""

RUN_SECONDS = 2 * 60 * 60
"""After this time the container of a smoke test, or of a look into an image, is stray; a run of
all checks takes minutes."""

LAST_STEP = 'ENTRYPOINT ["/usr/lib/imagekit/init"]'
"""The end of every Dockerfile of ours. Images that people build on ours, or commit from their
containers, inherit our labels but end with a step of their own."""

CACHE_CAP = 50_000_000_000
"""Bytes of build cache that may stay, when nothing else is said: a few CUDA images' worth."""


# Repositories whose names nobody but imagekit gives, what such an image is, and why it goes
# when it has no other name.
_OWN_NAMES = (
    (PINNED, "base", "its own name is gone, or a newer one has it"),
    (names.ANSWERS, "lock", "was left by a lock that did not end"),
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to look for.

    Attributes:
        profiles: only what belongs to these, and the cache only if ``cache_cap`` is given;
            empty for everything.
        registry: registry and namespace that the site tags images for, or empty.
        cache_cap: bytes of build cache that may stay; None leaves the cache alone.
        run_seconds: how old the container of a run is before it is stray.
    """

    profiles: frozenset[str] = frozenset()
    registry: str = ""
    cache_cap: int | None = None
    run_seconds: float = RUN_SECONDS


@dataclass(frozen=True, slots=True)
class Item:
    """Something of imagekit's, and whether it goes.

    Attributes:
        kind: ``image``, ``container``, ``network`` or ``cache``.
        id: the engine's id; empty for the cache.
        name: how people know it.
        goes: whether it is to be removed.
        reason: why it goes, or why it stays.
        size: bytes. An image's layers may be shared with others; 0 where nobody counts.
        remove: does it; raises ``WorkFailedError`` when the engine refuses.
    """

    kind: str
    id: str
    name: str
    goes: bool
    reason: str
    size: int
    remove: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Survey:
    """What there is, and the bytes before anything was removed."""

    items: tuple[Item, ...]
    usage: Usage


def survey(engine: Engine, wanted: Wanted) -> Survey:
    """Look, and decide about each; nothing is changed.

    Raises:
        EngineError: the engine cannot be asked.
    """
    containers = inventory.containers(engine)
    used = inventory.usage(engine)
    items = [
        *_stray_containers(engine, containers, wanted),
        *_images(engine, containers, wanted),
        *_looks(engine, containers, wanted),
    ]
    if not wanted.profiles:
        items += _stray_networks(engine, wanted)
        items += _bases(engine, containers)
        for repository, what, why in _OWN_NAMES:
            items += _nameless(engine, containers, repository, what, why)
    if wanted.cache_cap is not None:
        items.append(_cache(engine, used.cache, wanted.cache_cap))
    return Survey(tuple(items), used)


def sweep(items: Iterable[Item]) -> Iterator[tuple[Item, str]]:
    """Remove what goes, one by one.

    Yields:
        each with the engine's reason why it could not be removed; empty when it was.

    Raises:
        EngineError: the engine is gone.
    """
    for item in items:
        if not item.goes:
            continue
        try:
            item.remove()
        except WorkFailedError as error:
            yield item, error.messages[0].what
        else:
            yield item, ""


def verdicts(
    found: Iterable[ImageFacts], kept: Mapping[str, str], registry: str = ""
) -> Iterator[tuple[ImageFacts, bool, str]]:
    """Decide about images of profiles.

    Args:
        found: images with the labels of a profile and a plan.
        kept: ids of images that something needs, with the reason.
        registry: as in ``Wanted``.

    Yields:
        each image, newest first within its profile, whether it goes, and why.
    """
    plans: dict[str, list[str]] = {}
    for image in sorted(found, key=_rank, reverse=True):
        profile, plan = image.labels[names.PROFILE_LABEL], image.labels[names.PLAN_LABEL]
        newer = plans.setdefault(profile, [])
        again = plan in newer
        if not again:
            newer.append(plan)
        foreign = [tag for tag in image.tags if not _is_ours(tag, profile, plan, registry)]
        if image.id in kept:
            yield image, False, kept[image.id]
        elif foreign:
            yield image, False, f"has a name of yours: {' '.join(foreign)}"
        elif again:
            yield image, True, "the same plan was built again"
        elif len(newer) <= KEPT_PLANS:
            yield image, False, "newest" if len(newer) == 1 else "the one before"
        else:
            yield image, True, f"superseded by {len(newer) - 1} newer plans"


def _rank(image: ImageFacts) -> tuple[str, bool, str]:
    """The order of a profile's images.

    The one that is called ``latest`` is the newest whatever its time: a profile that was put
    back to what it was gets its old image from the cache.
    """
    profile = image.labels[names.PROFILE_LABEL]
    latest = f"{names.REPOSITORY}/{profile}:latest" in image.tags
    return profile, latest, image.created.removesuffix("Z")


def _is_ours(tag: str, profile: str, plan: str, registry: str) -> bool:
    """Whether a build or a push gave this name by itself."""
    repository, _, name = tag.rpartition(":")
    if repository == PINNED:
        return True
    ours = {f"{prefix}/{profile}" for prefix in (names.REPOSITORY, registry) if prefix}
    short = plan[:12]
    return repository in ours and (name in {"latest", short} or name.startswith(f"{short}-"))


def _images(engine: Engine, containers: Iterable[Holding], wanted: Wanted) -> Iterator[Item]:
    kept = {container.image: "a container uses it" for container in containers}
    ours: list[ImageFacts] = []
    for image in inventory.labelled_images(engine, names.PROFILE_LABEL):
        profile = image.labels[names.PROFILE_LABEL]
        if names.PLAN_LABEL not in image.labels:
            continue
        if wanted.profiles and profile not in wanted.profiles:
            continue
        steps = inventory.steps(engine, image.id)
        if any(step.made_by.endswith(LAST_STEP) for step in steps[:1]):
            ours.append(image)
        else:
            for step in steps[1:]:
                kept.setdefault(step.image, "somebody's image stands on it")
            reason = "somebody made it from an image of ours"
            yield _image(engine, image, profile, False, reason)
    for image, goes, reason in verdicts(ours, kept, wanted.registry):
        yield _image(engine, image, image.labels[names.PROFILE_LABEL], goes, reason)


def _looks(engine: Engine, containers: Iterable[Holding], wanted: Wanted) -> Iterator[Item]:
    """Images that ``build --before`` made for a look; the build cache makes them again."""
    used = {container.image for container in containers}
    looks = f"{names.REPOSITORY}/*:{names.BEFORE}*"
    for image in inventory.named_images(engine, looks):
        repositories = {tag.partition(f":{names.BEFORE}")[0] for tag in image.tags}
        profiles = {name.removeprefix(f"{names.REPOSITORY}/") for name in repositories}
        if any(f":{names.BEFORE}" not in tag for tag in image.tags):
            continue
        if wanted.profiles and not profiles <= wanted.profiles:
            continue
        goes = image.id not in used
        reason = "was built for a look into a failure" if goes else "a container uses it"
        yield _image(engine, image, "look", goes, reason)


def _nameless(
    engine: Engine, containers: Iterable[Holding], repository: str, what: str, why: str
) -> Iterator[Item]:
    """Images with no name but those of a repository of ours, and ``why`` they go.

    Those of profiles are judged by their plans.
    """
    used = {container.image for container in containers}
    for image in inventory.named_images(engine, f"{repository}:*"):
        others = any(not tag.startswith(f"{repository}:") for tag in image.tags)
        if others or names.PROFILE_LABEL in image.labels:
            continue
        goes = image.id not in used
        yield _image(engine, image, what, goes, why if goes else "a container uses it")


def _bases(engine: Engine, containers: Iterable[Holding]) -> Iterator[Item]:
    """Bases that imagekit bootstrapped and a newer one took the name of.

    What was built on one has its label, too, but more steps than the import.
    """
    used = {container.image for container in containers}
    for image in inventory.labelled_images(engine, BASE_LABEL):
        if image.tags or image.id in used:
            continue
        if len(inventory.steps(engine, image.id)) == 1:
            base = f"base {image.labels[BASE_LABEL]}"
            yield _image(engine, image, base, True, "bootstrapped again since")


def _image(engine: Engine, image: ImageFacts, what: str, goes: bool, reason: str) -> Item:
    """An image as an item; ``what`` stands in for a name when it has none."""
    name = " ".join(image.tags) or f"{what} {image.id.removeprefix('sha256:')[:12]}"
    remove = partial(inventory.remove_image, engine, image)
    return Item("image", image.id, name, goes, reason, image.size, remove)


def _stray_containers(
    engine: Engine, containers: Iterable[Holding], wanted: Wanted
) -> Iterator[Item]:
    for found in containers:
        profile = found.labels.get(names.PROFILE_LABEL, "")
        if RUN_LABEL not in found.labels or PERSON_LABEL in found.labels:
            continue
        if wanted.profiles and profile not in wanted.profiles:
            continue
        goes, reason = _of_a_run(found, wanted.run_seconds)
        remove = partial(inventory.remove_container, engine, found)
        yield Item("container", found.id, found.name, goes, reason, 0, remove)


def _stray_networks(engine: Engine, wanted: Wanted) -> Iterator[Item]:
    for found in inventory.networks(engine, RUN_LABEL):
        goes, reason = _of_a_run(found, wanted.run_seconds)
        remove = partial(inventory.remove_network, engine, found)
        yield Item("network", found.id, found.name, goes, reason, 0, remove)


def _of_a_run(found: Holding, limit: float) -> tuple[bool, str]:
    minutes = max(0, round(found.age / 60))
    if found.age < limit:
        return False, f"of a run that may still go on: {minutes} min old"
    return True, f"left by a run {minutes} min ago"


def _cache(engine: Engine, size: int, cap: int) -> Item:
    over = size - cap
    reason = "within the cap" if over <= 0 else "over the cap; what was not used for longest goes"

    def remove() -> None:
        inventory.prune_cache(engine, cap)

    return Item("cache", "", "build cache", over > 0, reason, max(over, 0), remove)
