"""Which lines of a profile made a build step fail, read from what apt, pip, uv and npm say."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from imagekit.document import Problem, quote
from imagekit.paths import Path, nodes
from imagekit.plan.model import APPLICATIONS, MOZILLA, Plan
from imagekit.profile import Profile

# What a program says of a package, and what that means.
_Words = tuple[tuple[str, str], ...]
# Which values of a profile ask for a package.
_Owner = Callable[[Profile, Plan, str], Iterator[Path]]

# The keys that ask for layers which are not called by one.
_ASKED: dict[str, Path] = {
    APPLICATIONS: ("desktop", "applications"),
    MOZILLA: ("desktop", "applications"),
}

# https://salsa.debian.org/apt-team/apt: apt-private/private-cacheset.cc; dpkg: src/main/errors.c
_APT: _Words = (
    (r"E: Unable to locate package (\S+)", "apt finds no package {name}"),
    (r"E: Package '([^']+)' has no installation candidate", "apt finds no package {name}"),
    (r"E: Version '[^']+' for '([^']+)' was not found", "apt has no such version of {name}"),
    (r"dpkg: error processing (?:package|archive) (\S+)", "dpkg cannot install {name}"),
)
# https://github.com/pypa/pip: src/pip/_internal/resolution/resolvelib/factory.py;
# https://github.com/astral-sh/uv: crates/uv-resolver/src/pubgrub/report.rs
_DISTRIBUTION = r"([A-Za-z0-9][\w.-]*)"
_PIP: _Words = (
    (rf"No matching distribution found for {_DISTRIBUTION}", "no index has {name}"),
    (rf"[Bb]ecause {_DISTRIBUTION} was not found in the package reg", "no index has {name}"),
    (rf"there (?:is|are) no versions? of {_DISTRIBUTION}", "no index has this version of {name}"),
    (rf"only {_DISTRIBUTION}\S* (?:is|are) available", "no index has this version of {name}"),
    (rf"[Ff]ailed (?:to build|building wheel for) `?{_DISTRIBUTION}", "{name} cannot be built"),
)
# https://github.com/npm/cli: lib/utils/error-message.js
_NPM: _Words = (
    (r"'(@?[^'@]+)@[^']*' (?:could not be found|is not in this registry)", "npm finds no {name}"),
    (r"No matching version found for (@?[^@\s]+)@", "npm has no such version of {name}"),
)


def blame(profile: Profile, plan: Plan, step: str, log: Sequence[str]) -> tuple[Problem, ...]:
    """The values of a profile that a failed step complains about.

    Args:
        profile: whose document says where each value was written.
        plan: what became of it.
        step: the step's name.
        log: the step's last lines of output.

    Returns:
        One problem a value, in file order; none where nobody wrote the value.
    """
    # One text, since programs break their sentences at some width.
    text = " ".join(line.strip() for line in log)
    found = dict.fromkeys(_file(profile, step), "this file cannot be put there")
    for words, owner in ((_APT, _apt), (_PIP, _pip), (_NPM, _npm)):
        for pattern, what in words:
            for match in re.findall(pattern, text):
                name = match.rstrip(".")
                for path in owner(profile, plan, name):
                    found.setdefault(path, what.format(name=quote(name)))
    problems = [
        Problem(profile.where(*path), f"{profile.key(*path)}: {what}")
        for path, what in found.items()
        if len(nodes(profile.merged, path)) == len(path) + 1
    ]
    return tuple(sorted(problems))


def _apt(profile: Profile, plan: Plan, name: str) -> Iterator[Path]:
    bare = _bare(name)
    for key, written in ((("packages", "apt"), profile.apt), (("locale", "fonts"), profile.fonts)):
        own = [index for index, entry in enumerate(written) if _bare(entry) == bare]
        if own:
            yield (*key, own[0])
            return
    # What a feature consists of is not the profile's, but that it is wanted is. What every
    # image has is not: `base` says on which release.
    features = (feature for feature, packages in plan.apt if bare in packages)
    yield from (_ASKED.get(feature, (feature,)) for feature in features if feature != "base")


def _pip(profile: Profile, plan: Plan, name: str) -> Iterator[Path]:
    for index, entry in enumerate(profile.pip):
        if _normal(entry) == _normal(name):
            yield ("packages", "pip", index)
            return
    python = plan.python
    features = (
        ("framework", python.framework if python else ()),
        ("cuda", python.cuda if python else ()),
        ("jupyter", python.jupyter if python else ()),
    )
    for feature, requirements in features:
        if _normal(name) in map(_normal, requirements):
            yield (feature,)


def _npm(profile: Profile, plan: Plan, name: str) -> Iterator[Path]:  # noqa: ARG001
    for index, entry in enumerate(profile.npm):
        if entry == name or entry.startswith(f"{name}@"):
            yield ("packages", "npm", index)


def _file(profile: Profile, step: str) -> Iterator[Path]:
    """The file that a COPY step was about."""
    for index, file in enumerate(profile.files):
        if step.endswith(f" files{file.path} {file.path}"):
            yield ("files", index, "path")


def _bare(package: str) -> str:
    """An apt package's name without its version, architecture or suite."""
    return re.split(r"[=:/]", package)[0]


def _normal(requirement: str) -> str:
    """A distribution's name as indexes compare it.

    https://packaging.python.org/en/latest/specifications/name-normalization/
    """
    name = re.match(_DISTRIBUTION, requirement)
    return re.sub(r"[-_.]+", "-", name[1]).lower() if name else requirement
