"""Programs on this host that are never left running."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import IO, cast

from imagekit.errors import EngineError, Message

_GRACE = 5.0  # seconds between asking a group of processes to end and ending it
_CHUNK = 1 << 18  # bytes per read
_MAX_MESSAGE = 500  # bytes of a failed program's messages that are shown


@contextmanager
def running(
    command: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    stderr: int | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program with its output in a pipe; its whole process group ends with the body.

    It is a session of its own: Ctrl-C reaches us alone, and we end it in order.

    Raises:
        EngineError: the program cannot be started.
    """
    try:
        process = subprocess.Popen(
            command,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            start_new_session=True,
        )
    except OSError as error:
        raise EngineError(Message(command[0], f"cannot be started: {error}")) from error
    with process:
        try:
            yield process
        finally:
            _end(process)


def output(command: Sequence[str]) -> Iterator[bytes]:
    """A program's standard output in pieces.

    Raises:
        EngineError: the program failed; after the last piece.
    """
    # Its messages go to a file: a second pipe that nobody reads could fill and block it.
    with tempfile.TemporaryFile() as messages:
        with running(command, stderr=messages.fileno()) as process:
            pipe = cast("IO[bytes]", process.stdout)
            while chunk := pipe.read(_CHUNK):
                yield chunk
            code = process.wait()
        if code:
            messages.seek(0)
            said = messages.read(_MAX_MESSAGE).decode(errors="replace").strip()
            raise EngineError(Message(command[0], f"ended with {code}: {said}"))


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process group, politely first."""
    if process.poll() is not None:
        return
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(_GRACE)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
