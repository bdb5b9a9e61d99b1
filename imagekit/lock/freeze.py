"""A lock becomes what a build is held to, and the result is compared with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from imagekit import bases, contents, names
from imagekit.bases import Base
from imagekit.build import Frozen
from imagekit.contents import Contents
from imagekit.context import ContextFile
from imagekit.engine import images
from imagekit.engine.connection import Engine
from imagekit.engine.failures import BuildFailedError
from imagekit.errors import Message, WorkFailedError
from imagekit.events import Emit
from imagekit.lock import rows as rows_of
from imagekit.lock.model import Lock, LockedBase, Row
from imagekit.plan.model import Plan
from imagekit.render import frozen_scripts
from imagekit.site import Site

_DRIFT = "imagekit: apt drift: "
_SHOWN = 20  # differences; more say nothing new


def freeze(engine: Engine, plan: Plan, lock: Lock, site: Site, on_event: Emit) -> Frozen:
    """Have the locked base, and make the files that steps obey.

    Args:
        engine: where to build.
        plan: the plan that the lock was made for.
        lock: as ``imagekit.lock.file.load`` read it.
        site: names mirrors of registries, and the policy for bases.
        on_event: told when the base is fetched.

    Raises:
        WorkFailedError: the base is another one by now.
        EngineError: no source has the base.
    """
    return Frozen(_base(engine, plan, lock.base, site, on_event), files(lock))


def files(lock: Lock) -> tuple[ContextFile, ...]:
    """What makes the steps of a context take what a lock has."""
    python = (
        f"{row.name}=={row.version} {' '.join(f'--hash=sha256:{digits}' for digits in row.sha256)}"
        for row in lock.python
    )
    conda = (
        f'{prefix} {row.name}[version="=={row.version}",build="{row.variant}"]'
        for prefix, rows in lock.conda
        for row in rows
    )
    lists = (
        _list("base/frozen/apt", map(_deb, lock.apt)),
        _list("base/frozen/foreign", map(_deb, lock.foreign)),
        _list("python/frozen/python", python),
        *((_list("python/frozen/conda", conda),) if lock.conda else ()),
    )
    return (*frozen_scripts(), *lists)


def drift(error: BuildFailedError, plan: Plan) -> WorkFailedError:
    """The error of a frozen build, in words of its own where apt's archive has moved on.

    ``templates/frozen/apt.sh`` says so a line a package; of many, the step's log has all.
    """
    lines = [line.partition(_DRIFT)[2] for line in error.log_tail if line.startswith(_DRIFT)]
    if not lines:
        return error
    hint = f"imagekit build {plan.profile} --lock takes what the mirror has now"
    *first, last = (f"apt drift: {line}" for line in lines)
    return WorkFailedError(
        [
            *(Message(plan.profile, what) for what in first),
            Message(plan.profile, last, hint),
        ]
    )


def prove(engine: Engine, plan: Plan, image: str, lock: Lock) -> None:
    """Compare a built image with the lock that it was held to.

    Raises:
        WorkFailedError: something else is in it; with each difference.
        EngineError: the engine cannot do it.
    """
    found = list(differences(plan, lock, contents.read(engine, image)))
    if found:
        more = [f"and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
        raise WorkFailedError(Message("frozen build", what) for what in (*found[:_SHOWN], *more))


def differences(plan: Plan, lock: Lock, whole: Contents) -> Iterator[str]:
    """What of an image is not as it is locked, in words."""
    # Without checksums: the build was held to those, and an image does not have them.
    rows = {
        "apt": (
            (*lock.apt, *lock.foreign),
            tuple(rows_of.deb(deb, whole.architecture) for deb in whole.debs),
        ),
        "python": (
            lock.python,
            tuple(map(rows_of.dist, rows_of.environment(plan, whole))),
        ),
    }
    locked, found = dict(lock.conda), dict(rows_of.condas(whole))
    for prefix in sorted({*locked, *found}):
        rows[f"conda {prefix}"] = (locked.get(prefix, ()), found.get(prefix, ()))
    for kind, (wanted, present) in rows.items():
        yield from _compare(kind, wanted, present)


def _compare(kind: str, wanted: tuple[Row, ...], present: tuple[Row, ...]) -> Iterator[str]:
    locked, found = dict(map(_said, wanted)), dict(map(_said, present))
    for name in sorted({*locked, *found}):
        if locked.get(name) != found.get(name):
            was = f"locked {locked[name]}" if name in locked else "not locked"
            yield f"{kind} {name}: {was}, the image has {found.get(name, 'none')}"


def _said(row: Row) -> tuple[str, str]:
    return row.name, f"{row.version} {row.variant}".strip()


def _base(engine: Engine, plan: Plan, locked: LockedBase, site: Site, on_event: Emit) -> Base:
    """The base with the locked layers: what is here, or from its registry by its digest."""
    for reference in bases.known_as(plan.os, site):
        here = images.find(engine, reference)
        if here and here.layers == locked.layers:
            return Base(reference, here.id)
    repository, _, _ = names.split(plan.os.image)
    pinned = f"{repository}@{locked.digest}" if locked.digest else plan.os.image
    system = replace(plan.os, image=pinned)
    base = bases.obtain(engine, system, site, fresh=False, on_event=on_event)
    if images.demand(engine, base.reference).layers != locked.layers:
        what = f"{base.reference} is not the image that was locked"
        hint = "docker load that one, or lock what there is now: imagekit build --lock"
        raise WorkFailedError(Message("base", what, hint))
    return base


def _deb(row: Row) -> str:
    name = row.name.partition(":")[0]
    return f"{name} {row.version} {row.variant} {next(iter(row.sha256), '-')}"


def _list(name: str, lines: Iterable[str]) -> ContextFile:
    text = "".join(f"{line}\n" for line in lines)
    return ContextFile(f"build/{name}", text.encode())
