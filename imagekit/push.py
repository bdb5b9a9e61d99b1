"""An image of the engine becomes an image of registries, and each name is proved there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial

from imagekit import bases, tagging, targets
from imagekit.engine import distribution, images, logins
from imagekit.engine.connection import Engine
from imagekit.engine.patience import PATIENCE, Patience, persist
from imagekit.engine.refusals import RegistryError, refusal
from imagekit.engine.upload import upload
from imagekit.errors import EngineError, Message, NetworkError
from imagekit.events import Emit, Notice
from imagekit.site import Site
from imagekit.targets import Destination, Target

_ANOTHER_WRITER = "something else writes this tag; the tag with the image's id is never moved"


@dataclass(frozen=True, slots=True)
class Pushed:
    """A name that the registry was seen to have, with this image behind it.

    Attributes:
        reference: registry, repository and tag, as they were pushed.
        digest: ``sha256:…`` of the manifest.
        sent: whether anything was sent; otherwise the registry had it already.
    """

    reference: str
    digest: str
    sent: bool

    @property
    def pinned(self) -> str:
        """The name with its digest, which cannot become another image; what verbs print."""
        return f"{self.reference}@{self.digest}"


def push(  # noqa: PLR0913 - what, where to, and how; each is a value of its own
    engine: Engine,
    image: images.ImageFacts,
    wanted: Iterable[Target],
    site: Site,
    on_event: Emit,
    *,
    patience: Patience = PATIENCE,
) -> Iterator[Pushed]:
    """Push an image to all targets, whatever becomes of some of them.

    In each repository the tag that is never overwritten comes first, and the others follow
    once the registry was seen to have it.

    Args:
        engine: where the image is.
        image: the image.
        wanted: where to push it (``targets.wanted``).
        site: its ``registries`` say what stands in for a registry.
        on_event: told of each transfer as one step, and of what is tried again.
        patience: how long to go on with a registry that fails for the moment.

    Yields:
        Each name as soon as it is proved.

    Raises:
        NetworkError: some of it failed; with everything that did, after all was tried.
        EngineError: the engine failed, which ends it all.
        WorkFailedError: the image does not say what a target's word means.
        InputError: a target is no name for this image.
    """
    today = datetime.now(timezone.utc).date()
    known = {**tagging.words(image.labels, today), tagging.IMAGE: tagging.short_id(image.id)}
    pusher = _Pusher(engine, image.id, on_event, patience)
    problems: list[Message] = []
    for destination in targets.destinations(wanted, known):
        try:
            yield from pusher.push(_through(destination, site))
        except EngineError as error:
            raise EngineError([*problems, *error.messages]) from error
        except NetworkError as error:
            problems.extend(error.messages)
    if problems:
        raise NetworkError(problems)


def _through(destination: Destination, site: Site) -> Destination:
    """The destination with what the site says stands in for its registry."""
    (repository, *_) = bases.references(destination.repository, site.registries)
    return Destination(repository, destination.fixed, destination.moving)


@dataclass(frozen=True, slots=True)
class _Pusher:
    """Pushes one image."""

    engine: Engine
    image_id: str
    on_event: Emit
    patience: Patience

    def push(self, destination: Destination) -> Iterator[Pushed]:
        """Push all tags of a destination, or stop at the first that fails."""
        host = logins.registry_of(destination.repository)
        for tag in (destination.fixed, *destination.moving):
            one = partial(self._one, destination.repository, tag, fixed=tag == destination.fixed)
            yield persist(one, host, self.patience, self.on_event)

    def _one(self, repository: str, tag: str, *, fixed: bool) -> Pushed:
        """Push one tag, unless the registry has it already."""
        ref = f"{repository}:{tag}"
        there = self._look(ref)
        if there and self._is_ours(repository, there, fixed=fixed):
            self.on_event(Notice(f"{ref}: is there already"))
            return Pushed(ref, there, sent=False)
        if there and fixed:
            hint = "it is never overwritten; remove it there if it is wrong"
            raise RegistryError(Message(ref, f"the tag holds another image ({there})", hint))
        images.tag(self.engine, self.image_id, [ref])
        said = upload(self.engine, ref, self.on_event, idle=self.patience.idle)
        self._prove(ref, said)
        return Pushed(ref, said, sent=True)

    def _look(self, ref: str) -> str:
        """The digest that the registry has; empty for none, and where we may not look.

        Docker Hub denies to show a repository that a push would make. Who may push but not
        pull is told by the proof.
        """
        try:
            return distribution.digest(self.engine, ref)
        except RegistryError as error:
            if error.denied:
                return ""
            raise

    def _is_ours(self, repository: str, digest: str, *, fixed: bool) -> bool:
        """Whether a manifest is that of the image; for moving tags only if that costs nothing."""
        if fixed:
            return self._has_content(repository, digest)
        found = images.find(self.engine, self.image_id)
        return found is not None and digest in found.digests

    def _has_content(self, repository: str, digest: str) -> bool:
        """Whether a manifest is that of the image; the engine may have to fetch it.

        Raises:
            RegistryError: the registry failed for the moment.
            NetworkError: it does not give it.
        """
        try:
            return images.has_content(self.engine, repository, digest, self.image_id)
        except NetworkError as error:
            # A pull's failure says no more than its words.
            failed = refusal(f"{repository}@{digest}", error.messages[0].what)
            if failed.transient:
                raise failed from error
            raise

    def _prove(self, ref: str, said: str) -> None:
        """See that the registry has what the engine says, and that it is the image.

        Raises:
            RegistryError: it has something else, or nothing.
            EngineError: the engine's image is another one.
        """
        found = images.find(self.engine, self.image_id)
        if found is None or said not in found.digests:
            what = f"the engine says it pushed {said}, which is not {self.image_id}"
            raise EngineError(Message(self.engine.where, what))
        there = distribution.digest(self.engine, ref)
        if not there:
            what = f"{said} was pushed, and the registry does not have it"
            raise RegistryError(Message(ref, what), transient=True)
        if there != said:
            what = f"{said} was pushed, and the registry has {there}"
            raise RegistryError(Message(ref, what, _ANOTHER_WRITER))
