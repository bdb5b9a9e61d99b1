"""What is done with images that were built: locked, pushed, described."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from imagekit import atomic, metadata
from imagekit.build import Built
from imagekit.engine import images
from imagekit.engine.connection import Engine
from imagekit.errors import ImagekitError, Message, WorkFailedError
from imagekit.events import Emit
from imagekit.lock import file as lock_file
from imagekit.lock.model import Lock
from imagekit.plan.model import Plan
from imagekit.push import Pushed, push
from imagekit.several import Outcome
from imagekit.targets import Target

Show = Callable[[str], AbstractContextManager[Emit]]
"""Gives an ``Emit`` for work that is about a profile."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for.

    Attributes:
        targets: where to push; none for nowhere.
        file: the metadata file, or None.
        locks: what builds were held to, by profile.
        version: imagekit's own.
    """

    targets: tuple[Target, ...]
    file: Path | None
    locks: Mapping[str, Lock]
    version: str


@dataclass(frozen=True, slots=True)
class Finished:
    """What came of it: files that were written, names that were pushed, what failed."""

    files: tuple[Path, ...]
    pushed: tuple[Pushed, ...]
    errors: tuple[ImagekitError, ...]


def finish(
    engine: Engine,
    outcomes: Sequence[Outcome],
    lock_paths: Sequence[Path | None],
    wanted: Wanted,
    show: Show,
) -> Finished:
    """Lock and push each image that is there, and describe them when all of it worked.

    Args:
        engine: where the images are.
        outcomes: what became of the builds.
        lock_paths: for each of them the lock file to write, or None.
        wanted: what else to do.
        show: shows what goes on.
    """
    files: list[Path] = []
    pushed: list[Pushed] = []
    errors: list[ImagekitError] = []
    locks = dict(wanted.locks)
    builds: list[tuple[Outcome, Built]] = []
    for outcome, path in zip(outcomes, lock_paths, strict=True):
        built = outcome.result
        if not isinstance(built, Built):
            continue
        try:
            if path is not None:
                locks[outcome.job.plan.profile] = _lock(engine, outcome, built, path, show)
                files.append(path)
            if wanted.targets:
                # One by one: what was proved before a failure is there.
                for each in _push(engine, outcome, built, wanted.targets, show):
                    pushed.append(each)
            builds.append((outcome, built))
        except ImagekitError as error:
            errors.append(error)
    if wanted.file is not None and len(builds) == len(outcomes):
        try:
            # One by one, as above.
            for file in _describe(engine, builds, wanted.file, locks, wanted.version):
                files.append(file)
        except ImagekitError as error:
            errors.append(error)
    return Finished(tuple(files), tuple(pushed), tuple(errors))


def _lock(engine: Engine, outcome: Outcome, built: Built, path: Path, show: Show) -> Lock:
    """Write the lock file of an image."""
    from imagekit.lock import record  # noqa: PLC0415 (slow import)

    job = outcome.job
    with show(job.plan.profile) as on_event:
        lock = record.record(engine, job.plan, built, job.site, on_event)
    try:
        with atomic.written(path) as file:
            file.write(lock_file.dump(lock).encode())
    except OSError as error:
        raise WorkFailedError(Message(str(path), f"cannot be written: {error.strerror}")) from error
    return lock


def _push(
    engine: Engine, outcome: Outcome, built: Built, wanted: tuple[Target, ...], show: Show
) -> Iterator[Pushed]:
    """Push an image; each name as soon as it is proved."""
    facts = images.demand(engine, built.image_id)
    with show(outcome.job.plan.profile) as on_event:
        yield from push(engine, facts, wanted, outcome.job.site, on_event)


def _describe(
    engine: Engine,
    builds: Sequence[tuple[Outcome, Built]],
    file: Path,
    locks: Mapping[str, Lock],
    version: str,
) -> Iterator[Path]:
    """Write the metadata file, and each image's records beside it; each once it is there."""
    from imagekit import records  # noqa: PLC0415 (slow import)

    described: list[tuple[Plan, Built]] = []
    for outcome, built in builds:
        plan, frozen = outcome.job.plan, outcome.job.options.frozen
        made = records.of_image(engine, plan, built, frozen=frozen, lock=locks.get(plan.profile))
        yield from made.write(file.parent, plan.profile)
        # A push has brought it some.
        digests = images.demand(engine, built.image_id).repo_digests
        described.append((plan, replace(built, digests=digests)))
    metadata.write(file, metadata.describe(described, engine, version))
    yield file
