"""One name of an image, sent to its registry by the engine."""

from __future__ import annotations

import re
from contextlib import closing

import docker.utils

from imagekit.engine import logins
from imagekit.engine.connection import Engine
from imagekit.engine.images import tell_progress
from imagekit.engine.refusals import RegistryError, refusal
from imagekit.engine.stream import IdleError, post
from imagekit.errors import EngineError, Message
from imagekit.events import Emit, step

# The last line of a push that came through, in both stores.
_DONE = re.compile(r"digest: (sha256:[0-9a-f]{64}) size: \d+")


def upload(engine: Engine, ref: str, on_event: Emit, *, idle: float) -> str:
    """Send an image that the engine has under the name ``ref``.

    What the engine says is not yet a proof: ask the registry (``distribution.digest``).

    Args:
        engine: the engine.
        ref: the image's name with its tag.
        on_event: told of the transfer as one step.
        idle: seconds of silence that count as a failure.

    Returns:
        The digest of the manifest, as the engine says.

    Raises:
        RegistryError: the registry refused, failed, or nothing moved for too long.
        NetworkError: the stored login cannot be read.
        EngineError: the engine refused, or its answer broke off.
    """
    name = f"push {ref}"
    with step(name, on_event):
        return _send(engine, ref, name, on_event, idle)


def _send(engine: Engine, ref: str, name: str, on_event: Emit, idle: float) -> str:
    repository, tag = docker.utils.parse_repository_tag(ref)
    stream = post(
        engine,
        f"/images/{repository}/push",
        params=[("tag", tag or "latest")],
        idle_timeout=idle,
        headers=logins.header(ref),
    )
    digest = ""
    try:
        with closing(stream):
            for message in stream:
                if "error" in message:
                    raise refusal(ref, str(message["error"]))
                done = _DONE.search(str(message.get("status") or ""))
                digest = done.group(1) if done else digest
                tell_progress(name, message, on_event)
    except IdleError as error:
        hint = "the registry or the way to it hangs; what is there already is not sent again"
        raise RegistryError(Message(ref, f"nothing moved for {idle:g} s", hint)) from error
    if not digest:
        raise EngineError(Message(engine.where, f"the engine stopped pushing {ref} half-way"))
    return digest
