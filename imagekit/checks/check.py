"""What a check is, and the two ways in which it does not pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeAlias

from imagekit.checks.subject import Subject
from imagekit.wait import Deadline

Data: TypeAlias = Mapping[str, object]
"""What a check saw: text, numbers, booleans, and lists or mappings of them. No secrets.

A value of its own may be an ``Attachment``. What was seen on hardware that was only simulated
says so in ``simulated``, a text that all forms of the report show."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """Something to look at, such as a picture of the screen.

    Attributes:
        name: a file's name, such as ``desktop.png``.
        media_type: such as ``image/png``.
        content: the file.
    """

    name: str
    media_type: str
    content: bytes = field(repr=False)


class CheckFailedError(Exception):
    """The answer was wrong.

    Attributes:
        asked: what was asked for, a noun phrase.
        got: what came back.
        look_at: where the cause is likely to be seen; empty when nothing useful is known.
        data: what was seen nevertheless, as a check that passes returns it.
    """

    def __init__(
        self, asked: str, got: str, look_at: str = "", data: Data = MappingProxyType({})
    ) -> None:
        self.asked, self.got, self.look_at, self.data = asked, got, look_at, data
        hint = f"; look at {look_at}" if look_at else ""
        super().__init__(f"asked for {asked}; got {got}{hint}")


class CheckSkippedError(Exception):
    """The question makes no sense for this image, or cannot be asked on this machine."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class AnswerError(Exception):
    """A peer answered in a way that its protocol does not allow, or refused."""


@dataclass(frozen=True, slots=True)
class Check:
    """One question.

    Attributes:
        name: how the report and the command line call it.
        limit: seconds after which it has failed, the wait for the service included.
        ask: asks; returns what was seen, or raises ``CheckFailedError`` or
            ``CheckSkippedError``. It must give up when the deadline has passed.
        full: asked only when everything is to be asked (``--full``), or by name.
        uses: what only one check at a time may use, such as ``screen``; checks that name
            the same thing are asked one after another. Empty for nothing.
    """

    name: str
    limit: float
    ask: Callable[[Subject, Deadline], Data]
    full: bool = False
    uses: str = ""


@contextmanager
def asking(asked: str, look_at: str = "") -> Iterator[None]:
    """Turn what a connection can do wrong into a failed check that says what was asked.

    Raises:
        CheckFailedError: the body met an ``OSError`` (a time-out among them), the end
            of a connection, or an ``AnswerError``.
    """
    try:
        yield
    except (OSError, EOFError, AnswerError) as error:
        raise CheckFailedError(asked, str(error) or type(error).__name__, look_at) from error


@contextmanager
def afterwards(clean: Callable[[], object]) -> Iterator[None]:
    """Clean up after the body, however it ended.

    What went wrong in the body says more than that it could not be cleaned up any more.
    """
    try:
        yield
    except BaseException:
        with suppress(CheckFailedError, OSError, EOFError, AnswerError):
            clean()
        raise
    clean()
