"""What the files are that packages come from, asked where the build found them.

Neither dpkg nor pip keeps the checksum of what it installed. apt's lists have those of the
archive, its cache has the files, and Python's package index has its own. All of them are
within reach of build steps alone, which know the mirrors, certificates and proxies of the
place, so a build of a few steps asks, and its image of a few kilobytes holds the answers.
"""

from __future__ import annotations

import posixpath
import sys
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from urllib.parse import unquote, urlsplit

from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from imagekit import names, proxies
from imagekit.contents import Contents, Deb, Dist
from imagekit.context import ContextFile
from imagekit.engine import buildkit, images, inside
from imagekit.engine.connection import Engine
from imagekit.engine.pin import pin
from imagekit.errors import EngineError
from imagekit.events import Emit
from imagekit.plan.model import Plan
from imagekit.render import render_questions
from imagekit.site import Site

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Key: TypeAlias = tuple[str, str, str]
"""Name, version and architecture of one of dpkg's packages."""

_FOLDER = "/imagekit-lock"


@dataclass(frozen=True, slots=True)
class Checksums:
    """SHA-256 of files, in hexadecimal.

    Attributes:
        listed: by dpkg's name, version and architecture, what apt's lists have of the names
            that were asked for, in all versions.
        cached: the same of the files in apt's cache.
        dists: by a distribution's name and version, its files' names to their checksums.
    """

    listed: Mapping[Key, str]
    cached: Mapping[Key, str] = field(default_factory=dict)
    dists: Mapping[tuple[str, str], Mapping[str, str]] = field(default_factory=dict)

    def of_deb(self, deb: Deb) -> tuple[str, ...]:
        """The checksum of a package, or nothing; the file itself is the better witness."""
        found = self.cached.get(key(deb)) or self.listed.get(key(deb))
        return (found,) if found else ()

    def of_dist(self, dist: Dist) -> tuple[str, ...]:
        """That of the file with the installed wheel's tags; those of all, where none has them."""
        files = self.dists.get((dist.name, dist.version), {})
        tagged = {digits for name, digits in files.items() if _tags(name) == {*dist.tags}}
        return tuple(sorted(tagged or files.values()))


def ask(  # noqa: PLR0913 - what is asked for, and what a build has to be told
    engine: Engine, plan: Plan, image: str, wanted: Contents, site: Site, *, on_event: Emit
) -> Checksums:
    """Ask for the checksums of packages.

    Args:
        engine: where the image is.
        plan: what it was built from.
        image: a name of it.
        wanted: the packages of dpkg and of Python to ask for.
        site: how to get to the package indexes.
        on_event: told of the steps.

    Raises:
        WorkFailedError: an index has nothing of a version any more.
        EngineError: the engine cannot do it.
    """
    lists = (
        _list("apt", (" ".join(key(deb)) for deb in wanted.debs)),
        _list("python", (f"{dist.name}=={dist.version}" for dist in wanted.dists)),
    )
    answers = f"{names.ANSWERS}:{uuid.uuid4().hex}"
    pinned = pin(engine, image, images.demand(engine, image).id)
    try:
        buildkit.build(
            engine,
            render_questions(plan, lists),
            tags=[answers],
            secrets=site.build_secrets(),
            build_args={"IMAGE": pinned, **proxies.environment(site)},
            network=proxies.network(engine, site, on_event),
            on_event=on_event,
        )
        files = inside.copied(engine, answers, _FOLDER)
    except BaseException:
        # A build that failed may have named it already.
        with suppress(EngineError):
            if images.find(engine, answers) is not None:
                images.remove(engine, answers)
        raise
    images.remove(engine, answers)
    return parse({posixpath.basename(path): data.decode() for path, data in files.items()})


def parse(answers: Mapping[str, str]) -> Checksums:
    """What ``templates/lock/lock.sh`` wrote: contents by file name."""
    return Checksums(
        listed=dict(_debs(answers["listed"])),
        cached=dict(_debs(answers["cached"])),
        dists=_dists(tomllib.loads(answers.get("pylock.toml", ""))),
    )


def _list(name: str, lines: Iterable[str]) -> ContextFile:
    return ContextFile(f"build/lock/{name}", "".join(f"{line}\n" for line in lines).encode())


def key(deb: Deb) -> Key:
    """How checksums of a package are found."""
    return (deb.name, deb.version, deb.architecture)


def _debs(text: str) -> Iterator[tuple[Key, str]]:
    for line in text.splitlines():
        name, version, architecture, digits = line.split()
        yield (name, version, architecture), digits


def _dists(pylock: Mapping[str, Any]) -> dict[tuple[str, str], dict[str, str]]:
    """Files of a pylock.toml: https://peps.python.org/pep-0751/."""
    return {
        (package["name"], package["version"]): {
            _name(file): file["hashes"]["sha256"]
            for file in (*package.get("wheels", ()), package.get("sdist", {}))
            if "sha256" in file.get("hashes", {})
        }
        for package in pylock.get("packages", ())
    }


def _tags(name: str) -> set[str]:
    """The tags in a wheel's name; a source archive has none, and is no wheel of none."""
    try:
        return {str(tag) for tag in parse_wheel_filename(name)[3]}
    except InvalidWheelFilename:
        return {"source"}


def _name(file: Mapping[str, Any]) -> str:
    """A file's name, which may be left out where its address ends in it."""
    return str(file.get("name") or unquote(posixpath.basename(urlsplit(file["url"]).path)))
