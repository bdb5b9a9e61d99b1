"""Where Debian packages come from: the host's mirror, and the sources written into a base.

Formats: sources.list(5), both the one-line and the deb822 style.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

_ARCHIVE = "/debian"
_SECURITY = "/debian-security"  # beside the archive on mirrors that have both
_ROLLING = ("sid", "unstable")  # these have neither an updates nor a security suite

# deb [option=value …] URI suite component …
_ONE_LINE = re.compile(r"^\s*deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s")


def host_mirror(root: Path = Path("/")) -> str:
    """The Debian archive that the host itself uses.

    Args:
        root: the host's root folder.

    Returns:
        The first URI of the host's apt sources whose path ends in ``/debian``, without a
        slash at its end; empty when there is none, as on other distributions. A URI with
        a password in it is never taken, because it would end up in the image.
    """
    apt = root / "etc" / "apt"
    files = [apt / "sources.list", *sorted((apt / "sources.list.d").glob("*"))]
    for file in files:
        if file.suffix not in {".list", ".sources"}:
            continue
        try:
            text = file.read_text(encoding="utf-8", errors="replace")
        except OSError:  # not there, or not for us
            continue
        for uri in _uris(text) if file.suffix == ".sources" else _one_line_uris(text):
            if _is_archive(uri):
                return uri.rstrip("/")
    return ""


def first_mirror(root: Path) -> str:
    """The archive that debootstrap wrote into a new root; empty when it wrote none."""
    try:
        text = (root / "etc" / "apt" / "sources.list").read_text(encoding="utf-8")
    except OSError:
        return ""
    return next(_one_line_uris(text), "").rstrip("/")


def sources(mirror: str, suite: str, signed_by: str = "") -> str:
    """The deb822 text for a base made of ``suite`` from ``mirror``.

    The security archive is the mirror's own, found by its path, so that a base uses one
    host for everything; mirrors whose path does not end in ``/debian`` get none.

    Args:
        mirror: the archive's URI.
        suite: the release's code name.
        signed_by: path in the base of the keyring; empty to trust apt's own.
    """
    suites = [suite] if suite in _ROLLING else [suite, f"{suite}-updates"]
    stanzas = [_stanza(mirror.rstrip("/"), suites, signed_by)]
    parts = urlsplit(mirror.rstrip("/"))
    if parts.path.endswith(_ARCHIVE) and suite not in _ROLLING:
        path = parts.path.removesuffix(_ARCHIVE) + _SECURITY
        security = urlunsplit(parts._replace(path=path))
        stanzas.append(_stanza(security, [f"{suite}-security"], signed_by))
    return "\n".join(stanzas)


def _stanza(uri: str, suites: list[str], signed_by: str) -> str:
    lines = ["Types: deb", f"URIs: {uri}", f"Suites: {' '.join(suites)}", "Components: main"]
    lines += [f"Signed-By: {signed_by}"] if signed_by else []
    return "\n".join(lines) + "\n"


def _is_archive(uri: str) -> bool:
    parts = urlsplit(uri)
    return (
        parts.scheme in {"http", "https"}
        and parts.path.rstrip("/").endswith(_ARCHIVE)
        and parts.username is None
    )


def _one_line_uris(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if found := _ONE_LINE.match(line):
            yield found[1]


def _uris(text: str) -> Iterator[str]:
    """The URIs of the stanzas that are for packages and not switched off."""
    for stanza in re.split(r"\n\s*\n", text):
        fields: dict[str, str] = {}
        name = ""
        for line in stanza.splitlines():
            if line.startswith("#") or not line.strip():
                continue
            if line[0] in " \t":  # goes on with the field before
                fields[name] = f"{fields.get(name, '')} {line.strip()}"
                continue
            name, _, value = line.partition(":")
            name = name.strip().lower()
            fields[name] = value.strip()
        if "deb" in fields.get("types", "").split() and fields.get("enabled", "yes") != "no":
            yield from fields.get("uris", "").split()
