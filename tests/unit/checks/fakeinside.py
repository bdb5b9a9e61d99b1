"""A container as its engine tells of it, in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from imagekit.checks.subject import Health, ImageConfig


@dataclass
class FakeInside:
    """A container seen through its engine; ``answers`` maps the command's name."""

    answers: dict[str, tuple[int, str]] = field(
        default_factory=lambda: {"hostname": (0, "box\n"), "/usr/bin/python3": (0, "imagekit:[]\n")}
    )
    calls: list[tuple[tuple[str, ...], str]] = field(default_factory=list)
    config: ImageConfig = field(default_factory=lambda: ImageConfig("sha256:aa"))
    afresh: tuple[int, str] = (0, "")
    archive: bytes = b""

    def execute(
        self, argv: Sequence[str], user: str = "", timeout: float = 20.0
    ) -> tuple[int, str]:
        assert timeout > 0
        self.calls.append((tuple(argv), user))
        return self.answers[argv[0]]

    def logs(self) -> str:
        return "a line\n"

    def health(self) -> Health:
        return Health("healthy")

    def image(self) -> ImageConfig:
        return self.config

    def execute_afresh(self, argv: Sequence[str], timeout: float = 20.0) -> tuple[int, str]:
        assert timeout > 0
        self.calls.append((tuple(argv), "afresh"))
        return self.afresh

    def saved(self, timeout: float) -> Iterator[bytes]:
        assert timeout > 0
        for start in range(0, len(self.archive), 1000):
            yield self.archive[start : start + 1000]
