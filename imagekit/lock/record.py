"""A built image becomes a lock: its packages, and the checksums of what they came from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from imagekit import bases, contents, names
from imagekit.bases import Base
from imagekit.build import Built
from imagekit.contents import Contents, Deb
from imagekit.engine import images
from imagekit.engine.connection import Engine
from imagekit.engine.images import ImageFacts
from imagekit.errors import Message, WorkFailedError
from imagekit.events import Emit, Notice
from imagekit.lock import checksums
from imagekit.lock import rows as rows_of
from imagekit.lock.checksums import Checksums
from imagekit.lock.model import Lock, LockedBase, plan_keys
from imagekit.plan.model import MOZILLA, Plan
from imagekit.site import Site

_SHOWN = 5  # names in a notice


def record(engine: Engine, plan: Plan, built: Built, site: Site, on_event: Emit) -> Lock:
    """Lock what is in an image.

    Args:
        engine: where the image is.
        plan: what it was built from.
        built: the image.
        site: how to get to the package indexes.
        on_event: told of the steps that ask these, and of what could not be built again.

    Raises:
        WorkFailedError: a package's checksum is not to be had.
        EngineError: the engine cannot do it.
    """
    whole = contents.read(engine, built.image_id)
    below = frozenset(contents.read(engine, built.base.image_id).debs)
    above = tuple(deb for deb in whole.debs if deb not in below)
    wanted = replace(whole, debs=above, dists=rows_of.environment(plan, whole))
    # The one name that stays with the plan.
    known = checksums.ask(engine, plan, built.tags[1], wanted, site, on_event=on_event)
    gone = _gone(plan, above, known)
    if gone:
        names = ", ".join(gone[:_SHOWN]) + (", …" if len(gone) > _SHOWN else "")
        on_event(
            Notice(
                f"the mirror no longer has {len(gone)} of the locked versions ({names}): a frozen "
                "build will fail; build with --no-cache, and lock that"
            )
        )
    return assemble(plan, locked_base(engine, plan, built.base), whole, below, known)


def locked_base(engine: Engine, plan: Plan, base: Base) -> LockedBase:
    """The base of a build, in words that hold in other engines."""
    found = images.demand(engine, base.image_id)
    # The containerd image store has a digest for what never was in a registry, too.
    made_here = base.reference.startswith(f"{bases.BOOTSTRAPPED}:")
    digest = "" if made_here else _digest(base.reference, found)
    return LockedBase(plan.os.image, digest, found.layers)


def _digest(reference: str, found: ImageFacts) -> str:
    """What its own registry knows an image by, else another one that has it; or nothing."""
    repository, _, pinned = names.split(reference)
    known = [names.split(name) for name in found.repo_digests]
    own = [digest for place, _, digest in known if place == repository]
    return pinned or min(own or found.digests, default="")


def assemble(
    plan: Plan, base: LockedBase, whole: Contents, below: frozenset[Deb], known: Checksums
) -> Lock:
    """The lock of what is known.

    Args:
        plan: what the image was built from.
        base: what it was built on.
        whole: what is in it.
        below: dpkg's packages in the base.
        known: checksums of all others.

    Raises:
        WorkFailedError: a checksum is missing.
    """
    above = [deb for deb in whole.debs if deb not in below]
    sums = {deb: known.of_deb(deb) for deb in above}
    rows = {deb: rows_of.deb(deb, whole.architecture, sums.get(deb, ())) for deb in whole.debs}
    foreign = _foreign(plan, above, known)
    lock = Lock(
        profile=plan.profile,
        plan=plan.digest,
        keys=plan_keys(plan),
        base=base,
        apt=tuple(row for deb, row in rows.items() if deb not in foreign),
        foreign=tuple(rows[deb] for deb in whole.debs if deb in foreign),
        python=tuple(
            rows_of.dist(dist, known.of_dist(dist)) for dist in rows_of.environment(plan, whole)
        ),
        conda=rows_of.condas(whole),
    )
    lacking = [deb.name for deb in above if not sums[deb]]
    lacking += [row.name for row in lock.python if not row.sha256]
    if lacking:
        hint = "build with --no-cache, and lock that"
        raise WorkFailedError(
            Message(f"{plan.profile}: {name}", "its checksum is nowhere to be had any more", hint)
            for name in lacking
        )
    return lock


def _foreign(plan: Plan, debs: Iterable[Deb], known: Checksums) -> frozenset[Deb]:
    """Packages of sources that one step alone can reach.

    Mozilla's, and NVIDIA's own: those of whose names the release's lists have nothing.
    """
    mozilla = frozenset(dict(plan.apt).get(MOZILLA, ()))
    found = [deb for deb in debs if deb.name in mozilla]
    if plan.cuda is not None and plan.cuda.source == "recipe":
        names = {name for name, _, _ in known.listed}
        found += (deb for deb in debs if deb.name not in names)
    return frozenset(found)


def _gone(plan: Plan, debs: Iterable[Deb], known: Checksums) -> list[str]:
    """Names of packages that are installed in a version that the lists do not have."""
    foreign = _foreign(plan, debs, known)
    return [
        deb.name for deb in debs if checksums.key(deb) not in known.listed and deb not in foreign
    ]
