"""Builds on Podman, where there is no Docker Engine: a fallback without BuildKit.

Podman's Docker-compatible API builds with buildah (containers/podman,
``pkg/api/handlers/compat/images_build.go``). Of a session it knows nothing, but it takes
secrets out of the context when the query says which files they are, as ``podman --remote
build`` sends them. What it says of steps is text; here it becomes BuildKit's trace, so that
people, blame and errors see no difference. docs/engine.md has what was tried.
"""

from __future__ import annotations

import io
import json
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from itertools import groupby
from typing import Any

from imagekit import steps
from imagekit.context import DOCKERFILE, Context, ContextFile
from imagekit.engine.connection import Engine
from imagekit.engine.failures import build_failure
from imagekit.engine.proof import IDLE_TIMEOUT, BuildResult, interrupted, no_image, prove
from imagekit.engine.protocol.control_pb2 import StatusResponse, Vertex, VertexLog
from imagekit.engine.stream import LostError, RefusedError, post
from imagekit.engine.trace import Trace
from imagekit.events import Emit, Notice, ignore
from imagekit.steps import Place

LACKS = (
    "steps and profiles are built one after the other",
    "Ctrl-C ends imagekit; the step that runs then goes on to its end in Podman",
    "a site's cache_from, cache_inline and compression do nothing, nor does SOURCE_DATE_EPOCH",
    "no registry login is sent; a base is fetched before",
    "testing, running, pushing, locks and gc need a Docker Engine",
)
"""What Podman cannot do for imagekit, in the words that every build on it begins with."""

# What buildah says, one line a message (containers/buildah, ``imagebuildah/stage_executor.go``).
_STEP = re.compile(r"(?:\[\d+/\d+\] )?STEP \d+/\d+: (?P<instruction>\S.*)", re.DOTALL)
_COMMIT = re.compile(r"(?:\[\d+/\d+\] )?COMMIT\b")
_CACHED = re.compile(r"--> Using cache [0-9a-f]+\s*\Z")
_LAYER = re.compile(r"--> [0-9a-f]{12,}\s*\Z")
_FROM = re.compile(r"FROM \S+(?: AS (?P<stage>\S+))?", re.IGNORECASE)
_WHY = re.compile(r'building at STEP ".*": (?P<why>.*)', re.DOTALL)


def build(  # noqa: PLR0913 - what a build can be told, each by name
    engine: Engine,
    context: Context,
    *,
    tags: Sequence[str] = (),
    secrets: Mapping[str, bytes] = {},
    build_args: Mapping[str, str] = {},
    labels: Mapping[str, str] = {},
    target: str = "",
    platform: str = "",
    no_cache: bool = False,
    network: str = "",
    idle_timeout: float = IDLE_TIMEOUT,
    on_event: Emit = ignore,
) -> BuildResult:
    """Build an image. Arguments and result are those of ``buildkit.build``.

    Args:
        engine: a Podman.
        context: the Dockerfile and its files.
        tags: names for the image; Podman writes ``docker.io/`` before those without a host.
        secrets: values of secret mounts by id.
        build_args: values of ``ARG``.
        labels: labels besides the Dockerfile's.
        target: the stage to build; the last one by default.
        platform: what to build for, normalized; empty for what Podman runs on.
        no_cache: build every step anew.
        network: the steps' network, or empty for Podman's default.
        idle_timeout: seconds of silence after which Podman counts as stuck.
        on_event: told what happens, in the calling thread.

    Raises:
        BuildFailedError: a step failed, or the Dockerfile is wrong.
        NetworkError: a base image could not be had from its registry.
        EngineError: the connection broke, Podman fell silent, or it claims an image that
            is not there.
    """
    began = time.monotonic()
    for lack in LACKS:
        on_event(Notice(f"Podman {engine.version}: {lack}"))
    hidden = {name: f"imagekit-secret-{number}" for number, name in enumerate(sorted(secrets))}
    params = [
        ("dockerfile", DOCKERFILE),
        ("buildargs", json.dumps(dict(build_args))),
        ("labels", json.dumps(dict(labels))),
        ("secrets", json.dumps([f"id={name},src={file}" for name, file in hidden.items()])),
        # Kept layers are the cache; what steps ran in is not kept, failed or not.
        ("layers", "1"),
        ("forcerm", "1"),
        *(("t", tag) for tag in tags),
    ]
    params += [("target", target)] if target else []
    params += [("platform", platform)] if platform else []
    params += [("nocache", "1")] if no_cache else []
    params += [("networkmode", network)] if network else []
    with_secrets = (ContextFile(file, secrets[name]) for name, file in hidden.items())
    sent = Context((*context.files, *with_secrets))
    told = _Told(context.dockerfile, on_event)
    image_id = _send(engine, sent, params, idle_timeout, told)
    prove(engine, image_id, tags, platform)
    return BuildResult(image_id, told.trace.runs, time.monotonic() - began)


