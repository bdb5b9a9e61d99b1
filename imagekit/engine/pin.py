"""A name that makes BuildKit build on the very image that an engine has.

With the containerd image store, BuildKit asks the registry of a name first, even for an
image that is there, and takes what that has now (``image-resolve-mode=default``; moby,
``daemon/internal/builder-next/builder.go``; moby/buildkit, ``util/resolver/pool.go``). The
build would wait for a registry that nobody reaches, or stand on another image than the one
found; and a name without a host is Docker Hub's, where it may be anybody's. An id alone is
taken for a name, too. The classic store takes what is there by itself.
"""

from __future__ import annotations

from imagekit.engine import images, platforms
from imagekit.engine.connection import Engine

LOCAL = "localhost/"
"""What names begin with that are nobody else's."""

PINNED = f"{LOCAL}imagekit/from"
"""Repository of the names that are given here; their tags are of the images' ids."""


def pin(engine: Engine, reference: str, image_id: str, platform: str = "") -> str:
    """What ``FROM`` is told of an image. Where it needs a further name it keeps that.

    Args:
        engine: where it is.
        reference: a name of it there.
        image_id: its id, ``sha256:…``.
        platform: what is built for, normalized; empty for the engine's own. An image of
            another platform is left to the registry.

    Raises:
        EngineError: the image is gone, or the engine refused.
    """
    if engine.store != "containerd" or reference.startswith(LOCAL):
        return reference
    found = images.demand(engine, image_id)
    if platform and found.architecture != platforms.architecture(platform):
        return reference
    name = f"{PINNED}:{found.id.removeprefix('sha256:')[:12]}"
    images.tag(engine, found.id, [name])
    return name
