"""What is written beside an image for machines: what is in it, and where it comes from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from imagekit import contents, provenance, sbom
from imagekit.build import Built, Frozen, context_of
from imagekit.contents import Contents, Deb, Dist
from imagekit.engine import images
from imagekit.engine.connection import Engine
from imagekit.errors import Message, WorkFailedError
from imagekit.lock import file
from imagekit.lock import record as locking
from imagekit.lock import rows as rows_of
from imagekit.lock.model import Lock, LockedBase, Row
from imagekit.plan.model import Plan
from imagekit.provenance import Material
from imagekit.sbom import Described

# https://cyclonedx.org/specification/overview/, "Recognized file patterns"
_SBOM = ".cdx.json"
_PROVENANCE = ".provenance.json"


@dataclass(frozen=True, slots=True)
class Records:
    """The texts of an image's records, ``sbom`` and ``provenance``, both JSON."""

    sbom: str
    provenance: str

    def write(self, folder: Path, profile: str) -> tuple[Path, Path]:
        """Write ``PROFILE.cdx.json`` and ``PROFILE.provenance.json``; their paths.

        Raises:
            WorkFailedError: the folder cannot be written to.
        """
        paths = (folder / f"{profile}{_SBOM}", folder / f"{profile}{_PROVENANCE}")
        for path, text in zip(paths, (self.sbom, self.provenance), strict=True):
            try:
                path.write_text(text, "utf-8")
            except OSError as error:
                what = f"cannot be written: {error.strerror}"
                raise WorkFailedError(Message(str(path), what)) from error
        return paths


def of_image(
    engine: Engine,
    plan: Plan,
    built: Built,
    *,
    frozen: Frozen | None = None,
    lock: Lock | None = None,
) -> Records:
    """Look into a built image and describe it.

    Args:
        engine: where it is.
        plan: what it was built from.
        built: what the build returned.
        frozen: what the build was held to.
        lock: what was locked, before or after; gives the packages their checksums.

    Raises:
        WorkFailedError: the image cannot be looked into.
        EngineError: the engine cannot do it.
    """
    whole = contents.read(engine, built.image_id)
    created = images.demand(engine, built.image_id).created
    described = Described(plan.profile, plan.digest, built.image_id, _time(created))
    base = locking.locked_base(engine, plan, built.base)
    materials = [
        _base_material(base, built.base.image_id),
        provenance.context_material(context_of(plan, frozen)),
        *([_lock_material(lock)] if lock else ()),
    ]
    names = dict.fromkeys(built.tags, built.image_id)
    return Records(
        sbom=sbom.document(described, whole, dict(_sums(lock, whole)) if lock else {}),
        provenance=provenance.statement(plan, names, materials, engine_version=engine.version),
    )


def _time(text: str) -> datetime:
    """The engine's RFC 3339 text to the second; it gives nine digits of them, Python reads six."""
    return datetime.fromisoformat(text[:19] or "1970-01-01T00:00:00").replace(tzinfo=timezone.utc)


def _sums(lock: Lock, whole: Contents) -> Iterator[tuple[Deb | Dist, str]]:
    """Packages whose file is known, with its checksum."""
    rows = {row.name: row for row in (*lock.apt, *lock.foreign)}
    for deb in whole.debs:
        yield from _sum(deb, rows.get(rows_of.deb(deb, whole.architecture).name))
    rows = {row.name: row for row in lock.python}
    for dist in whole.dists:
        yield from _sum(dist, rows.get(dist.name))


def _sum(package: Deb | Dist, row: Row | None) -> Iterator[tuple[Deb | Dist, str]]:
    if row and row.version == package.version and len(row.sha256) == 1:
        yield package, row.sha256[0]


def _base_material(base: LockedBase, image_id: str) -> Material:
    """The base by its manifest's digest, or by its id where it comes from no registry."""
    digits = (base.digest or image_id).removeprefix("sha256:")
    url = sbom.image_url(base.image, base.digest) if base.digest else ""
    return Material(base.image, (("sha256", digits),), url)


def _lock_material(lock: Lock) -> Material:
    digits = hashlib.sha256(file.dump(lock).encode()).hexdigest()
    return Material(f"{lock.profile}{file.SUFFIX}", (("sha256", digits),))
