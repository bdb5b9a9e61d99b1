"""What a build comes to, whoever built: an image that is there, or what was going on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from imagekit.engine import images, platforms
from imagekit.engine.connection import Engine
from imagekit.engine.failures import no_platform
from imagekit.engine.stream import IdleError, LostError
from imagekit.engine.trace import StepRun, Trace
from imagekit.errors import EngineError, Message

IDLE_TIMEOUT = 600.0
"""Seconds without a word from the engine; a long silent command in a step counts too."""


@dataclass(frozen=True, slots=True)
class BuildResult:
    """An image that was built, or found whole in the cache.

    Attributes:
        image_id: ``sha256:…``; the configuration's digest, or the manifest's on an
            engine with the containerd image store.
        steps: the steps' names, times and whether cached, in the order of their ends.
        seconds: from the request to the proof, by our clock.
    """

    image_id: str
    steps: tuple[StepRun, ...]
    seconds: float


def prove(engine: Engine, image_id: str, tags: Sequence[str], platform: str) -> None:
    """Raise unless the image is there, for ``platform``, and each of ``tags`` names it.

    Raises:
        EngineError: it is not as the engine says.
    """
    for ref in (image_id, *tags):
        found = images.find(engine, ref)
        if found is None or found.id != image_id:
            seen = "is not there" if found is None else f"is {found.id}"
            raise EngineError(
                Message(engine.where, f"the engine says it built {image_id}, but {ref} {seen}")
            )
        if platform and found.architecture != platforms.architecture(platform):
            what = f"the image is for {found.os}/{found.architecture}"
            raise no_platform(engine.where, platform, what)


def no_image(engine: Engine) -> EngineError:
    """The error for an answer that ended well and named no image."""
    return EngineError(
        Message(
            engine.where,
            "the engine ended the build without an error and without an image",
            "the engine's log may say why; building again continues from its cache",
        )
    )


def interrupted(error: LostError, trace: Trace, silence: str) -> EngineError:
    """The error for a build whose connection broke or fell silent, with what was going on.

    Args:
        error: what became of the connection.
        trace: what was told of the build.
        silence: what a build that fell silent has come to.
    """
    (said,) = error.messages
    steps = ", ".join(trace.running) or "no step"
    again = "building again continues from the engine's cache"
    if isinstance(error, IdleError):
        again = f"{silence}; a step that is silent for long needs a longer time-out"
    hint = "; ".join(filter(None, (said.hint, again)))
    return EngineError(Message(said.where, f"{said.what}; running: {steps}", hint))
