"""What a run of the checks has in the engine: found by its label, and removed."""

from __future__ import annotations

import time
from contextlib import closing

import docker.errors

from imagekit.engine.connection import Engine, connect_to
from imagekit.engine.endpoint import Endpoint
from imagekit.engine.faults import in_words
from imagekit.errors import EngineError
from imagekit.names import RUN_LABEL
from imagekit.wait import Deadline, NotYetError, until

GIVE_UP_SECONDS = 600.0
"""How long an engine may be away, or a container refuse to go; then it is left to gc."""

_LOOK_EVERY = 0.5
_NOT_FOUND = 404
_CONFLICT = 409  # "removal of container … is already in progress"


def remove(engine: Engine, run: str) -> int:
    """Remove the run's containers and their anonymous volumes, running or not.

    Returns:
        How many there were.

    Raises:
        EngineError: the engine cannot be reached or refuses.
    """
    with in_words(engine.where):
        containers = engine.client.containers
        label = f"{RUN_LABEL}={run}"
        found = containers.list(all=True, sparse=True, filters={"label": label})
        for container in found:
            try:
                container.remove(v=True, force=True)
            except docker.errors.APIError as error:
                # Somebody else (a person, a clean-up job) was faster, or is at it.
                if error.status_code not in {_NOT_FOUND, _CONFLICT}:
                    raise
    return len(found)


def sweep(endpoint: Endpoint, run: str, quiet: float, limit: float = GIVE_UP_SECONDS) -> None:
    """Remove what a run left, until nothing of it has appeared for a while.

    Args:
        endpoint: the engine; while it is away, it is tried again.
        run: the value of the label.
        quiet: seconds without anything of the run, after which nothing is expected any more:
            the engine may still be at work on a request whose sender is gone.
        limit: seconds after which to give up.

    Raises:
        TimeoutError: something could not be removed; the text says why.
    """
    since = time.monotonic()

    def nothing_appears() -> None:
        nonlocal since
        try:
            with closing(connect_to(endpoint)) as engine:
                found = remove(engine, run)
        except EngineError as error:
            since = time.monotonic()
            raise NotYetError(str(error)) from error
        if found:
            since = time.monotonic()
        if time.monotonic() - since < quiet:
            raise NotYetError(f"{found} containers of the run {run}")

    until(nothing_appears, Deadline.after(limit), pause=_LOOK_EVERY)
