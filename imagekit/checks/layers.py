"""All layers of the image: what one of them holds is in the image, even if a later one hides it."""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable, Iterator

from imagekit.checks import savedimage
from imagekit.checks.check import CheckFailedError, Data, asking
from imagekit.checks.savedimage import Layer
from imagekit.checks.subject import Subject
from imagekit.wait import Deadline

_HOST_KEY = re.compile(r"etc/ssh/ssh_host_\w+|etc/dropbear/\w+_host_key|var/lib/imagekit/.+")
_MACHINE_ID = re.compile(r"etc/machine-id|var/lib/dbus/machine-id")
_SECRET = re.compile(r"run/secrets/.+")
_SHADOW = re.compile(r"etc/g?shadow-?")

# Where people and programs put keys. Packages bring keys of their tests and examples, which
# open nothing: tornado and Python itself among them, and Debian's ssl-cert one that says so.
_KEYS = re.compile(
    r"(?!usr/(?!local/)|.*/(site-packages|dist-packages|node_modules|tests?|examples?|docs?|pkgs"
    r"|lib/python[\d.]+)/|etc/ssl/private/ssl-cert-snakeoil\.key)"
)
_PRIVATE_KEY = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----")
_LARGEST_KEY = 64 << 10

_CACHES = {
    "apt's package lists": re.compile(r"var/lib/apt/lists/"),
    "apt's packages": re.compile(r"var/cache/apt/"),
    "caches of pip and others": re.compile(r"(root|home/[^/]+)/\.(cache|npm)/|var/cache/(pip|uv)/"),
    "conda's packages": re.compile(r"opt/\w*conda\w*/pkgs/.*\.(conda|tar\.bz2)$"),
}
_SMALL = 1_000_000
"""Bytes of a cache that are not worth a word."""

# Two thirds of it are never reached: dpkg's database, which every step of apt writes anew,
# takes 10 MB a time.
_MOST_WASTED = 300_000_000
_WASTED_PART = 0.1
_SHOWN = 5

_LOOK_AT = "`docker history --no-trunc` of the image: what a step leaves must go in the same step"


def check_layers(subject: Subject, deadline: Deadline) -> Data:
    """No layer holds a key, a password or a cache, though a later one may hide it."""
    with asking("the image's layers", "the engine's log, and the room on its disk"):
        pieces = _in_time(subject.inside.saved(deadline.timeout()), deadline)
        layers = savedimage.read(pieces, _look)
    problems = [
        f"{what} in layer {number} of {len(layers)}"
        for number, layer in enumerate(layers, start=1)
        for what in (*layer.wrong, *_caches(layer))
    ]
    hidden = list(savedimage.wasted(layers))
    wasted = sum(size for size, _ in hidden)
    whole = sum(size for layer in layers for _, size in layer.entries)
    largest = [f"/{path} ({size} bytes)" for size, path in heapq.nlargest(_SHOWN, hidden)]
    if wasted > _MOST_WASTED + whole * _WASTED_PART:
        problems.append(
            f"{wasted // 1_000_000} of {whole // 1_000_000} MB are files that a later layer "
            f"replaces or removes: {', '.join(largest)}"
        )
    if problems:
        asked = "layers with nothing secret and nothing left over"
        raise CheckFailedError(asked, "; ".join(problems), _LOOK_AT)
    return {
        "layers": len(layers),
        "files": sum(len(layer.entries) for layer in layers),
        "bytes": whole,
        "wasted": wasted,
        "most_wasted": largest,
    }


def _in_time(pieces: Iterator[bytes], deadline: Deadline) -> Iterator[bytes]:
    for piece in pieces:
        deadline.timeout()
        yield piece


def _look(path: str, size: int, content: Callable[[], bytes]) -> Iterator[str]:
    """What must not lie in an image: the same for everyone who has it."""
    if size == 0:
        return
    if _HOST_KEY.fullmatch(path):
        yield f"/{path}"
    elif _SECRET.fullmatch(path):
        yield f"the secret /{path}"
    elif _MACHINE_ID.fullmatch(path):
        if re.fullmatch(rb"[0-9a-f]{32}\s*", content()):
            yield f"a machine id in /{path}"
    elif _SHADOW.fullmatch(path):
        for line in content().decode(errors="replace").splitlines():
            name, _, rest = line.partition(":")
            if rest.partition(":")[0].lstrip("!") not in {"", "*", "x"}:
                yield f"a password of {name} in /{path}"
    elif size <= _LARGEST_KEY and _KEYS.match(path) and _PRIVATE_KEY.search(content()):
        yield f"a private key in /{path}"


def _caches(layer: Layer) -> Iterator[str]:
    for what, pattern in _CACHES.items():
        taken = sum(size for path, size in layer.entries if pattern.match(path))
        if taken > _SMALL:
            yield f"{what} ({taken / 1e6:.1f} MB)"
