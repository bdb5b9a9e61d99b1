"""Packages in an image as rows of a lock."""

from __future__ import annotations

from pathlib import PurePosixPath

from imagekit.contents import Contents, Deb, Dist
from imagekit.lock.model import Row
from imagekit.plan.model import Plan

# Where Python and its package managers look for what is installed.
_INSTALLED = frozenset({"site-packages", "dist-packages"})


def environment(plan: Plan, whole: Contents) -> tuple[Dist, ...]:
    """What is installed in the environment that sessions have on their PATH.

    What lies deeper was not installed but is carried by a package for itself, such as
    ``setuptools/_vendor``.
    """
    if plan.python is None:
        return ()
    folder = f"{plan.python.prefix}/"
    return tuple(
        dist
        for dist in whole.dists
        if dist.folder.startswith(folder) and PurePosixPath(dist.folder).name in _INSTALLED
    )


def deb(package: Deb, native: str, sha256: tuple[str, ...] = ()) -> Row:
    """One of dpkg's packages; ``native`` is the image's own architecture."""
    own = package.architecture in {"all", native}
    name = package.name if own else f"{package.name}:{package.architecture}"
    return Row(name, package.version, package.architecture, sha256)


def dist(package: Dist, sha256: tuple[str, ...] = ()) -> Row:
    """A Python distribution."""
    return Row(package.name, package.version, "", sha256)


def condas(whole: Contents) -> tuple[tuple[str, tuple[Row, ...]], ...]:
    """Conda's packages by environment."""
    return tuple(
        (
            prefix,
            tuple(
                Row(one.name, one.version, one.build, (one.sha256,) if one.sha256 else ())
                for one in whole.condas
                if one.prefix == prefix
            ),
        )
        for prefix in sorted({one.prefix for one in whole.condas})
    )
