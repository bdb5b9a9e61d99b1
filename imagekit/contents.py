"""What is in an image, as its package managers know it: dpkg, pip and the like, conda.

Read from their own records, so that nothing has to be asked of a program in the image:
dpkg's status file (https://manpages.debian.org/bookworm/dpkg-dev/deb822.5.en.html), the
``.dist-info`` and ``.egg-info`` folders of Python
(https://packaging.python.org/en/latest/specifications/recording-installed-packages/) and
conda's ``conda-meta``
(https://docs.conda.io/projects/conda-build/en/stable/resources/package-spec.html).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import PurePosixPath

from imagekit.engine import inside
from imagekit.engine.connection import Engine

_STATUS = "var/lib/dpkg/status"
_INSTALLED = "install ok installed"
# What dpkg has of Python is dpkg's: https://www.debian.org/doc/packaging-manuals/python-policy/
_DEBIANS_PYTHON = "usr/lib/python3/dist-packages"

# Paths without the leading slash, with a zero byte behind each.
_SCRIPT = rf"""find . -xdev \( -path ./proc -o -path ./sys -o -path ./{_DEBIANS_PYTHON} \) -prune \
    -o -type f \( -path ./{_STATUS} -o -path ./usr/lib/os-release -o -path '*/conda-meta/*.json' \
    -o -path '*.dist-info/METADATA' -o -path '*.dist-info/WHEEL' -o -path '*.egg-info/PKG-INFO' \
    -o -path '*.egg-info' \) -print0"""


@dataclass(frozen=True, slots=True, order=True)
class Deb:
    """A package of dpkg's; ``name``, ``version`` and ``architecture`` as dpkg writes them."""

    name: str
    architecture: str
    version: str
    source: str = ""


@dataclass(frozen=True, slots=True, order=True)
class Dist:
    """A Python distribution that no other package manager brought.

    Attributes:
        folder: its ``site-packages``, absolute.
        name: normalised, as https://peps.python.org/pep-0503/#normalized-names has it.
        version: as its metadata say.
        tags: the tags of the wheel that it came from, sorted; none when that is not known.
        license: an SPDX expression, or empty where it says none.
    """

    folder: str
    name: str
    version: str
    tags: tuple[str, ...] = ()
    license: str = ""


@dataclass(frozen=True, slots=True, order=True)
class Conda:
    """A package of a conda environment.

    Attributes:
        prefix: the environment's folder, absolute.
        name: its name.
        version: its version.
        build: the build string.
        channel: the channel's name, such as ``conda-forge``, never its address.
        subdir: for instance ``linux-64``.
        sha256: of the package's file, or empty.
    """

    prefix: str
    name: str
    version: str
    build: str
    channel: str
    subdir: str
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Contents:
    """All packages of an image, sorted.

    Attributes:
        system: the release's ``ID`` of os-release(5), such as ``debian``.
        release: its ``VERSION_ID``, such as ``12``.
        debs: dpkg's packages.
        dists: Python's distributions.
        condas: conda's packages.
    """

    system: str
    release: str
    debs: tuple[Deb, ...]
    dists: tuple[Dist, ...]
    condas: tuple[Conda, ...]

    @property
    def architecture(self) -> str:
        """Dpkg's own architecture; empty where there is no dpkg."""
        return next((deb.architecture for deb in self.debs if deb.name == "dpkg"), "")


def read(engine: Engine, image: str) -> Contents:
    """Look into an image.

    Args:
        engine: where the image is.
        image: reference or id.

    Raises:
        WorkFailedError: the image cannot be looked into.
        EngineError: the engine cannot do it.
    """
    return parse(inside.packed(engine, image, _SCRIPT))


def parse(files: dict[str, bytes]) -> Contents:
    """The packages that records tell of; ``files`` are contents by path without ``/`` before."""
    texts = {path: data.decode("utf-8", "replace") for path, data in files.items()}
    release = _assignments(texts.get("usr/lib/os-release", ""))
    owned: set[str] = set()
    condas = sorted(_condas(texts, owned))
    return Contents(
        system=release.get("ID", "linux"),
        release=release.get("VERSION_ID", ""),
        debs=tuple(sorted(_debs(texts.get(_STATUS, "")))),
        dists=tuple(sorted(set(_dists(texts, owned)))),
        condas=tuple(condas),
    )


def normalised(name: str) -> str:
    """A Python distribution's name in the one spelling that is compared."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _assignments(text: str) -> dict[str, str]:
    """os-release(5): NAME=value, in quotes or without."""
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {name: value.strip("\"'") for name, _, value in pairs}


def _debs(status: str) -> Iterator[Deb]:
    for paragraph in status.split("\n\n"):
        fields = dict(re.findall(r"^([A-Za-z-]+): (.*)$", paragraph, re.MULTILINE))
        if fields.get("Status") == _INSTALLED:
            # "Source: glibc (2.36-9)" where the source's version is another
            source = fields.get("Source", "").partition(" ")[0]
            yield Deb(fields["Package"], fields["Architecture"], fields["Version"], source)


def _condas(texts: dict[str, str], owned: set[str]) -> Iterator[Conda]:
    """Conda's packages; what they have of Python is added to ``owned``."""
    for path, text in texts.items():
        file = PurePosixPath(path)
        if file.parent.name != "conda-meta" or file.suffix != ".json":
            continue
        record = json.loads(text)
        prefix = file.parent.parent
        owned.update(str(prefix / name) for name in record.get("files", ()))
        yield Conda(
            prefix=f"/{prefix}",
            name=record["name"],
            version=record["version"],
            build=record.get("build", ""),
            channel=_channel(str(record.get("channel", "")), str(record.get("subdir", ""))),
            subdir=record.get("subdir", ""),
            sha256=record.get("sha256") or "",
        )


def _channel(address: str, subdir: str) -> str:
    """``https://mirror.example.edu/cloud/conda-forge/linux-64`` is ``conda-forge``."""
    path = address.rstrip("/").removesuffix(f"/{subdir}")
    below = re.search(r"/(pkgs/[^/]+)$", path)
    return below[1] if below else path.rpartition("/")[2]


def _dists(texts: dict[str, str], owned: Iterable[str]) -> Iterator[Dist]:
    others = frozenset(owned)
    for path, text in texts.items():
        file = PurePosixPath(path)
        record = file if file.suffix == ".egg-info" else file.parent
        if path in others or record.suffix not in {".dist-info", ".egg-info"}:
            continue
        if file.name == "WHEEL":
            continue
        metadata = HeaderParser().parsestr(text)
        if metadata["Name"] and metadata["Version"]:
            wheel = HeaderParser().parsestr(texts.get(str(record / "WHEEL"), ""))
            yield Dist(
                folder=f"/{record.parent}",
                name=normalised(str(metadata["Name"])),
                version=str(metadata["Version"]),
                tags=tuple(sorted(map(str, wheel.get_all("Tag", ())))),
                license=str(metadata["License-Expression"] or ""),
            )
