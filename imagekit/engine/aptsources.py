"""Where packages come from: the host's mirror, and the sources written into a base.

Formats: sources.list(5), both the one-line and the deb822 style.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

# The last part of an archive's path, by family; Ubuntu's other architectures have their own.
_ARCHIVES = {"debian": ("/debian",), "ubuntu": ("/ubuntu", "/ubuntu-ports")}
_COMPONENTS = {"debian": "main", "ubuntu": "main universe"}
_SECURITY = "/debian-security"  # beside Debian's archive on mirrors that have both
_ROLLING = ("sid", "unstable")  # these have neither an updates nor a security suite

# deb [option=value …] URI suite component …
_ONE_LINE = re.compile(r"^\s*deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s")


def host_mirror(family: str = "debian", root: Path = Path("/")) -> str:
    """The archive that the host itself uses.

    Args:
        family: ``debian`` or ``ubuntu``.
        root: the host's root folder.

    Returns:
        The first URI of the host's apt sources whose path is that of the family's archive,
        without a slash at its end; empty when there is none, as on other distributions. A
        URI with a password in it is never taken, because it would end up in the image.
    """
    return next((uri for uri in host_uris(root) if _is_archive(uri, family)), "").rstrip("/")


def host_uris(root: Path = Path("/")) -> Iterator[str]:
    """All URIs that the host's apt fetches packages from, in the order of its files."""
    apt = root / "etc" / "apt"
    for file in (apt / "sources.list", *sorted((apt / "sources.list.d").glob("*"))):
        if file.suffix not in {".list", ".sources"}:
            continue
        try:
            text = file.read_text(encoding="utf-8", errors="replace")
        except OSError:  # not there, or not for us
            continue
        yield from _uris(text) if file.suffix == ".sources" else _one_line_uris(text)


def first_mirror(root: Path) -> str:
    """The archive that debootstrap wrote into a new root; empty when it wrote none."""
    try:
        text = (root / "etc" / "apt" / "sources.list").read_text(encoding="utf-8")
    except OSError:
        return ""
    return next(_one_line_uris(text), "").rstrip("/")


def sources(mirror: str, suite: str, family: str = "debian", signed_by: str = "") -> str:
    """The deb822 text for a base made of ``suite`` from ``mirror``.

    Args:
        mirror: the archive's URI.
        suite: the release's code name.
        family: ``debian`` or ``ubuntu``.
        signed_by: path in the base of the keyring; empty to trust apt's own.
    """
    stanzas = []
    for uri, suites in _entries(mirror, suite, family):
        lines = ["Types: deb", f"URIs: {uri}", f"Suites: {' '.join(suites)}"]
        lines += [f"Components: {_COMPONENTS[family]}"]
        lines += [f"Signed-By: {signed_by}"] if signed_by else []
        stanzas.append("\n".join(lines) + "\n")
    return "\n".join(stanzas)


def one_line_sources(mirror: str, suite: str, family: str = "debian") -> str:
    """The same as ``sources`` in the one-line style, trusting apt's own keys."""
    return "".join(
        f"deb {uri} {name} {_COMPONENTS[family]}\n"
        for uri, suites in _entries(mirror, suite, family)
        for name in suites
    )


def _entries(mirror: str, suite: str, family: str) -> list[tuple[str, list[str]]]:
    """Pairs of an archive's URI and its suites.

    Debian's security archive is the mirror's own, found by its path, so that a base uses
    one host for everything; mirrors whose path does not end in ``/debian`` get none.
    Ubuntu's mirrors have the security suite in the archive itself.
    """
    uri = mirror.rstrip("/")
    if suite in _ROLLING:
        return [(uri, [suite])]
    usual = [suite, f"{suite}-updates"]
    security = f"{suite}-security"
    if family == "ubuntu":
        return [(uri, [*usual, security])]
    entries = [(uri, usual)]
    parts = urlsplit(uri)
    (archive,) = _ARCHIVES["debian"]
    if parts.path.endswith(archive):
        path = parts.path.removesuffix(archive) + _SECURITY
        entries.append((urlunsplit(parts._replace(path=path)), [security]))
    return entries


def _is_archive(uri: str, family: str) -> bool:
    parts = urlsplit(uri)
    return (
        parts.scheme in {"http", "https"}
        and parts.path.rstrip("/").endswith(_ARCHIVES[family])
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
