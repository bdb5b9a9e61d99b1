"""What profiles were at a revision of a git repository: their contexts, as rendered then.

A repository that holds imagekit itself (its code and its templates) is rendered by the
code of that revision; in any other one, only profiles change, and this imagekit renders them.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import imagekit
from imagekit.context import Context, ContextFile
from imagekit.document import quote
from imagekit.errors import InputError, Message

_WHERE = "--changed-since"


@dataclass(frozen=True, slots=True)
class Checkout:
    """The files of a revision in a folder that is gone afterwards.

    Attributes:
        top: where the repository's top is.
        here: the folder there that stands for the working folder.
    """

    top: Path
    here: Path

    @property
    def code(self) -> Path:
        """The folder of the ``imagekit`` package that renders these files."""
        own = self.top / "imagekit" / "__main__.py"
        if own.is_file() and (self.top / "templates").is_dir():
            return self.top
        return Path(imagekit.__file__).resolve().parent.parent


@contextmanager
def checkout(revision: str) -> Iterator[Checkout]:
    """The files of a revision of the repository that the working folder is in.

    Neither the working tree nor git's index is touched.

    Raises:
        InputError: there is no git, no repository, or no such revision.
    """
    if revision.startswith("-"):
        raise _unknown(revision)
    top, prefix = (_git("rev-parse", option) for option in ("--show-toplevel", "--show-prefix"))
    try:
        commit = _git("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    except InputError as error:
        raise _unknown(revision) from error
    with tempfile.TemporaryDirectory(prefix="imagekit-") as folder:
        root = Path(folder)
        archive = root / "archive"
        _git("-C", top, "archive", "--format=tar", f"--output={archive}", commit)
        files = root / "files"
        with tarfile.open(archive) as packed:
            # Links may point anywhere in a repository. Debian 12's Python 3.11.2 knows no
            # filters, and git itself allows no path that leads outside.
            packed.extraction_filter = getattr(tarfile, "tar_filter", None)
            packed.extractall(files)  # noqa: S202
        here = files / prefix
        here.mkdir(parents=True, exist_ok=True)
        yield Checkout(files, here)


def contexts(then: Checkout, profiles: Iterable[str]) -> Mapping[str, Context | None]:
    """The contexts of profiles at that time; None for what could not be rendered then."""
    asked = list(profiles)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(asked, pool.map(lambda name: _context(then, name), asked), strict=True))


def changes(now: Context, then: Context | None) -> tuple[str, ...]:
    """Paths that differ between two contexts, in order; ``()`` when they are equal."""
    before = {file.path: file for file in then.files} if then else {}
    after = {file.path: file for file in now.files}
    paths = sorted(before.keys() | after.keys())
    return tuple(path for path in paths if before.get(path) != after.get(path))


def _context(then: Checkout, profile: str) -> Context | None:
    """Render by the command line, the one interface that all revisions share."""
    with tempfile.TemporaryDirectory(prefix="imagekit-") as folder:
        out = Path(folder) / "context"
        # An absolute path would lead out of the checkout, to the file as it is now.
        file = os.path.relpath(profile) if Path(profile).is_absolute() else profile
        command = [sys.executable, "-m", "imagekit", "render", file, "-o", str(out)]
        done = subprocess.run(
            command,
            cwd=then.here,
            env={**os.environ, "PYTHONPATH": str(then.code)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
        return _read(out) if done.returncode == 0 else None


def _read(folder: Path) -> Context:
    """A context that was written to a folder."""
    return Context(
        tuple(
            ContextFile(
                path.relative_to(folder).as_posix(),
                path.read_bytes(),
                executable=bool(path.stat().st_mode & 0o100),
            )
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        )
    )


def _git(*arguments: str) -> str:
    """What git answers, without the line end.

    Raises:
        InputError: it is not there, or refuses.
    """
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        what = "git is not installed"
        raise InputError(Message(_WHERE, what, "apt-get install git")) from error
    if done.returncode:
        said = " ".join(done.stderr.split()).removeprefix("fatal: ")
        what = f"git {arguments[0]}: {said or f'exit code {done.returncode}'}"
        raise InputError(Message(_WHERE, what, "run it inside the repository of the profiles"))
    return done.stdout.strip()


def _unknown(revision: str) -> InputError:
    hint = "a commit, branch or tag; in CI, fetch the whole history (fetch-depth: 0)"
    return InputError(Message(_WHERE, f"{quote(revision)} is no revision here", hint))
