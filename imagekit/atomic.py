"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def written(file: Path) -> Iterator[IO[bytes]]:
    """Give an open file that takes the place of ``file`` when the block ends without an error.

    Raises:
        OSError: it cannot be written.
    """
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(descriptor, "w+b") as opened:
            yield opened
            os.fchmod(opened.fileno(), 0o644)
        os.replace(name, file)  # noqa: PTH105 - a name that mkstemp gave
    except BaseException:
        Path(name).unlink()
        raise
