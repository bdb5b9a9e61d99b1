"""Choosing the stack: the best one that a profile allows, or what would have to change.

A refusal names the first key, in the order of ``Wanted.constraints``, that leaves nothing
to choose from, and the nearest profiles that would work.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations

from imagekit.catalogue import os_releases
from imagekit.catalogue.versions import key, newest_first
from imagekit.document import Problem
from imagekit.plan.base_image import GivenBase
from imagekit.plan.stack import DEVEL, RUNTIME, SOURCES, Stack, cuda_version, rank, stacks
from imagekit.plan.wanted import TITLES, Constraint, Wanted, is_default_flavour, wanted
from imagekit.profile import Profile

MOST_SUGGESTIONS = 3

Change = tuple[tuple[str, str], ...]
"""Keys and the values to write there instead."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why nothing fits.

    Attributes:
        constraint: the key that is wrong, given those before it.
        what: the reason, for people, with its source.
        changes: what would work, at most ``MOST_SUGGESTIONS``, each of few keys.
    """

    constraint: Constraint | None
    what: str
    changes: tuple[Change, ...]

    def problem(self, profile: Profile) -> Problem:
        """The refusal as it is shown."""
        path = self.constraint.key if self.constraint else ("framework",)
        shown = " or ".join(
            ", ".join(f'{name}: "{value}"' for name, value in change) for change in self.changes
        )
        hint = f"try {shown}" if shown else ""
        return Problem(profile.where(*path), f"{'.'.join(path)}: {self.what}", hint)


def choose(profile: Profile, base: GivenBase | None) -> Stack | Refusal:
    """The best stack that a profile allows.

    Args:
        profile: the profile.
        base: what is known of the base image that it names, or None without one.
    """
    asked = wanted(profile, base)
    fitting = [
        stack
        for stack in _possible(asked, base, asked.version)
        if all(constraint.holds(stack) for constraint in asked.constraints)
    ]
    if fitting:
        return min(fitting, key=rank)
    return _refusal(asked, _possible(asked, base, ""))


def _possible(asked: Wanted, base: GivenBase | None, version: str) -> list[Stack]:
    """All stacks of a version, without those on a base image that the profile does not name."""
    found = list(stacks(asked.framework, gpu=asked.gpu, version=version))
    named = {constraint.path for constraint in asked.constraints}
    if "cuda.flavour" not in named:
        found = [stack for stack in found if is_default_flavour(stack)]
    if base is not None:
        own = [stack for stack in found if stack.image and stack.image == base.name]
        found = own or [stack for stack in found if not stack.image]
    return found


def _refusal(asked: Wanted, every: Sequence[Stack]) -> Refusal:
    """The first constraint that leaves nothing to choose from."""
    left = every
    for constraint in asked.constraints:
        holding = [stack for stack in left if constraint.holds(stack)]
        if not holding:
            return Refusal(constraint, _reason(constraint, asked, left), _changes(asked, every))
        left = holding
    framework = TITLES.get(asked.framework, "")
    what = f"{framework} has no build {'with' if asked.gpu else 'without'} CUDA"
    return Refusal(None, what, ())


def _changes(asked: Wanted, every: Sequence[Stack]) -> tuple[Change, ...]:
    """The smallest changes that help: of one key each, or else of two, and so on."""
    constraints = asked.constraints
    # By what each stack agrees with: thousands of stacks, but few different answers
    agreeing: dict[frozenset[int], list[Stack]] = {}
    for stack in every:
        answer = frozenset(i for i, item in enumerate(constraints) if item.holds(stack))
        agreeing.setdefault(answer, []).append(stack)
    for count in range(1, len(constraints) + 1):
        found: list[Change] = []
        for given_up in combinations(range(len(constraints)), count):
            kept = frozenset(range(len(constraints))) - frozenset(given_up)
            working = [stack for answer in agreeing if kept <= answer for stack in agreeing[answer]]
            if working:
                changed = [constraints[index] for index in given_up]
                best = _nearest(changed, working)
                found.append(tuple((item.path, item.value(best)) for item in changed))
        if found:
            return tuple(dict.fromkeys(found))[:MOST_SUGGESTIONS]
    return ()


def _nearest(changed: Sequence[Constraint], working: Sequence[Stack]) -> Stack:
    """The best of the stacks whose values are nearest to those wanted."""
    least = min(_distances(changed, stack) for stack in working)
    return min((stack for stack in working if _distances(changed, stack) == least), key=rank)


def _distances(given_up: Sequence[Constraint], stack: Stack) -> tuple[tuple[int, ...], ...]:
    """How far a stack's values are from those wanted, key by key."""
    return tuple(_distance(item.wanted, item.value(stack)) for item in given_up)


