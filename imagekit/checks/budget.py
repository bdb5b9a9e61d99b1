"""How big an image may be: what its packages say that they take, with generous slack.

A limit by the plan alone would be wrong for whoever adds a package of five gigabytes. So the
packages are asked: dpkg's Installed-Size, and the sizes that wheels and conda packages
record. Where the environment is one that was measured (``imagekit.room``), with nothing of
the profile's own in it, it may not take much more than it did then, whatever it holds: a
framework that was to be without CUDA and brings it along is found so. What is left over is
what no package accounts for: caches, downloads, and files that lie in two layers.
"""

from __future__ import annotations

from dataclasses import dataclass

from imagekit import room
from imagekit.checks.subject import ImageConfig
from imagekit.plan.model import Plan

_MB = 1_000_000

# Measured: see docs/hygiene.md. Installed-Size does not hold what packages make while they
# are installed (bytecode, indexes of fonts and icons, locales), and counts in KiB where
# disks count in blocks.
_OF_PACKAGES = 1.2
_OF_ENVIRONMENT = 1.2
_SLACK = 300 * _MB
# Against what was measured of a framework: Python itself, Jupyter, newer releases.
_OF_MEASURED = 1.5
_OF_PYTHON = 700 * _MB

# Bases that consist of packages, so that dpkg knows what they take.
_KNOWN_BASES = ("debian:", "ubuntu:", "nvidia/cuda:")

_LARGEST = 3
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Taken:
    """What an image's own records say, in bytes.

    Attributes:
        packages: dpkg's packages.
        environment: Python's and conda's packages, and npm's below them.
        files: the profile's own files.
    """

    packages: int
    environment: int
    files: int


def most(plan: Plan, taken: Taken) -> int:
    """The most bytes that an image of the plan may have; 0 where that cannot be told."""
    if not plan.os.image.startswith(_KNOWN_BASES):
        return 0
    environment = taken.environment * _OF_ENVIRONMENT
    measured = room.environment(plan)
    python = plan.python
    if measured and python is not None and not (python.pip or python.npm or plan.conda):
        environment = min(environment, measured * _OF_MEASURED + _OF_PYTHON)
    return int(taken.packages * _OF_PACKAGES + environment + taken.files + _SLACK)


def excess(config: ImageConfig, budget: int) -> str:
    """What is wrong with an image's size; empty when it is within its budget."""
    if not budget or config.size <= budget:
        return ""
    largest = sorted(config.history, key=lambda step: step.size, reverse=True)[:_LARGEST]
    told = ", ".join(f"{step.size // _MB} MB by {_short(step.made_by)}" for step in largest)
    return (
        f"{config.size // _MB} MB where its packages account for {budget // _MB} MB at most; "
        f"the largest layers: {told}"
    )


def _short(made_by: str) -> str:
    """The end of a step's command, where ours say what they install."""
    text = " ".join(made_by.replace("# buildkit", "").split())
    return repr(text if len(text) <= _SHOWN else f"…{text[-_SHOWN:]}")
