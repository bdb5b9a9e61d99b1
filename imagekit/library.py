"""Where profiles lie, and how one is found by its name."""

from __future__ import annotations

import re
from pathlib import Path

from imagekit import assets, home
from imagekit.document import printable, quote
from imagekit.errors import InputError, Message
from imagekit.validation import suggestion

SUFFIX = ".yaml"
_SUFFIXES = (SUFFIX, ".yml")

# A profile's name is part of an image's name, so it follows the path components of
# https://github.com/distribution/reference (reference.go): alphanumerics, separated by one
# dot, one or two underscores, or any number of dashes. A leading underscore marks a mixin.
_NAME = re.compile(r"_?[a-z0-9]+((\.|_{1,2}|-+)[a-z0-9]+)*\Z", re.ASCII)
_LONGEST = 64


def is_name(text: str) -> bool:
    """Whether a text can be the name of a profile or a mixin; what looks like a file's cannot."""
    return len(text) <= _LONGEST and not text.endswith(_SUFFIXES) and bool(_NAME.match(text))


def folders() -> tuple[Path, ...]:
    """Where profiles are looked for, first match first: here, the user's own, the shipped ones."""
    return (Path("profiles"), home.config() / "profiles", assets.folder("profiles"))


def names() -> tuple[str, ...]:
    """All profiles that can be built, sorted; mixins (``_name``) are not among them."""
    return tuple(name for name in _all_names() if not name.startswith("_"))


def find(name: str) -> Path:
    """The file of a profile or a mixin, by name or by path.

    Raises:
        InputError: there is none; the message says what was meant, or where was looked.
    """
    if name.endswith(_SUFFIXES) or "/" in name:
        path = Path(name)
        if not is_name(path.stem):
            hint = "name the file with lowercase letters, digits, ., _ and -"
            raise InputError(Message(printable(name), "the file's stem is no profile name", hint))
        return path
    for folder in folders() if is_name(name) else ():
        path = folder / f"{name}{SUFFIX}"
        if path.is_file():
            return path
    known = [other for other in _all_names() if other.startswith("_") == name.startswith("_")]
    looked = ", ".join(str(folder) for folder in folders())
    hint = suggestion(name, known) if known else f"looked in {looked}"
    raise InputError(Message("", f"no profile {quote(name)}", hint))


def _all_names() -> list[str]:
    found = {
        path.stem
        for folder in folders()
        if folder.is_dir()
        for path in folder.glob(f"*{SUFFIX}")
        if is_name(path.stem) and path.is_file()
    }
    return sorted(found)