def _send(
    engine: Engine,
    context: Context,
    params: Sequence[tuple[str, str]],
    idle_timeout: float,
    told: _Told,
) -> str:
    """Have a context built; the image's id."""
    stream = post(
        engine,
        "/build",
        params=params,
        idle_timeout=idle_timeout,
        headers={"Content-Type": "application/x-tar"},
        # buildah takes a step from its cache only if what it mounts is as old as before.
        body=io.BytesIO(context.tar(folders=True)),
    )
    platform = dict(params).get("platform", "")
    try:
        with closing(stream):
            return _follow(engine, stream, told, platform)
    except RefusedError as error:
        raise build_failure(engine.where, error.text, told.trace.failed, refused=error) from error
    except LostError as error:
        raise interrupted(error, told.trace, "Podman may still run the step") from error


def _follow(engine: Engine, stream: Iterable[dict[str, Any]], told: _Told, platform: str) -> str:
    """Read the answer to its end; the image's id."""
    image_id = ""
    for message in stream:
        if "error" in message:
            text = str(message["error"]).strip()
            told.fail(text)
            raise build_failure(engine.where, text, told.trace.failed, platform=platform)
        aux = message.get("aux")
        if isinstance(aux, dict):
            image_id = str(aux.get("ID") or "")
        elif "stream" in message:
            told.hear(str(message["stream"]))
    told.end()
    if not image_id:
        raise no_image(engine)
    return image_id


class _Told:
    """Makes BuildKit's trace of buildah's words, with BuildKit's names for the steps."""

    def __init__(self, dockerfile: str, emit: Emit) -> None:
        self.trace = Trace(emit)
        places = groupby(steps.places(dockerfile), key=lambda place: place.stage)
        self._places = {stage: list(of_stage) for stage, of_stage in places}
        self._left: list[Place] = []  # places of the stage that is built
        self._stage = ""
        self._count = 0
        self._committed = False
        self._now: Vertex | None = None

    def hear(self, text: str) -> None:
        """Take one message."""
        if step := _STEP.match(text):
            self.end()
            self._begin(step["instruction"].strip())
        elif _COMMIT.match(text):
            self.end()
            self._start("exporting to image")
            self._committed = True
        elif _CACHED.match(text):
            if self._now and not self._committed:
                self._now.cached = True
        elif self._now and not self._committed and not _LAYER.match(text):
            log = VertexLog(vertex=self._now.digest, stream=1, msg=text.encode())
            self.trace.take(StatusResponse(logs=[log]))

    def fail(self, text: str) -> None:
        """The build ended with an error, which is that of the step that ran."""
        why = _WHY.fullmatch(text)
        self.end(error=why["why"].strip() if why else text)
        self.trace.close()

    def end(self, error: str = "") -> None:
        """The step that ran has ended."""
        if self._now is not None:
            self._now.completed.GetCurrentTime()
            self._now.error = error
            self.trace.take(StatusResponse(vertexes=[self._now]))
            self._now = None

    def _begin(self, instruction: str) -> None:
        """A line of the Dockerfile is next; only those that BuildKit counts are steps."""
        word = instruction.split(maxsplit=1)[0].upper()
        if base := _FROM.match(instruction):
            self._stage = base["stage"] or self._stage
            self._left = list(self._places.get(self._stage, ()))
            first = self._left[0] if self._left else None
            # The number 1 is the base's, unless that is another stage.
            if first is None or first.number > 1:
                of = first.of if first else 1
                self._start(f"[{Place(self._stage or 'stage-0', 1, of)}] {instruction}")
        elif word in steps.COUNTED:
            place = self._left.pop(0) if self._left else None
            self._start(f"[{place}] {instruction}" if place else instruction)

    def _start(self, name: str) -> None:
        self._count += 1
        self._now = Vertex(digest=f"podman:{self._count}", name=name)
        self._now.started.GetCurrentTime()
        self.trace.take(StatusResponse(vertexes=[self._now]))
