"""Why a build failed, sorted by whose fault it is."""

from __future__ import annotations

import re

from imagekit.engine.faults import disk_full, shorten
from imagekit.engine.trace import FailedStep
from imagekit.errors import EngineError, ImagekitError, Message, NetworkError, WorkFailedError

# BuildKit's words, and buildah's.
_EXIT = re.compile(r"exit (?:code:|status) (\d+)\s*$")
_SESSION_LOST = re.compile(r"no active session")
_IMAGE = re.compile(r".*(load metadata for|FROM) ")  # before the image's name
_PLACE = re.compile(r"dockerfile parse error.*|failed to parse .*", re.IGNORECASE)
_LOGIN = re.compile(r"unauthorized|authorization|denied|forbidden", re.IGNORECASE)

# The kernel's ENOEXEC (execve(2)), as runc and shells say it.
_NOT_RUN = re.compile(r"exec format error", re.IGNORECASE)

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
    platform: str = "",
) -> ImagekitError:
    """The error for a build that the engine ended.

    Args:
        where: the engine, as messages name it.
        text: the engine's message.
        failed: the failed step, when the trace had one.
        refused: what to raise when the message alone does not tell the kind, because the
            engine answered with an error status.
        platform: what the image was to be for; empty for the engine's own.

    Returns:
        EngineError for a full disk, a lost session, or programs of ``platform`` that do
        not run there; NetworkError for a base image that cannot be had; otherwise
        BuildFailedError or ``refused``.
    """
    step = shorten(failed.name, 120) if failed else ""
    if _SESSION_LOST.search(text):
        what = f"the engine lost the build's session: {shorten(text)}"
        return EngineError(Message(where, what, "build again; if it stays, see the engine's log"))
    if (failed and failed.loads_base) or (not failed and _BASE.search(text)):
        return _no_base(where, text, failed)
    if failed and platform and _NOT_RUN.search("\n".join((text, *failed.log_tail))):
        return no_platform(where, platform, f"its programs do not run there ({step})")
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


def no_platform(where: str, platform: str, why: str) -> EngineError:
    """The error for an engine that cannot build for ``platform``."""
    return EngineError(
        Message(
            where,
            f"this engine cannot build for {platform}: {why}",
            "build on an engine of that platform; or give this one a base image of it, and "
            "emulators (Debian: qemu-user-static)",
        )
    )


def _no_base(where: str, text: str, failed: FailedStep | None) -> EngineError | NetworkError:
    """The error for a base image that could not be had."""
    if full := disk_full(text):
        return EngineError(Message(where, shorten(text), full))
    image = _IMAGE.sub("", shorten(failed.name, 120)) if failed else where
    said = failed.error if failed else text
    return NetworkError(Message(image, shorten(said), _base_hint(text)))


def _base_hint(text: str) -> str:
    if _LOGIN.search(text):
        return "check the image's name; a private registry needs docker login"
    return "check the image's name and the engine's way to the registry"
