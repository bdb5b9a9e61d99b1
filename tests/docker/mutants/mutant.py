"""What a mutant is, and the images that mutants stand on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from imagekit import profile
from imagekit.plan.model import Cuda, Framework, Plan, Python, Sshd
from imagekit.plan.resolve import resolve

DESKTOP = "debian12-desktop"
SSH = "cpu-ssh"
HEADLESS = "ik-headless-mutant"
JUPYTER, FRAMEWORK, CUDA = "ik-jupyter-mutant", "ik-framework-mutant", "ik-cuda-mutant"

MIRROR = "https://mirror.example.edu"

Promise = Callable[[Plan], Plan]
"""What an image is said to be, when that is what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """An image with one fault.

    Attributes:
        broken: what is broken, in a user's words.
        lines: of a Dockerfile, after ``FROM`` the base.
        check: the name of the one that has to notice.
        words: what its message has to hold, so that it names the cause.
        base: the image below: a shipped profile's, or one of ``PLANS``.
        promise: makes the plan that the image carries from the base's.
        everyday: tried in every run of the tests, and not only in the soak.
    """

    broken: str
    lines: str
    check: str
    words: tuple[str, ...]
    base: str = DESKTOP
    promise: Promise | None = None
    everyday: bool = False


_VENV = Python("3.11", "os", "/opt/venv", "", (), (), (), "", (), (), ())


def _headless(name: str) -> Plan:
    """The desktop's plan without its desktop."""
    plan = resolve(profile.load(DESKTOP))
    apt = tuple(layer for layer in plan.apt if layer[0] in {"base", "sshd"})
    return replace(plan, profile=name, desktop=None, apt=apt)


def _jupyter() -> Plan:
    """Jupyter Lab and kept mirrors, with the steps of test_parts.py's everyday image."""
    python = replace(_VENV, jupyter=("jupyterlab",), pip=("humanize",), npm=("cowsay",))
    return replace(
        _headless(JUPYTER),
        python=python,
        jupyter=True,
        sshd=Sshd(password=True, root="refused"),
        mirrors=(("apt", MIRROR), ("npm", f"{MIRROR}/npm"), ("pypi", f"{MIRROR}/simple")),
    )


def _framework() -> Plan:
    """JAX for the CPU: the smallest framework."""
    python = replace(_VENV, framework=("jax==0.5.3",))
    return replace(_headless(FRAMEWORK), python=python, framework=Framework("jax", "0.5.3"))


def _cuda() -> Plan:
    """Two small libraries of CUDA, from NVIDIA's wheels."""
    wheels = ("nvidia-cuda-runtime-cu12==12.9.*", "nvidia-cuda-nvrtc-cu12==12.9.*")
    cuda = Cuda("12.9", "", "runtime", "wheels", "525.60.13", "5.0", "")
    return replace(_headless(CUDA), python=replace(_VENV, cuda=wheels), cuda=cuda)


PLANS: Mapping[str, Callable[[], Plan]] = {
    HEADLESS: lambda: _headless(HEADLESS),
    JUPYTER: _jupyter,
    FRAMEWORK: _framework,
    CUDA: _cuda,
}
"""Bases that no shipped profile is, made by hand: small, of steps that other tests have, too."""


def plan_of(base: str) -> Plan:
    """The plan of a base."""
    return PLANS[base]() if base in PLANS else resolve(profile.load(base))
