"""Why a build failed, sorted by whose fault it is."""

from __future__ import annotations

import re

from imagekit.engine.faults import disk_full, shorten
from imagekit.engine.trace import FailedStep
from imagekit.errors import EngineError, ImagekitError, Message, NetworkError, WorkFailedError

_EXIT = re.compile(r"exit code: (\d+)\s*$")
_SESSION_LOST = re.compile(r"no active session")
_IMAGE = re.compile(r".*(load metadata for|FROM) ")  # before the image's name
_PLACE = re.compile(r"dockerfile parse error.*|failed to parse .*", re.IGNORECASE)
_LOGIN = re.compile(r"unauthorized|authorization|denied|forbidden", re.IGNORECASE)

# A base that could not be had, in engines that report no failed step for it.
_BASE = re.compile(r"failed to resolve source metadata for|pull access denied")


class BuildFailedError(WorkFailedError):
    """A build step failed, or the Dockerfile is wrong.

    Attributes:
        step: the failed step's name; empty when the Dockerfile could not be read.
        log_tail: the step's last lines of output, at most 20.
        engine_message: what the engine said, in full.
    """

    def __init__(self, message: Message, failed: FailedStep | None, engine_message: str) -> None:
        super().__init__(message)
        self.step = failed.name if failed else ""
        self.log_tail = failed.log_tail if failed else ()
        self.engine_message = engine_message


def build_failure(
    where: str,
    text: str,
    failed: FailedStep | None,
    refused: EngineError | None = None,
) -> ImagekitError:
    """The error for a build that the engine ended.

    Args:
        where: the engine, as messages name it.
        text: the engine's message.
        failed: the failed step, when the trace had one.
        refused: what to raise when the message alone does not tell the kind, because the
            engine answered with an error status.

    Returns:
        EngineError for a full disk or a lost session, NetworkError for a base image that
        cannot be had, otherwise BuildFailedError or ``refused``.
    """
    step = shorten(failed.name, 120) if failed else ""
    if _SESSION_LOST.search(text):
        what = f"the engine lost the build's session: {shorten(text)}"
        return EngineError(Message(where, what, "build again; if it stays, see the engine's log"))
    if (failed and failed.loads_base) or (not failed and _BASE.search(text)):
        full = disk_full(text)
        if full:
            return EngineError(Message(where, shorten(text), full))
        image = _IMAGE.sub("", step) or where
        said = failed.error if failed else text
        return NetworkError(Message(image, shorten(said), _base_hint(text)))
    if failed:
        code = _EXIT.search(text)
        what = f"ended with exit code {code[1]}" if code else shorten(failed.error)
        full = disk_full("\n".join((text, *failed.log_tail)))
        return BuildFailedError(Message(step, what, full), failed, text)
    if refused is not None:
        return refused
    place = _PLACE.search(text)
    return BuildFailedError(
        Message("Dockerfile", shorten(place[0] if place else text), disk_full(text)), None, text
    )


def _base_hint(text: str) -> str:
    if _LOGIN.search(text):
        return "check the image's name; a private registry needs docker login"
    return "check the image's name and the engine's way to the registry"
