"""Where each value comes from: a flag, the profile, what it extends, the site, a default."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from imagekit import validation
from imagekit.commands import keys
from imagekit.document import Mark, Node, Scalar, Sequence, printable
from imagekit.inherit import BASE_NAME
from imagekit.plan.model import Plan
from imagekit.plan.resolve import Decision
from imagekit.profile import Profile
from imagekit.site import Site

FLAG, PROFILE, EXTENDED, SITE, DEFAULT, CHOSEN = (
    "flag",
    "profile",
    "extended",
    "site",
    "default",
    "chosen",
)

# What says how the others are read, and no value itself.
_NO_VALUES = ("profile", "extends")


@dataclass(frozen=True, slots=True)
class Origin:
    """A value and where it comes from.

    Attributes:
        key: its path with dots; ``packages.apt[2]`` for an item of a list.
        value: the value as text.
        kind: ``flag``, ``profile``, ``extended`` (a profile or mixin that the profile
            extends), ``site``, ``default`` or ``chosen`` (by the resolver).
        where: ``file:line:column``, or the flag, or empty for what nobody wrote.
        why: the reason of what was chosen, otherwise empty.
    """

    key: str
    value: str
    kind: str
    where: str
    why: str = ""


def of_profile(path: Path, profile: Profile, decision: Decision) -> tuple[Origin, ...]:
    """Every value of a profile: as written, as chosen, or as it is by default.

    Args:
        path: the profile's file.
        profile: the profile as loaded.
        decision: what became of it.
    """
    written = list(_written(path, profile))
    said = {origin.key for origin in written}
    chosen = [
        Origin(choice.key, choice.value, CHOSEN, "", choice.reason)
        for choice in decision.choices
        if choice.mark is None
    ]
    said |= {origin.key for origin in chosen}
    defaults = [
        Origin(key, value, DEFAULT, "")
        for key, value in _built_in(decision.plan)
        if not any(other == key or other.startswith((f"{key}[", f"{key}.")) for other in said)
    ]
    known = [each.path for each in keys.walk(validation.schema("profile"))]
    every = (*written, *chosen, *defaults)
    return tuple(sorted(every, key=lambda origin: _order(origin.key, known)))


def of_site(site: Site) -> tuple[Origin, ...]:
    """Every value of a site: as written, or as it is by default."""
    written = [
        Origin(key, node.text, SITE, str(node.mark))
        for key, node in leaves(site.values)
        if key != "site"
    ]
    said = {origin.key for origin in written}
    defaults = {
        "base.policy": site.base_policy,
        "cache.inline": _text(site.cache_inline),
        "run.bind": site.bind,
        "run.ports": str(site.ports),
    }
    unsaid = [Origin(key, text, DEFAULT, "") for key, text in defaults.items() if key not in said]
    named = sum(key.startswith("ca_certificates[") for key in said)
    hosts = site.ca_sources[: len(site.ca_sources) - named]
    found = [Origin("ca_certificates", source, DEFAULT, "this host's own") for source in hosts]
    return (*written, *unsaid, *found)


def leaves(node: Node, key: str = "") -> Iterator[tuple[str, Scalar]]:
    """All single values below a node, with their paths; an empty list has none."""
    if isinstance(node, Scalar):
        yield key, node
    elif isinstance(node, Sequence):
        for index, item in enumerate(node.items):
            yield from leaves(item, f"{key}[{index}]")
    else:
        for entry in node.entries:
            yield from leaves(entry.value, f"{key}.{entry.key}" if key else entry.key)


def _written(path: Path, profile: Profile) -> Iterator[Origin]:
    for key, node in leaves(profile.merged):
        if not key.startswith(_NO_VALUES):
            kind = _kind(node.mark, printable(str(path)))
            yield Origin(key, node.text, kind, str(node.mark))


def _kind(mark: Mark, own: str) -> str:
    if mark.file.startswith("--set "):
        return FLAG
    if mark.file == own:
        return PROFILE
    # The shipped defaults, or a lab's own of the same name.
    return DEFAULT if Path(mark.file).stem == BASE_NAME else EXTENDED


def _built_in(plan: Plan) -> Iterator[tuple[str, str]]:
    """The values of optional keys as the plan has them."""
    yield "conda", _text(plan.conda)
    yield "jupyter", _text(plan.jupyter)
    if plan.sshd is not None:
        yield "sshd.password", _text(plan.sshd.password)
    yield "user.gid", str(plan.user.gid)
    yield "user.shell", plan.user.shell
    if plan.desktop is None:
        yield "desktop", "false"
    else:
        yield "desktop.session", plan.desktop.session
        yield "desktop.geometry", plan.desktop.geometry
        yield "desktop.depth", str(plan.desktop.depth)
    if plan.framework is None:
        yield "framework", "none"
    if plan.cuda is None:
        yield "cuda", "false"
    else:
        yield "cuda.flavour", plan.cuda.flavour
    if plan.health is None:
        yield "healthcheck", "false"
    else:
        yield "healthcheck.interval", plan.health.interval
        yield "healthcheck.timeout", plan.health.timeout
        yield "healthcheck.start_period", plan.health.start_period
        yield "healthcheck.retries", str(plan.health.retries)


def _text(value: bool) -> str:
    return "true" if value else "false"


def _order(key: str, known: list[str]) -> int:
    """The schema's order of keys; items of a list follow one another."""
    path = key.partition("[")[0]
    while path and path not in known:
        path = path.rpartition(".")[0]
    return known.index(path) if path else len(known)