@cache
def _distance(wanted_text: str, there: str) -> tuple[int, ...]:
    try:
        left, right = key(wanted_text), key(there)
    except ValueError:
        return (0,)  # names of releases and ways have no distance; rank decides
    width = max(len(left), len(right))
    left, right = (part + (0,) * (width - len(part)) for part in (left, right))
    first = next((i for i in range(width) if left[i] != right[i]), width - 1)
    # After the first difference, what is nearer: 2.21 is nearer to 3.0 than 2.0 is.
    rest = right[first + 1 :]
    sign = -1 if right < left else 1
    return (*(0,) * first, abs(left[first] - right[first]), *(sign * part for part in rest))


# ---- what is said


def subject(stack: Stack) -> str:
    """What the catalogue's row is about: ``TensorFlow 1.15.5``, ``CUDA 12.2``, a release."""
    if stack.build is not None:
        return f"{TITLES[stack.build.name]} {stack.release}"
    if stack.cuda.version:
        return f"CUDA {stack.cuda.version}"
    return stack.os.id


def _reason(constraint: Constraint, asked: Wanted, left: Sequence[Stack]) -> str:
    """Why no stack that is left agrees with a constraint."""
    if not left:
        return "nothing in the catalogue has this"
    best = min(left, key=rank)
    about = subject(best)
    have = _listed(constraint, left)
    wish = constraint.wanted
    match constraint.path:
        case "framework.version":
            title = TITLES[asked.framework]
            with_cuda = " with CUDA" if asked.gpu else ""
            what = f"{title} {wish}{with_cuda} is not in the catalogue, which has {have}"
        case "cuda.version" if asked.framework:
            pythons = _either({stack.python.version for stack in left})
            what = f"{_line(best)} has no build for CUDA {wish}; it needs CUDA {have}"
            what += f" (Python {pythons})"
        case "cuda.version":
            what = f"CUDA {wish} is not in the catalogue, which has {have}"
        case "cuda.flavour":
            with_cuda = f" with CUDA {best.cuda.version}" if best.build else ""
            what = f"{about}{with_cuda} is not to be had as {wish}"
        case "cuda.from":
            what = f"CUDA {best.cuda.version} for {about} does not come by {wish}, but by {have}"
        case "cuda.cudnn":
            what = f"{about} has no way to cuDNN {wish}; there is {have}"
        case "python" if asked.framework:
            what = f"{about} has no wheel for Python {wish}; it has them for {have}"
        case "python":
            what = f"Python {wish} is not in the catalogue, which has {have}"
        case _:
            glibc = best.build.glibc if best.build else ""
            because = f" (its wheels need glibc {glibc})" if glibc else ""
            what = f"{about}{_how(best)} does not go on {wish}{because}; it does on {have}"
    return f"{what} (source: {_source(constraint, best)})"


def _line(stack: Stack) -> str:
    return f"{TITLES[stack.build.name]} {stack.build.version}" if stack.build else subject(stack)


def _how(stack: Stack) -> str:
    """The decisions before the operating system's, which it depends on."""
    cuda = f" with CUDA {stack.cuda.version} by {stack.cuda.source}" if stack.cuda.version else ""
    return f"{cuda} and Python {stack.python.version}"


def _listed(constraint: Constraint, left: Sequence[Stack]) -> str:
    """The values that are left for a key, in words."""
    return _either({constraint.value(stack) for stack in left} - {""})


def _either(values: set[str]) -> str:
    """Values in their order, in words: ``3.6, 3.7 or 3.8``, or from the first to the last."""
    try:
        ordered = newest_first(tuple(values))[::-1]
    except ValueError:
        known = [RUNTIME, DEVEL, *SOURCES, *os_releases()]
        ordered = tuple(sorted(values, key=known.index))
    if not ordered:
        return "none"
    if len(ordered) > 8:
        return f"{ordered[0]} to {ordered[-1]}"
    return " or ".join(filter(None, (", ".join(ordered[:-1]), ordered[-1])))


def _source(constraint: Constraint, best: Stack) -> str:
    """Where the fact comes from that a constraint failed by."""
    if constraint.key[0] == "base":
        row = best.cuda.row if best.cuda.source in {"image", "recipe"} else None
        return _cited(row or best.build or best.os)
    if best.build is not None and constraint.path != "cuda.from":
        return _cited(best.build)
    if best.cuda.row is not None:
        return _cited(best.cuda.row)
    return _cited(cuda_version(best.cuda.version) if best.cuda.version else best.os)


def _cited(row: object) -> str:
    return f"{getattr(row, 'source')}, {getattr(row, 'date')}"  # noqa: B009
