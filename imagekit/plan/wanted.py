"""What a profile asks of the stack, one constraint for each key that it names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from imagekit.catalogue.versions import within
from imagekit.plan.base_image import GivenBase
from imagekit.plan.stack import DEVEL, RUNTIME, Stack, is_of
from imagekit.profile import Profile

TITLES = {"tensorflow": "TensorFlow", "pytorch": "PyTorch", "jax": "JAX"}


@dataclass(frozen=True, slots=True)
class Constraint:
    """One key of the profile that a stack has to agree with.

    Attributes:
        key: its path, for instance ``("cuda", "version")``.
        wanted: its value as written.
        holds: whether a stack agrees.
        value: what a stack has instead, as it would be written.
    """

    key: tuple[str, ...]
    wanted: str
    holds: Callable[[Stack], bool]
    value: Callable[[Stack], str]

    @property
    def path(self) -> str:
        """The key with dots."""
        return ".".join(self.key)


@dataclass(frozen=True, slots=True)
class Wanted:
    """All that a profile asks of the stack.

    Attributes:
        framework: its name, or empty.
        version: its version as wanted, or empty.
        gpu: whether CUDA is wanted.
        constraints: from what matters most to what is easiest to give up.
    """

    framework: str
    version: str
    gpu: bool
    constraints: tuple[Constraint, ...]


def wanted(profile: Profile, base: GivenBase | None) -> Wanted:
    """What a profile asks of the stack.

    Args:
        profile: the profile.
        base: what is known of the base image that it names, or None without one.
    """
    framework, cuda = profile.framework, profile.cuda
    found: list[Constraint] = []
    if framework is not None and framework.version:
        found.append(_framework_version(framework.version))
    if cuda is not None:
        if cuda.version:
            found.append(_cuda_version(cuda.version))
        if cuda.flavour:
            found.append(_exact(("cuda", "flavour"), cuda.flavour, _flavour))
        if cuda.source:
            found.append(_exact(("cuda", "from"), cuda.source, lambda stack: stack.cuda.source))
        if cuda.cudnn:
            found.append(_prefix(("cuda", "cudnn"), cuda.cudnn, lambda stack: stack.cudnn))
    if profile.python:
        found.append(_prefix(("python",), profile.python, lambda stack: stack.python.version))
    os = profile.os or (base.os if base else "")
    if os:
        key = ("base", "os") if profile.os else ("base", "image")
        found.append(_exact(key, os, lambda stack: stack.os.id))
    return Wanted(
        framework=framework.name if framework else "",
        version=framework.version if framework else "",
        gpu=cuda is not None,
        constraints=tuple(found),
    )


def _framework_version(text: str) -> Constraint:
    def holds(stack: Stack) -> bool:
        assert stack.build is not None  # noqa: S101  (stacks of a framework have a build)
        return is_of(stack.build, stack.release, text)

    def value(stack: Stack) -> str:
        return stack.build.version if stack.build else ""

    return Constraint(("framework", "version"), text, holds, value)


def _cuda_version(text: str) -> Constraint:
    return _prefix(("cuda", "version"), text, lambda stack: stack.cuda.version)


def _flavour(stack: Stack) -> str:
    return stack.cuda.flavour or RUNTIME


def _exact(key: tuple[str, ...], text: str, value: Callable[[Stack], str]) -> Constraint:
    return Constraint(key, text, lambda stack: value(stack) == text, value)


def _prefix(key: tuple[str, ...], text: str, value: Callable[[Stack], str]) -> Constraint:
    return Constraint(key, text, lambda stack: within(value(stack), text), value)


def is_default_flavour(stack: Stack) -> bool:
    """Whether a stack has the flavour that is meant when none is named."""
    return stack.cuda.flavour != DEVEL
