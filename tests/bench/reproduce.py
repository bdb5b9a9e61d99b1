"""Builds a profile twice from one lock, and says what differs: `python -m tests.bench.reproduce`.

Both builds run every step: a file that differs lies where steps see it, and no cache is
emptied that others use. With SOURCE_DATE_EPOCH in the environment, both are told it.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import sys
import tarfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import IO, Any

from imagekit import build, profile, site
from imagekit.context import ContextFile
from imagekit.engine.connection import Engine, connect
from imagekit.events import ignore
from imagekit.lock import file, freeze, record
from imagekit.plan.resolve import resolve

Facts = tuple[str, ...]


@dataclass(frozen=True)
class Image:
    """A saved image: its configuration, and for each layer its files' facts and times."""

    config: dict[str, Any]
    layers: list[dict[str, tuple[Facts, int]]]
    digests: list[str]


def main(name: str) -> None:
    """Lock, build twice, compare."""
    engine, place = connect(), site.load()
    plan = resolve(profile.load(name))
    written = os.environ.get("SOURCE_DATE_EPOCH")
    epoch = int(written) if written else None
    first = build.build(engine, plan, place, build.Options(), ignore)
    lock = record.record(engine, plan, first, place, ignore)
    images = []
    for _ in range(2):
        frozen = freeze.freeze(engine, plan, lock, place, ignore)
        data = uuid.uuid4().bytes
        nonces = (ContextFile(f"build/{folder}/nonce", data) for folder in ("base", "python"))
        held = replace(frozen, files=(*frozen.files, *nonces))
        built = build.build(engine, plan, place, build.Options(frozen=held, epoch=epoch), ignore)
        freeze.prove(engine, plan, built.image_id, lock)
        images.append(saved(engine, built.image_id))
    digest = hashlib.sha256(file.dump(lock).encode()).hexdigest()
    say(f"engine {engine.version} ({engine.store}), epoch {epoch}, lock {digest[:12]}")
    compare(*images)


def say(text: str) -> None:
    """A line on stdout."""
    sys.stdout.write(f"{text}\n")


def saved(engine: Engine, image_id: str) -> Image:
    """Everything of an image."""
    data = io.BytesIO(b"".join(engine.client.images.get(image_id).save()))
    with tarfile.open(fileobj=data) as archive:

        def read(path: str) -> IO[bytes]:
            found = archive.extractfile(path)
            assert found is not None
            return found

        manifest = json.load(read("manifest.json"))[0]
        config = json.load(read(manifest["Config"]))
        layers = []
        for path in manifest["Layers"]:
            with tarfile.open(fileobj=read(path)) as layer:
                layers.append(dict(members(layer)))
    return Image(config, layers, config["rootfs"]["diff_ids"])


def members(layer: tarfile.TarFile) -> Iterator[tuple[str, tuple[Facts, int]]]:
    """A layer's paths, and what is there; the time apart from the rest."""
    for member in layer:
        content = layer.extractfile(member) if member.isfile() else None
        digest = hashlib.sha256(content.read()).hexdigest() if content else ""
        facts = (str(member.type), oct(member.mode), f"{member.uid}:{member.gid}")
        yield member.name, ((*facts, member.linkname, digest), int(member.mtime))


def compare(one: Image, other: Image) -> None:
    """Print what differs."""
    keys = [key for key in one.config if one.config[key] != other.config.get(key)]
    say(f"configuration: {', '.join(keys) or 'equal'}")
    equal = sum(a == b for a, b in zip(one.digests, other.digests, strict=True))
    say(f"layers: {equal} of {len(one.digests)} equal")
    times = total = 0
    for left, right in zip(one.layers, other.layers, strict=True):
        total += len(left)
        for path in sorted({*left, *right}):
            if path not in left or path not in right or left[path][0] != right[path][0]:
                say(f"  differs: {path}")
            elif left[path][1] != right[path][1]:
                times += 1
    say(f"times differ: {times} of {total} paths")


if __name__ == "__main__":
    main(*sys.argv[1:])
