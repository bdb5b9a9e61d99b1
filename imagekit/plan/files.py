"""The files of a profile's own: found beside it, read, and checked."""

from __future__ import annotations

import hashlib
import re
import stat
from pathlib import Path

from imagekit.choices import FileChoice
from imagekit.document import Mark, quote
from imagekit.plan.model import File
from imagekit.plan.refusing import Refuse
from imagekit.profile import Profile

MAX_BYTES = 1024 * 1024

# What a container's runtime lays over, what other parts of the image own, and where accounts
# are kept.
_RESERVED = re.compile(
    r"/(proc|sys|dev|run|tmp|etc/(passwd|shadow|group|gshadow|sudoers|ssh|imagekit|"
    r"resolv\.conf|hosts|hostname)|usr/lib/imagekit|opt/(venv|conda|imagekit)|"
    r"var/lib/(imagekit|dpkg))(/|$)"
)
_SECRET = re.compile(
    r"(^|/)(\.env|\.netrc|\.pgpass|\.git|id_(rsa|dsa|ecdsa|ed25519)|.*\.(pem|key))(/|$)"
)


def files(profile: Profile, refuse: Refuse) -> tuple[File, ...]:
    """All files with their contents, sorted by path."""
    found: dict[str, File] = {}
    for index, choice in enumerate(profile.files):
        key = profile.key("files", index)
        if bad := _bad_path(choice.path, found):
            refuse(
                profile.where("files", index, "path"), f"{key}.path: {bad}", "choose another path"
            )
        data = choice.text.encode()
        if choice.origin:
            data = _read(choice, profile.where("files", index, "from"), f"{key}.from", refuse)
        digest = hashlib.sha256(data).hexdigest()
        found[choice.path] = File(choice.path, choice.mode, digest, data)
    return tuple(found[path] for path in sorted(found))


def _bad_path(path: str, others: dict[str, File]) -> str:
    if {".", ".."} & set(path.split("/")):
        return f"{quote(path)} goes up or nowhere"
    if _RESERVED.match(path):
        return f"{quote(path)} belongs to the image or to the container's runtime"
    if path in others:
        return f"{quote(path)} comes twice"
    if any(path.startswith(f"{other}/") or other.startswith(f"{path}/") for other in others):
        return f"{quote(path)} is a file and a folder at once"
    return ""


def _read(choice: FileChoice, mark: Mark, key: str, refuse: Refuse) -> bytes:
    """The content of a regular file below the folder of the file that names it."""
    if _SECRET.search(choice.origin):
        what = f"{key}: {quote(choice.origin)} looks like a secret"
        refuse(mark, what, "hand secrets to the container when it is made, not to the image")
        return b""
    folder = Path(mark.file).parent
    path = folder
    for part in choice.origin.split("/"):
        path = path / part
        if path.is_symlink():
            refuse(mark, f"{key}: {path} is a symbolic link", "name the file itself")
            return b""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            refuse(mark, f"{key}: {path} is not a regular file", "name a file")
        elif status.st_size > MAX_BYTES:
            hint = "mount large files when the container is made"
            refuse(mark, f"{key}: {path} is larger than {MAX_BYTES // 1024} KiB", hint)
        else:
            return path.read_bytes()
    except OSError as error:
        hint = "the path is relative to the profile's folder"
        refuse(mark, f"{key}: {path} cannot be read: {error.strerror}", hint)
    return b""
