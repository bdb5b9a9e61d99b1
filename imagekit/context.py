"""The build context: the Dockerfile and the files that are sent to an engine.

Equal contexts give equal bytes, wherever and whenever they are packed, so that
the engine's cache is hit and a rendered folder can be compared.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

DOCKERFILE = "Dockerfile"

# 2020-01-01T00:00:00Z. A fixed time, because BuildKit ignores a file's time when
# it looks for cached results but copies it into the image.
_MTIME = 1_577_836_800


@dataclass(frozen=True, slots=True, order=True)
class ContextFile:
    """A regular file of the context.

    Attributes:
        path: relative, with ``/`` between its parts.
        data: the content.
        executable: mode 0755 instead of 0644.
    """

    path: str
    data: bytes
    executable: bool = False

    @property
    def mode(self) -> int:
        """The permission bits."""
        return 0o755 if self.executable else 0o644


@dataclass(frozen=True, slots=True)
class Context:
    """The files of a build, the Dockerfile at ``Dockerfile`` among them, sorted by path."""

    files: tuple[ContextFile, ...]

    @property
    def dockerfile(self) -> str:
        """The Dockerfile's text."""
        return next(f.data for f in self.files if f.path == DOCKERFILE).decode()

    def tar(self, *, folders: bool = False) -> bytes:
        """The context as a tar archive: GNU format, owner 0:0, one fixed time.

        Never PAX: an engine takes an archive that begins with a PAX header for a
        Dockerfile and says ``unknown instruction: ././@PaxHeader`` (seen with Engine 20.10.24).

        Args:
            folders: whether folders have entries of their own. Without, whoever unpacks it
                makes them with the time of that, which BuildKit takes no notice of.
        """
        import tarfile  # noqa: PLC0415  (8 ms that rendering need not spend)

        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
            for folder in self._folders() if folders else ():
                info = tarfile.TarInfo(folder)
                info.type, info.mode, info.mtime = tarfile.DIRTYPE, 0o755, _MTIME
                archive.addfile(info)
            for file in self.files:
                info = tarfile.TarInfo(file.path)
                info.size = len(file.data)
                info.mode = file.mode
                info.mtime = _MTIME
                archive.addfile(info, io.BytesIO(file.data))
        return out.getvalue()

    def _folders(self) -> list[str]:
        """The paths of all folders, those that hold others first."""
        parents = {parent for file in self.files for parent in PurePosixPath(file.path).parents}
        return sorted(str(parent) for parent in parents if parent.name)

    def write_to(self, folder: Path) -> None:
        """Write the files below ``folder``, which is made when missing.

        Files of the same names are replaced; others are left alone.

        Raises:
            OSError: a file cannot be written.
        """
        for file in self.files:
            target = folder / file.path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.data)
            target.chmod(file.mode)
