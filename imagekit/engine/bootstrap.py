"""A base image made on this host from an apt mirror, for when no registry has one.

The mirror's signature is checked; nothing of this host goes into the image but the
mirror's address.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from imagekit import atomic
from imagekit.engine import debootstrap
from imagekit.engine.aptsources import first_mirror, host_mirror, one_line_sources, sources
from imagekit.engine.connection import Engine
from imagekit.engine.debootstrap import search_path
from imagekit.engine.images import ImageFacts, import_root
from imagekit.engine.keyrings import keyring as find_keyring
from imagekit.engine.process import output
from imagekit.errors import EngineError, InputError, Message
from imagekit.events import Emit, Notice, ignore

ORIGIN_LABEL = "dev.imagekit.base.origin"
"""The label whose value is a base's ``origin``."""

# Counts what we do to a root after the archive's packages, such as cleaning: a base of
# another version is not what this one would make.
_VERSION = 1

# Left from this host, or rebuilt by the next apt; relative to the root.
_LEFTOVERS = (
    "etc/resolv.conf",
    "etc/hostname",
    "etc/apt/sources.list",
    "var/lib/dbus/machine-id",
    "var/cache/ldconfig/aux-cache",
)
_EMPTIED = ("var/lib/apt/lists", "var/cache/apt", "var/log", "var/cache/debconf", "tmp", "run")
_LOGIN_RECORDS = {"btmp", "faillog", "lastlog", "wtmp"}  # login programs expect these files
_MOUNTED = ("./dev/*", "./proc/*", "./sys/*")  # an engine fills these itself
_COMPRESSION = {".gz": "--gzip", ".xz": "--xz", ".zst": "--zstd"}  # by a file's suffix; tar(1)


@dataclass(frozen=True, slots=True)
class Recipe:
    """A minimal Debian or Ubuntu, and how to get its packages.

    Attributes:
        suite: the release's code name, for instance ``bookworm``.
        family: ``debian`` or ``ubuntu``.
        one_line: write the apt sources in the one-line style, as older releases have them,
            and not as deb822.
        mirror: the archive; empty for the one this host uses, else the program's own.
        environment: variables for the programs, such as proxies.
    """

    suite: str
    family: str = "debian"
    one_line: bool = False
    mirror: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def archive(self) -> str:
        """The archive's address; empty when only the program that makes the root knows it."""
        return (self.mirror or host_mirror(self.family)).rstrip("/")

    @property
    def index(self) -> str:
        """Where the archive, if it is known, says what it holds; the text is signed."""
        return self.archive and f"{self.archive}/dists/{self.suite}/InRelease"

    def origin(self, index: bytes) -> str:
        """What identifies a base of this recipe: the same text, the same base.

        Args:
            index: what the archive says at ``index``. It names every package list by its
                digest, so it changes whenever any package does.
        """
        digest = hashlib.sha256(index).hexdigest()
        parts = (str(_VERSION), self.archive, self.suite, str(self.one_line), digest)
        return f"sha256:{hashlib.sha256(chr(10).join(parts).encode()).hexdigest()}"


def bootstrap(
    engine: Engine,
    recipe: Recipe,
    ref: str,
    *,
    labels: Mapping[str, str] = {},
    on_event: Emit = ignore,
) -> ImageFacts:
    """Make a base and import it as an image.

    Args:
        engine: where the image goes; it may be far away.
        recipe: what to make.
        ref: the image's name.
        labels: the image's labels, beside the one that says its origin.
        on_event: told of the phases.

    Raises:
        EngineError: not root, a program or the archive's keys are missing, or it failed.
        NetworkError: the mirror cannot be reached, or its signature is wrong.
        InputError: the suite is no code name.
    """
    with _root(recipe, ref, on_event) as (root, origin):
        on_event(Notice(f"{ref}: importing it into the engine"))
        said = {**labels, ORIGIN_LABEL: origin}
        return import_root(engine, _tar(root), ref, labels=said, changes=('CMD ["/bin/bash"]',))


def write(recipe: Recipe, file: Path, on_event: Emit = ignore) -> str:
    """Make a base and write its root as an archive, complete or not at all.

    Args:
        recipe: what to make.
        file: compressed when its name ends in ``.gz``, ``.xz`` or ``.zst``.
        on_event: told of the phases.

    Returns:
        The file's sha256, 64 hex digits.

    Raises:
        EngineError: as ``bootstrap`` does.
        NetworkError: likewise.
        InputError: likewise, or the file cannot be written.
    """
    digest = hashlib.sha256()
    try:
        with atomic.written(file) as target, _root(recipe, file.name, on_event) as (root, _):
            for chunk in _tar(root, _COMPRESSION.get(file.suffix, "")):
                digest.update(chunk)
                target.write(chunk)
    except OSError as error:
        what = f"cannot be written: {error.strerror}"
        raise InputError(Message(str(error.filename or file), what)) from error
    return digest.hexdigest()


