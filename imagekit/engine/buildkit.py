"""A context becomes an image: one BuildKit build over the engine's own API.

``POST /build?version=2`` (Docker Engine API reference, ``ImageBuild``; the parameter and
its answers are moby/moby, ``api/server/router/build`` and ``builder/builder-next``) with
a session beside it. Nothing that the engine says is believed: the build is done when the
image that it names can be inspected.
"""

from __future__ import annotations

import base64
import binascii
import io
import json
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing, suppress
from typing import Any

from imagekit.context import DOCKERFILE, Context
from imagekit.engine import platforms
from imagekit.engine.connection import Engine
from imagekit.engine.failures import build_failure, no_platform
from imagekit.engine.faults import RAW
from imagekit.engine.proof import IDLE_TIMEOUT, BuildResult, interrupted, no_image, prove
from imagekit.engine.services import docker_login, login_with
from imagekit.engine.session import Session
from imagekit.engine.stream import LostError, RefusedError, post
from imagekit.engine.trace import Trace
from imagekit.errors import EngineError, Message
from imagekit.events import Emit, ignore

_CANCEL_TIMEOUT = 5.0  # seconds to tell the engine that we gave up

_TRACE = "moby.buildkit.trace"
_RESULT = "moby.image.id"


def require(engine: Engine) -> None:
    """Raise unless the engine has BuildKit, which is worth knowing before anything is sent.

    Raises:
        EngineError: it has no BuildKit.
    """
    if not engine.buildkit:
        raise EngineError(
            Message(
                engine.where,
                f"this engine ({engine.version}) does not build with BuildKit",
                "use Docker Engine 20.10 or newer",
            )
        )


def build(  # noqa: PLR0913 - what a build can be told, each by name
    engine: Engine,
    context: Context,
    *,
    tags: Sequence[str] = (),
    secrets: Mapping[str, bytes] = {},
    auth: Mapping[str, tuple[str, str]] = {},
    build_args: Mapping[str, str] = {},
    labels: Mapping[str, str] = {},
    cache_from: Sequence[str] = (),
    target: str = "",
    platform: str = "",
    no_cache: bool = False,
    pull: bool = False,
    network: str = "",
    compression: str = "",
    idle_timeout: float = IDLE_TIMEOUT,
    build_id: str = "",
    on_event: Emit = ignore,
) -> BuildResult:
    """Build an image.

    On Ctrl-C, or when anything else is raised, the engine is told to stop.

    Args:
        engine: where; it must have BuildKit.
        context: the Dockerfile and its files.
        tags: names for the image.
        secrets: values of secret mounts by id, each at most 500 KiB.
        auth: user name and password by registry host (``docker.io`` for Docker Hub), to
            get base images with. Other hosts get what ``docker login`` stored.
        build_args: values of ``ARG``. ``SOURCE_DATE_EPOCH`` also sets the times in the
            image's configuration, since BuildKit 0.11 (moby/buildkit, docs/build-repro.md).
        labels: labels besides the Dockerfile's.
        cache_from: images whose steps may be taken over, when they carry a cache.
        target: the stage to build; the last one by default.
        platform: what to build for, for instance ``linux/arm64``; by default what the
            engine runs on.
        no_cache: build every step anew. This also empties the cache mounts.
        pull: ask the registry for a newer base even when one is there.
        network: the steps' network: ``host``, ``none``, or empty for the engine's default.
            It is part of the steps' cache keys.
        compression: of the image's new layers, ``gzip`` or ``zstd``, where the engine keeps
            them compressed (the containerd image store); empty for its default, gzip.
            Docker Engine pulls zstd since 23.0 (moby/moby#41759).
        idle_timeout: seconds of silence after which the engine counts as stuck.
        build_id: what ``cancel`` takes, for another thread; made up when empty.
        on_event: told what happens, in the calling thread.

    Raises:
        BuildFailedError: a step failed, or the Dockerfile is wrong.
        NetworkError: a base image could not be had from its registry.
        EngineError: no BuildKit, the connection broke, the engine fell silent, it cannot
            build for the platform, or it claims an image that is not there.
        InputError: a secret is too large, or the platform is none.
    """
    platform = platforms.normalize(platform) if platform else ""
    require(engine)
    began = time.monotonic()
    build_id = build_id or uuid.uuid4().hex
    params = [
        ("version", "2"),
        ("dockerfile", DOCKERFILE),
        ("buildid", build_id),
        ("buildargs", json.dumps(dict(build_args))),
        ("labels", json.dumps(dict(labels))),
        *(("t", tag) for tag in tags),
    ]
    params += [("cachefrom", json.dumps(list(cache_from)))] if cache_from else []
    params += [("target", target)] if target else []
    params += [("platform", platform)] if platform else []
    params += [("nocache", "1")] if no_cache else []
    params += [("pull", "1")] if pull else []
    params += [("networkmode", network)] if network else []
    if compression and engine.store == "containerd":
        # What `docker buildx build --output type=image,compression=…` asks for
        # (https://docs.docker.com/build/exporters/#compression).
        output = {"Type": "image", "Attrs": {"compression": compression, "unpack": "true"}}
        params.append(("outputs", json.dumps([output])))
    trace = Trace(on_event)
    with Session(engine, secrets, login_with(auth, docker_login)) as session:
        stream = post(
            engine,
            "/build",
            params=[*params, ("session", session.id)],
            idle_timeout=idle_timeout,
            headers={"Content-Type": "application/x-tar"},
            # A file rather than bytes, so that it is sent in pieces and the time-out
            # is about one piece.
            body=io.BytesIO(context.tar()),
        )
        try:
            with closing(stream):
                image_id = _follow(engine, stream, trace, platform)
        except RefusedError as error:
            raise build_failure(engine.where, error.text, trace.failed, refused=error) from error
        except LostError as error:
            cancel(engine, build_id)
            raise interrupted(error, trace, "the build was cancelled") from error
        except BaseException:
            cancel(engine, build_id)
            raise
    prove(engine, image_id, tags, platform)
    return BuildResult(image_id, trace.runs, time.monotonic() - began)


def _follow(engine: Engine, stream: Iterable[dict[str, Any]], trace: Trace, platform: str) -> str:
    """Read the answer to its end; the image's id."""
    image_id = ""
    for message in stream:
        if "error" in message:
            trace.close()
            text = str(message["error"])
            raise build_failure(engine.where, text, trace.failed, platform=platform)
        aux = message.get("aux")
        if message.get("id") == _TRACE:
            try:
                trace.feed(base64.b64decode(str(aux), validate=True))
            except (ValueError, binascii.Error) as error:
                what = f"the engine sent a trace that cannot be read: {error}"
                raise EngineError(Message(engine.where, what)) from error
            if platform and trace.misfit:
                raise no_platform(engine.where, platform, trace.misfit)
        elif message.get("id") == _RESULT and isinstance(aux, dict):
            image_id = str(aux.get("ID") or "")
    trace.close()
    if not image_id:
        raise no_image(engine)
    return image_id


def cancel(engine: Engine, build_id: str, timeout: float = _CANCEL_TIMEOUT) -> None:
    """Tell the engine to stop a build; one that it does not know is no trouble.

    Closing the build's connection does so already where that arrives.

    Args:
        engine: the engine, by any connection to it.
        build_id: as ``build`` was given it.
        timeout: seconds to wait for an answer.
    """
    api = engine.client.api
    with suppress(*RAW):
        api.post(
            f"{api.base_url}/v{engine.api_version}/build/cancel",
            params={"id": build_id},
            timeout=timeout,
        ).close()
