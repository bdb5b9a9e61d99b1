"""Files that are there whole or not at all."""

from __future__ import annotations

import uuid
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
    # Not mkstemp's: that one is for its owner alone, whatever the umask says.
    beside = file.with_name(f".{file.name}.{uuid.uuid4().hex[:12]}")
    try:
        with beside.open("x+b") as opened:
            yield opened
        beside.replace(file)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
