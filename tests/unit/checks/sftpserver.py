"""An sftp server that keeps its files in memory, and can be told what to do wrong."""

from __future__ import annotations

import io
from typing import Any

import paramiko


class MemorySftp(paramiko.SFTPServerInterface):
    """One flat folder; ``wrong`` is ``lost``, ``changed``, ``refused`` or nothing."""

    def __init__(self, server: Any, *_: Any, **__: Any) -> None:
        super().__init__(server)
        self.wrong: str = server.fake.sftp
        self.files: dict[str, bytes] = server.fake.files

    def list_folder(self, path: str) -> Any:  # noqa: ARG002
        names = [] if self.wrong == "lost" else list(self.files)
        return [self._attributes(name) for name in names]

    def stat(self, path: str) -> Any:
        return self._attributes(path.lstrip("/"))

    def open(self, path: str, flags: int, attr: Any) -> Any:  # noqa: ARG002
        if self.wrong == "refused":
            return paramiko.SFTP_PERMISSION_DENIED
        return _Handle(self, path.lstrip("/"))

    def remove(self, path: str) -> int:
        del self.files[path.lstrip("/")]
        return paramiko.SFTP_OK

    def _attributes(self, name: str) -> paramiko.SFTPAttributes:
        made = paramiko.SFTPAttributes()
        made.filename = name  # type: ignore[attr-defined]
        made.st_size = len(self.files[name])
        return made


class _Handle(paramiko.SFTPHandle):
    def __init__(self, server: MemorySftp, name: str) -> None:
        super().__init__()
        self.server, self.name = server, name
        server.files.setdefault(name, b"")

    def read(self, offset: int, length: int) -> bytes:
        data = self.server.files[self.name][offset : offset + length]
        return bytes(len(data)) if self.server.wrong == "changed" else data

    def write(self, offset: int, data: bytes) -> int:
        buffer = io.BytesIO(self.server.files[self.name])
        buffer.seek(offset)
        buffer.write(data)
        self.server.files[self.name] = buffer.getvalue()
        return paramiko.SFTP_OK

    def stat(self) -> Any:
        return self.server.stat(self.name)
