"""What a check gets to ask its question: a running container and how to enter it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from imagekit.container import Secrets
from imagekit.plan.model import Plan

if TYPE_CHECKING:
    import paramiko

EXECUTE_SECONDS = 20.0
"""How long a command in the container may take unless told otherwise."""


class Inside(Protocol):
    """The container seen through its engine."""

    def execute(
        self, argv: Sequence[str], user: str = "", timeout: float = EXECUTE_SECONDS
    ) -> tuple[int, str]:
        """Run a command in the container.

        Args:
            argv: the command and its arguments; no shell is involved.
            user: account name; empty for the image's own.
            timeout: seconds after which the command is ended.

        Returns:
            The exit code, and output and errors together as text.

        Raises:
            TimeoutError: the command did not end in time.
            OSError: the engine did not run it.
        """
        ...

    def logs(self) -> str:
        """The last lines that the container wrote."""
        ...

    def health(self) -> Health:
        """What the engine's own HEALTHCHECK says now."""
        ...


@dataclass(frozen=True, slots=True)
class State:
    """Whether the container runs; ``exit_code`` counts only when it does not."""

    running: bool
    exit_code: int


@dataclass(frozen=True, slots=True)
class Health:
    """The container's health as its engine sees it.

    Attributes:
        status: ``starting``, ``healthy`` or ``unhealthy``; empty when it has no HEALTHCHECK.
        output: what the last probe printed, at most 4 KiB of it.
        probed: when the last probe began, as the engine writes times; empty before the first.
    """

    status: str
    output: str = ""
    probed: str = ""


@dataclass(frozen=True, slots=True)
class Gpus:
    """What became of the wish for GPUs.

    Attributes:
        asked: ``""`` for none, ``"all"``, or GPU UUIDs separated by commas.
        missing: why the container has none; empty when it has those asked for.
    """

    asked: str = ""
    missing: str = "the profile needs no GPU, and none was asked for with --gpus"


@dataclass(frozen=True, slots=True)
class Subject:
    """One running container under test.

    Attributes:
        plan: what the image promises.
        addresses: container port to the host name and port that reach it.
        secrets: the passwords it was given.
        key: an ssh key whose public half is in ``secrets.authorized_keys``.
        inside: the container seen through its engine.
        gpus: whether it has GPUs.
    """

    plan: Plan
    addresses: Mapping[int, tuple[str, int]]
    secrets: Secrets
    key: paramiko.PKey = field(repr=False)
    inside: Inside
    gpus: Gpus = Gpus()

    def address(self, container_port: int) -> tuple[str, int]:
        """Host name and port that reach a port of the container.

        Raises:
            ConnectionError: the port is not published.
        """
        try:
            return self.addresses[container_port]
        except KeyError:
            raise ConnectionError(f"port {container_port} is not published") from None
