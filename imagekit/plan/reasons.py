"""Why a plan is as it is: one line for each decision about the stack."""

from __future__ import annotations

from dataclasses import dataclass

from imagekit.catalogue import BaseImage
from imagekit.catalogue.versions import key
from imagekit.document import Mark
from imagekit.plan.choose import subject
from imagekit.plan.model import Plan
from imagekit.plan.stack import CONDA, IMAGE, RECIPE, WHEELS, Stack, releases
from imagekit.plan.wanted import TITLES
from imagekit.profile import Profile

_BY = {
    WHEELS: "from NVIDIA's wheels, which need no special base image",
    CONDA: "and Python from a conda channel under one prefix, whatever the release under it",
    IMAGE: "lies in the base image",
    RECIPE: "package by package from NVIDIA's apt repository, by checksum",
}


@dataclass(frozen=True, slots=True)
class Choice:
    """One decision.

    Attributes:
        key: the path of the key in a profile that decides the same.
        value: what was decided.
        reason: why, in one line.
        mark: where the profile says it, or None where the resolver chose.
    """

    key: str
    value: str
    reason: str
    mark: Mark | None


def reasons(profile: Profile, plan: Plan, stack: Stack) -> tuple[Choice, ...]:
    """All decisions about the stack, what stands on top first."""
    found = []
    if stack.build is not None:
        found.append(_framework(profile, stack))
    if plan.cuda is not None:
        found += [_cuda_version(profile, stack), _cuda_source(profile, stack)]
        if plan.cuda.cudnn:
            found.append(_cudnn(profile, stack))
    if plan.python is not None:
        found.append(_python(profile, stack))
    found.append(_os(profile, stack))
    return tuple(found)


def _framework(profile: Profile, stack: Stack) -> Choice:
    assert stack.build is not None  # noqa: S101  (the caller's condition)
    build = stack.build
    said = profile.framework.version if profile.framework else ""
    title = TITLES[build.name]
    built = f"built for CUDA {build.cuda}" if build.cuda else "built without CUDA"
    newest = stack.release == releases(build)[0][0]
    which = f"the newest release of {build.version}" if newest else f"a release of {build.version}"
    reason = f"{title} {stack.release}: {which}, {built}"
    return _choice(profile, ("framework", "version"), said, stack.release, reason)


def _cuda_version(profile: Profile, stack: Stack) -> Choice:
    said = profile.cuda.version if profile.cuda else ""
    version = stack.cuda.version
    if stack.build is not None:
        preferred = ", the one that its makers install by default" if stack.build.preferred else ""
        reason = f"CUDA {version}: {subject(stack)} was built for it{preferred}"
    else:
        reason = f"CUDA {version}: the newest that the catalogue has a way to"
    return _choice(profile, ("cuda", "version"), said, version, reason)


def _cuda_source(profile: Profile, stack: Stack) -> Choice:
    said = profile.cuda.source if profile.cuda else ""
    source = stack.cuda.source
    row = stack.cuda.row
    if isinstance(row, BaseImage):
        reason = (
            f"CUDA {stack.cuda.version} lies in {row.image}:{row.tag} ({row.status}, {row.date})"
        )
    else:
        by = _BY[source]
        if source == WHEELS and stack.build is not None:
            by = f"comes with {subject(stack)}'s own wheels, which need no special base image"
        reason = f"CUDA {stack.cuda.version} {by}"
    return _choice(profile, ("cuda", "from"), said, source, reason)


def _cudnn(profile: Profile, stack: Stack) -> Choice:
    said = profile.cuda.cudnn if profile.cuda else ""
    if stack.build is not None and stack.build.cudnn and stack.build.cudnn != stack.cudnn:
        reason = f"cuDNN {stack.cudnn}: serves {subject(stack)}, which was built for "
        reason += stack.build.cudnn
    else:
        reason = f"cuDNN {stack.cudnn}: comes with {subject(stack)}"
    return _choice(profile, ("cuda", "cudnn"), said, stack.cudnn, reason)


def _python(profile: Profile, stack: Stack) -> Choice:
    version, source = stack.python.version, stack.python.source
    if stack.build is not None:
        pythons = dict(releases(stack.build))[stack.release]
        known = sorted(pythons, key=key)
        listed = " and ".join(filter(None, (", ".join(known[:-1]), known[-1])))
        reason = f"Python {version}: {subject(stack)} has wheels for {listed} only"
    else:
        reason = f"Python {version}:"
    if source == "os":
        origin = (
            f"{stack.os.id}'s own" if version == stack.os.python else f"in {stack.os.id}'s archive"
        )
    elif stack.cuda.source == CONDA:
        origin = "from the channel that CUDA comes from"
    else:
        origin = f"from a conda channel, since {stack.os.id} has {', '.join(stack.os.pythons)}"
    joint = "; it is " if stack.build is not None else " "
    return _choice(profile, ("python",), profile.python, version, f"{reason}{joint}{origin}")


def _os(profile: Profile, stack: Stack) -> Choice:
    release = stack.os
    if profile.image:
        reason = f"{release.id}: what lies in {profile.image}"
        return Choice("base.image", release.id, reason, profile.where("base", "image"))
    if stack.cuda.source == IMAGE:
        reason = f"{release.id}: the base image with CUDA {stack.cuda.version} stands on it"
    elif stack.cuda.source == RECIPE:
        reason = f"{release.id}: the packages of CUDA {stack.cuda.version} are for it alone"
    elif release.built:
        reason = f"{release.id}: a release that images are built and tested on, supported until "
        reason += release.end_of_support or release.end_of_life
    else:
        reason = f"{release.id}: supported until {release.end_of_support or release.end_of_life}"
    return _choice(profile, ("base", "os"), profile.os or "", release.id, reason)


def _choice(profile: Profile, path: tuple[str, ...], said: str, value: str, reason: str) -> Choice:
    mark = profile.where(*path) if said else None
    return Choice(".".join(path), value, reason, mark)
