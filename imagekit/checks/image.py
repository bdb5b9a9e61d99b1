"""The image under test as its engine has it: what it says, what lies in it, its layers.

Everything raises ``OSError`` where the engine refuses or breaks off; docker-py's own
errors are of that kind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import docker.errors
import docker.types
import urllib3.exceptions

from imagekit.checks.check import CheckSkippedError
from imagekit.checks.subject import ImageConfig, Step
from imagekit.engine.connection import Engine
from imagekit.engine.disk import disk
from imagekit.engine.faults import is_timeout

_PIECE = 1 << 20
_NO_HEALTH = {"test": ["NONE"]}


def config(engine: Engine, image: str) -> ImageConfig:
    """What an image says of itself.

    Args:
        engine: the engine that has it.
        image: reference or id.

    Raises:
        OSError: the engine does not tell.
    """
    found = engine.client.images.get(image)
    said: dict[str, Any] = found.attrs.get("Config") or {}
    variables = (text.partition("=") for text in said.get("Env") or ())
    steps = [Step(str(one.get("CreatedBy") or ""), int(one["Size"])) for one in found.history()]
    return ImageConfig(
        id=str(found.id),
        environment=tuple((name, value) for name, _, value in variables),
        labels=tuple(sorted((said.get("Labels") or {}).items())),
        user=str(said.get("User") or ""),
        entrypoint=tuple(said.get("Entrypoint") or ()),
        command=tuple(said.get("Cmd") or ()),
        healthcheck=tuple((said.get("Healthcheck") or {}).get("Test") or ()),
        history=tuple(reversed(steps)),
    )


def execute(  # noqa: PLR0913 (what runs in what, and whose it is)
    engine: Engine,
    image: str,
    labels: Mapping[str, str],
    argv: Sequence[str],
    timeout: float,
    *,
    creating: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> tuple[int, str]:
    """Run a command as root in a container that is nothing but the image.

    Args:
        engine: the engine that has it.
        image: reference or id.
        labels: of the container, which is removed in the end.
        argv: the command and its arguments.
        timeout: seconds after which the command is ended.
        creating: what surrounds the request for the container.

    Returns:
        The exit code, and output and errors together.

    Raises:
        TimeoutError: it did not end in time.
        OSError: the engine did not run it.
    """
    try:
        with creating():
            container = engine.client.containers.create(
                image,
                command=list(argv[1:]),
                entrypoint=[argv[0]],
                user="root",
                labels=dict(labels),
                network_mode="none",
                healthcheck=_NO_HEALTH,
                log_config=docker.types.LogConfig(type="json-file"),
            )
        try:
            container.start()
            code = int(container.wait(timeout=timeout)["StatusCode"])
            return code, container.logs().decode(errors="replace")
        finally:
            container.remove(v=True, force=True)
    except docker.errors.APIError as error:
        raise OSError(f"the engine did not run {argv[0]}: {error.explanation}") from error
    except OSError as error:
        if is_timeout(error):
            raise TimeoutError(f"{argv[0]} did not end in {timeout:.0f} s") from error
        raise


def saved(engine: Engine, image: str, timeout: float) -> Iterator[bytes]:
    """See ``Inside.saved``."""
    size = config(engine, image).size
    # containerd writes the archive to the connection as it reads its blobs
    # (https://github.com/containerd/containerd/blob/main/core/images/archive/exporter.go).
    place = None if engine.store == "containerd" else disk(engine)
    if place is not None and place.free < size:
        raise CheckSkippedError(
            f"the engine would write {size / 1e9:.1f} GB to export the image, and "
            f"{place.free / 1e9:.1f} GB are free in {place.folder}"
        )
    api = engine.client.api
    url = f"{api.base_url}/v{engine.api_version}/images/{image}/get"
    # docker-py's own method would give the first piece no more than a minute.
    with api.get(url, stream=True, timeout=timeout) as answer:
        answer.raise_for_status()
        try:
            yield from answer.raw.stream(_PIECE)
        except urllib3.exceptions.HTTPError as error:
            raise OSError(f"the engine broke off: {error}") from error
