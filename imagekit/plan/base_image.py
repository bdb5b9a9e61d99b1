"""The base image that a profile names itself: what is known of it, or why it is refused."""

from __future__ import annotations

import re
from dataclasses import dataclass

from imagekit import catalogue
from imagekit.catalogue import BaseImage, OsRelease, table
from imagekit.document import quote
from imagekit.plan.refusing import Refuse
from imagekit.profile import Profile

_GONE = {
    "deleted": "has been deleted from its registry",
    "missing": "does not exist",
    "broken": "is broken",
    "refused": "moves: it is something else every few weeks",
}
_KEY = ("base", "image")


@dataclass(frozen=True, slots=True)
class GivenBase:
    """A base image that a profile names.

    Attributes:
        reference: as written.
        os: id of the release inside.
        row: the catalogue's row, or None for an image that it does not know.
    """

    reference: str
    os: str
    row: BaseImage | None

    @property
    def name(self) -> str:
        """The catalogue's name for it, or empty."""
        return f"{self.row.image}:{self.row.tag}" if self.row else ""


def given_base(profile: Profile, refuse: Refuse) -> GivenBase | None:
    """What is known of ``base.image``; None when there is none or it was refused."""
    if not profile.image:
        return None
    repository, tag = _split(profile.image)
    row = _row(repository, tag)
    mark = profile.where(*_KEY)
    if row is not None and row.status in _GONE:
        why = f": {row.note}" if row.note else ""
        what = f"base.image: {quote(profile.image)} {_GONE[row.status]}{why}"
        refuse(mark, f"{what} (source: {row.source}, {row.date})", row.instead)
        return None
    release = _release(repository, tag)
    known = row.os if row else release.id if release else ""
    if not known and tag in {"", "latest"}:
        what = f"base.image: {quote(profile.image)} moves: it is something else every few weeks"
        refuse(mark, what, "name a tag that stays, or a digest")
        return None
    if not known and not profile.os:
        what = f"base.image: {quote(profile.image)} is not in the catalogue"
        refuse(mark, what, "write base.os too, for instance os: ubuntu22.04")
        return None
    if known and profile.os and known != profile.os:
        what = f"base.image: {quote(profile.image)} is {known}, and base.os is {profile.os}"
        refuse(mark, what, "leave base.os out")
        return None
    return GivenBase(profile.image, known or profile.os or "", row)


def _split(reference: str) -> tuple[str, str]:
    """Repository and tag, without Docker Hub's own names; the digest for a pinned image."""
    name, _, digest = reference.partition("@")
    repository, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:
        repository, tag = name, ""
    short = re.sub(r"^(docker\.io/|index\.docker\.io/)?(library/)?", "", repository)
    return short, tag or digest


def _row(repository: str, tag: str) -> BaseImage | None:
    """The row that names the tag, or else the pattern that covers it."""
    rows = [row for row in table(BaseImage) if row.image == repository]
    exact = [row for row in rows if row.tag == tag]
    covering = [row for row in rows if "*" in row.tag and _covers(row.tag, tag)]
    return next(iter((*exact, *covering)), None)


def _covers(pattern: str, tag: str) -> bool:
    parts = (re.escape(part) for part in pattern.split("*"))
    return re.fullmatch(".*".join(parts), tag) is not None


def _release(repository: str, tag: str) -> OsRelease | None:
    """The release that an official image of a distribution holds."""
    for release in catalogue.os_releases().values():
        names = {release.release, release.suite}
        if repository == release.family and tag.removesuffix("-slim") in names:
            return release
    return None
