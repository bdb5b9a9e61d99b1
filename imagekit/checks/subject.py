"""What a check gets to ask its question: a running container and how to enter it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from imagekit.container import Secrets
from imagekit.plan.model import Plan

if TYPE_CHECKING:
    import paramiko

EXECUTE_SECONDS = 20.0
"""How long a command in the container may take unless told otherwise."""


@dataclass(frozen=True, slots=True)
class Step:
    """One line of an image's history: what made its layer, and the layer's bytes."""

    made_by: str
    size: int


@dataclass(frozen=True, slots=True)
class ImageConfig:
    """What an image says of itself to everyone who has it.

    Attributes:
        id: ``sha256:…``.
        environment: pairs of a variable's name and its value.
        labels: pairs of name and value, sorted by name.
        user: who containers run as; empty for root.
        entrypoint: the words of ENTRYPOINT.
        command: the words of CMD.
        healthcheck: the words of HEALTHCHECK's test; empty without one.
        history: what made it, the first step first.
    """

    id: str
    environment: tuple[tuple[str, str], ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    user: str = ""
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    healthcheck: tuple[str, ...] = ()
    history: tuple[Step, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of all layers, unpacked.

        Summed up by steps: what engines call an image's size is something else where they
        have the containerd image store (packed and unpacked layers together).
        """
        return sum(step.size for step in self.history)


class Inside(Protocol):
    """The container seen through its engine, and its image."""

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

    def image(self) -> ImageConfig:
        """What the image says of itself.

        Raises:
            OSError: the engine does not tell.
        """
        ...

    def execute_afresh(
        self, argv: Sequence[str], timeout: float = EXECUTE_SECONDS
    ) -> tuple[int, str]:
        """Run a command as root in a container of its own, in which nothing else has run.

        It sees the image as it is: without the image's own start, volumes, or a network.
        Arguments, result and errors as for ``execute``.
        """
        ...

    def saved(self, timeout: float) -> Iterator[bytes]:
        """The image with all its layers, as ``docker save`` gives it: pieces of a tar archive.

        Args:
            timeout: seconds that the engine may take for any piece. The first one comes
                late: engines gather the whole archive on their disk before.

        Raises:
            OSError: the engine did not give it in time, or not whole.
            CheckSkippedError: its disk has no room for the archive.
        """
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
        remedy: where to look and what to do about it, where the host has GPUs and does not
            give them; the checks of GPUs then fail. Empty where it has none: they are skipped.
        on_host: how many the engine's host has; 0 where that is not known.
    """

    asked: str = ""
    missing: str = "no GPU was asked for: the profile has no CUDA, or --gpus says none"
    remedy: str = ""
    on_host: int = 0


@dataclass(frozen=True, slots=True)
class Foreign:
    """What is otherwise in an image that imagekit did not build.

    Attributes:
        home: where the account's home is.
        ports: where its services listen: imagekit's port of a service (``names``) to the
            image's own.
        jupyter: the path below which Jupyter is; empty for ``/``.
    """

    home: str
    ports: Mapping[int, int]
    jupyter: str = ""


@dataclass(frozen=True, slots=True)
class Subject:
    """One running container under test.

    Attributes:
        plan: what the image promises.
        addresses: container port to the host name and port that reach it.
        secrets: the passwords that open it.
        key: an ssh key whose public half is in ``secrets.authorized_keys``.
        inside: the container seen through its engine.
        gpus: whether it has GPUs.
        foreign: None for an image of imagekit's.
        given: what lies in its secrets' folder, where some of it may open nothing; None where
            all of it is in ``secrets``.
    """

    plan: Plan
    addresses: Mapping[int, tuple[str, int]]
    secrets: Secrets
    key: paramiko.PKey = field(repr=False)
    inside: Inside
    gpus: Gpus = Gpus()
    foreign: Foreign | None = None
    given: Secrets | None = None

    @property
    def home(self) -> str:
        """Where the account's home is."""
        return self.foreign.home if self.foreign else f"/home/{self.plan.user.name}"

    def address(self, container_port: int) -> tuple[str, int]:
        """Host name and port that reach a port of the container.

        Args:
            container_port: imagekit's own for that service, or any that is published.

        Raises:
            ConnectionError: the port is not published.
        """
        ports = self.foreign.ports if self.foreign else {}
        port = ports.get(container_port, container_port)
        try:
            return self.addresses[port]
        except KeyError:
            raise ConnectionError(f"port {port} is not published") from None
