"""The mirrors that the image keeps: apt, pip, npm and conda name them."""

from __future__ import annotations

import re
from collections.abc import Callable

from imagekit.checks.check import CheckFailedError, CheckSkippedError, Data, asking
from imagekit.checks.subject import Subject
from imagekit.wait import Deadline

# What each tool itself says it would ask; nothing is asked. Tools that an image does not
# have are looked up in the file that they would read.
_COMMANDS = {
    "apt": ("apt-get", "update", "--print-uris"),
    "mozilla": ("apt-get", "update", "--print-uris"),
    "pypi": (
        *("sh", "-c"),
        "{ pip config get global.index-url || cat /etc/pip.conf; } && cat /etc/uv/uv.toml",
    ),
    "npm": ("sh", "-c", "npm config get registry || cat /usr/local/etc/npmrc"),
    "conda": ("cat", "/etc/conda/.condarc"),
}

# The same paths as in build/mirrors/mirrors.sh.
_ARCHIVE = re.compile(r"^'https?://\S+?/(?:debian|debian-security|ubuntu|ubuntu-ports)/", re.M)


def check_mirrors(subject: Subject, deadline: Deadline) -> Data:
    """Every tool of a kept mirror names it."""
    mirrors = subject.plan.mirrors
    if not mirrors:
        raise CheckSkippedError("the plan keeps no mirrors")
    return {kind: _ask(subject, kind, url, deadline) for kind, url in mirrors}


def _ask(subject: Subject, kind: str, url: str, deadline: Deadline) -> str:
    asked = f"the mirror {url} from {kind}"
    with asking(asked):
        code, text = subject.inside.execute(
            _COMMANDS[kind], user=subject.plan.user.name, timeout=deadline.timeout()
        )
    if code != 0 or not _HOLDS[kind](text, url.rstrip("/")):
        seen = f"exit code {code} and {text[-500:]!r}"
        raise CheckFailedError(asked, seen, "build/mirrors/mirrors.sh")
    return url


def _archives(text: str, url: str) -> bool:
    """Whether every archive of a distribution is the mirror's; others may stand beside."""
    found = _ARCHIVE.findall(text)
    return bool(found) and all(archive.startswith(f"'{url}/") for archive in found)


def _mozilla(text: str, url: str) -> bool:
    """Whether Mozilla's packages come from the mirror alone."""
    return f"'{url}/" in text and "packages.mozilla.org" not in text


def _named(text: str, url: str) -> bool:
    return url in text


def _named_twice(text: str, url: str) -> bool:
    """By pip and by uv, which reads none of pip's settings."""
    return text.count(url) >= 2


_HOLDS: dict[str, Callable[[str, str], bool]] = {
    "apt": _archives,
    "mozilla": _mozilla,
    "pypi": _named_twice,
    "npm": _named,
    "conda": _named,
}