@contextmanager
def _root(recipe: Recipe, name: str, on_event: Emit) -> Iterator[tuple[Path, str]]:
    """A clean root in a folder that goes away, and its origin."""
    _check(recipe.suite)
    what = f"{recipe.family.title()} {recipe.suite}"
    source = recipe.archive or "its mirror"
    on_event(Notice(f"{name}: making {what} with {debootstrap.program()} from {source}"))
    with _folder() as folder:
        root = folder / "root"
        (folder / "keys").mkdir()
        keys = find_keyring(recipe.family, folder / "keys", recipe.environment)
        order = debootstrap.Order(recipe.suite, recipe.family, recipe.archive, keys, root)
        debootstrap.make(order, recipe.environment, on_event)
        # Both programs leave what they checked the signature of.
        (index,) = root.glob(f"var/lib/apt/lists/*_dists_{recipe.suite}_InRelease")
        used = replace(recipe, mirror=recipe.archive or first_mirror(root))
        origin = used.origin(index.read_bytes())
        _clean(root)
        _write_sources(root, used)
        yield root, origin


def _check(suite: str) -> None:
    """Raise unless everything that is needed is here."""
    if not re.fullmatch(r"[a-z][a-z0-9.-]*", suite):
        raise InputError(Message("suite", f"{suite!r} is no release's code name", "e.g. bookworm"))
    where = f"bootstrap of {suite}"
    if os.geteuid() != 0:
        raise EngineError(
            Message(where, "needs root, for chroot", "run with sudo, or pull or load a base image")
        )
    if not debootstrap.program():
        what = f"neither {' nor '.join(debootstrap.PROGRAMS)} is installed"
        raise EngineError(Message(where, what, f"apt-get install {debootstrap.PROGRAMS[0]}"))
    if shutil.which("gpgv", path=search_path()) is None:
        raise EngineError(Message(where, "gpgv is not installed", "apt-get install gpgv"))


@contextmanager
def _folder() -> Iterator[Path]:
    """A private folder, removed afterwards whatever happens.

    In /var/tmp by default, because /tmp is often small and mounted ``nodev``.
    """
    place = os.environ.get("TMPDIR") or "/var/tmp"  # noqa: S108 - mkdtemp's name is not guessable
    folder = Path(tempfile.mkdtemp(prefix="imagekit-", dir=place))
    try:
        yield folder
    finally:
        # the programs mount in a namespace of their own, so nothing can be mounted here;
        # but deleting through a mounted /dev would hurt the host, so look.
        if str(folder) in Path("/proc/self/mountinfo").read_text(encoding="utf-8"):
            raise EngineError(Message(str(folder), "has mounts left and is not removed"))
        shutil.rmtree(folder)


def _clean(root: Path) -> None:
    """Leave nothing of this host and no caches."""
    for path in _LEFTOVERS:
        (root / path).unlink(missing_ok=True)
    for name in _EMPTIED:
        for folder, _, files in os.walk(root / name):
            for file in files:
                if file in _LOGIN_RECORDS:
                    os.truncate(Path(folder) / file, 0)
                else:
                    (Path(folder) / file).unlink()
    for old in (*(root / "var/lib/dpkg").glob("*-old"), *(root / "etc").glob("*-")):
        old.unlink()
    machine_id = root / "etc/machine-id"
    if machine_id.is_file():
        machine_id.write_bytes(b"")


def _write_sources(root: Path, recipe: Recipe) -> None:
    """Write the package sources in the place and the style that the official images have."""
    archive, suite, family = recipe.archive, recipe.suite, recipe.family
    if recipe.one_line:
        text = one_line_sources(archive, suite, family)
        (root / "etc/apt/sources.list").write_text(text, encoding="utf-8")
        return
    names = (f"usr/share/keyrings/{family}-archive-keyring.{suffix}" for suffix in ("pgp", "gpg"))
    signed_by = next((f"/{name}" for name in names if (root / name).exists()), "")
    target = root / f"etc/apt/sources.list.d/{family}.sources"
    target.write_text(sources(archive, suite, family, signed_by), encoding="utf-8")


def _tar(root: Path, *options: str) -> Iterator[bytes]:
    """The archive of ``root`` in pieces, without what an engine mounts itself."""
    excludes = (f"--exclude={pattern}" for pattern in _MOUNTED)
    how = ("--numeric-owner", "--sort=name", *filter(None, options), *excludes)
    return output(["tar", *how, "-C", str(root), "-c", "."])
