"""The mirrors that a profile names: those that its image keeps, and those to build with."""

from __future__ import annotations

from imagekit.catalogue import Mirror, table
from imagekit.document import quote
from imagekit.plan.model import MOZILLA
from imagekit.plan.refusing import Refuse
from imagekit.profile import Profile
from imagekit.validation import suggestion

KEPT = ("apt", "conda", MOZILLA, "npm", "pypi")
"""Kinds of mirrors that an image can keep: those whose clients read a file."""

CLOSED = "closed"


def mirrors(profile: Profile, refuse: Refuse) -> tuple[tuple[str, str], ...]:
    """All mirrors that a profile names: pairs of kind and address, sorted by kind."""
    choice = profile.mirrors
    if choice is None:
        return ()
    found: dict[str, str] = {}
    if choice.preset:
        rows = [row for row in table(Mirror) if row.site == choice.preset]
        if not rows:
            known = sorted({row.site for row in table(Mirror) if row.status != CLOSED})
            what = f"mirrors: {quote(choice.preset)} is not in the catalogue"
            refuse(profile.where("mirrors", "preset"), what, suggestion(choice.preset, known))
        found = {row.kind: row.url for row in rows if row.status != CLOSED}
    found.update(choice.urls)
    return tuple(sorted(found.items()))


def kept(
    profile: Profile, named: tuple[tuple[str, str], ...], *, mozilla: bool
) -> tuple[tuple[str, str], ...]:
    """What of these the image keeps for its users.

    Args:
        profile: says whether it keeps any.
        named: all mirrors that it names.
        mozilla: whether the image has Mozilla's package source at all.
    """
    if profile.mirrors is None or not profile.mirrors.keep:
        return ()
    kinds = {*KEPT} if mozilla else {*KEPT} - {MOZILLA}
    return tuple((kind, url) for kind, url in named if kind in kinds)
