"""Everything imagekit can say when it refuses or fails, and the exit code that goes with it.

Library code raises these and never prints or exits; ``imagekit.cli`` is the one
place that shows them. Each error holds one or more messages of the form
``where: what`` followed by ``hint: what to do``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Message:
    """One thing that went wrong.

    Attributes:
        where: ``file:line:col`` for input, otherwise the thing concerned (a profile, a
            step, an engine's address). Empty when there is no better place than the verb.
        what: what is wrong, one sentence.
        hint: what would be right, or what to do next. Empty when nothing useful is known.
    """

    where: str
    what: str
    hint: str = ""

    def __str__(self) -> str:
        """The message as people see it: one or two lines."""
        first = f"{self.where}: {self.what}" if self.where else self.what
        return f"{first}\n  hint: {self.hint}" if self.hint else first


class ImagekitError(Exception):
    """Base of all expected failures; never raised itself."""

    exit_code = 70

    def __init__(self, messages: Message | Iterable[Message]) -> None:
        self.messages: tuple[Message, ...] = (
            (messages,) if isinstance(messages, Message) else tuple(messages)
        )
        super().__init__("\n".join(map(str, self.messages)))


class WorkFailedError(ImagekitError):
    """The work itself failed: a build step, a check, a container that did not start."""

    exit_code = 1


class InputError(ImagekitError):
    """Bad usage, profile, site or lab file. Nothing was started or written."""

    exit_code = 2


class EngineError(ImagekitError):
    """The engine is missing, refuses us, or cannot do what the plan needs."""

    exit_code = 3


class NetworkError(ImagekitError):
    """A registry, a mirror or the network failed."""

    exit_code = 4
