"""A build's steps as BuildKit names them: short for people, and found again in the Dockerfile.

The numbers in ``[image 3/9] RUN …`` count what makes a layer in a stage, and its ``FROM``
where that is no other stage (moby/buildkit, ``frontend/dockerfile/dockerfile2llb``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

# What stands in every step and tells people nothing: mounts, and the scripts that bring the
# place's settings and the functions that follow.
_NOISE = re.compile(r"--mount=\S+\s+|\. /run/imagekit-build/\S+ &&\s+")

# BuildKit aligns the number, and names the platform where there are several.
_PLACE = re.compile(
    r"\[?(?:\S+/\S+ )?(?P<stage>[a-z][\w.-]*) +(?P<number>\d+)/(?P<of>\d+)(?:\]|\Z)"
)

COUNTED = ("RUN", "COPY", "ADD", "WORKDIR")
"""Instructions that have a number; ``FROM`` has one where it begins with an image."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a step stands: ``image 3/9`` is the third of the stage ``image``."""

    stage: str
    number: int
    of: int

    def __str__(self) -> str:
        """As people write it."""
        return f"{self.stage} {self.number}/{self.of}"


def short_name(name: str) -> str:
    """A step's name without its mounts, in one line."""
    return " ".join(_NOISE.sub("", name).split())


def place(name: str) -> Place | None:
    """Where the step of a name stands; None for what is no line of a Dockerfile."""
    found = _PLACE.match(name)
    return Place(found["stage"], int(found["number"]), int(found["of"])) if found else None


def places(dockerfile: str) -> tuple[Place, ...]:
    """All steps of a Dockerfile that something can stand before, in its order."""
    counted = [(stage, number) for stage, number, _ in _steps(dockerfile)]
    last = dict(counted)
    return tuple(Place(stage, number, last[stage]) for stage, number in counted)


def before(dockerfile: str, step: Place) -> str:
    """The Dockerfile up to a step, which is left out; its last stage is the step's.

    Raises:
        KeyError: there is no such step, or nothing is before it.
    """
    for stage, number, line in _steps(dockerfile):
        if (stage, number) == (step.stage, step.number):
            return "".join(dockerfile.splitlines(keepends=True)[:line])
    raise KeyError(str(step))


def _steps(dockerfile: str) -> Iterator[tuple[str, int, int]]:
    """Stage, number and first line, from 0, of each numbered step that is no ``FROM``."""
    stages: set[str] = set()
    stage, number = "", 0
    for line, instruction in _instructions(dockerfile):
        word, *rest = instruction.split()
        if word == "FROM":
            (source, *alias) = rest
            number = 0 if source in stages else 1
            stage = alias[-1] if alias else f"stage-{len(stages)}"
            stages.add(stage)
        elif word in COUNTED:
            number += 1
            yield stage, number, line


def _instructions(dockerfile: str) -> Iterator[tuple[int, str]]:
    """The number of its line, from 0, and the first line of each instruction."""
    goes_on = False
    for number, line in enumerate(dockerfile.splitlines()):
        if not line.strip() or line.startswith("#"):
            continue
        if not goes_on:
            yield number, line
        goes_on = line.endswith("\\")
