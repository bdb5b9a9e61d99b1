"""What would be right instead of what is wrong: near misses, and forms that nearly fit."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any

_LONGEST = 64  # characters of a word that is compared; nobody mistypes more
_MOST = 30  # names that are listed when nothing is near

_SWITCHES = {
    **dict.fromkeys(("yes", "on", "true", "y", "1", "enabled"), "true"),
    **dict.fromkeys(("no", "off", "false", "n", "0", "none", "disabled"), "false"),
}


def suggestion(word: str, known: list[str]) -> str:
    """``did you mean …?`` for a near miss, otherwise the list of what is known."""
    if near := nearest(word, known):
        return f'did you mean "{near}"?'
    names = sorted(known)
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return f"known: {', '.join(names[:_MOST])}{more}" if names else ""


def nearest(word: str, known: Sequence[str]) -> str:
    """The known word that was probably meant, or nothing."""
    import difflib  # noqa: PLC0415  (4 ms that only a mistake is worth)

    if len(word) > _LONGEST:
        return ""
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    letters = sorted(word.lower())  # the same ones in another order, or another case
    alike = (name for name in known if sorted(name.lower()) == letters)
    return near[0] if near else next(alike, "")


def switch(text: str) -> str:
    """``true`` or ``false`` for another word that means it, or nothing."""
    return _SWITCHES.get(text.strip().lower(), "")


def elsewhere(key: str, schema: dict[str, Any]) -> str:
    """The paths at which a schema has a key that is unknown where it stands."""
    found = [path for path in _paths(schema, "") if path.rpartition(".")[2] == key]
    return f"did you mean {' or '.join(found)}?" if found else ""


def _paths(rule: dict[str, Any], path: str) -> Iterator[str]:
    """All keys of a schema below its top."""
    for branch in (rule, *rule.get("anyOf", ())):
        for key, below in branch.get("properties", {}).items():
            inner = f"{path}.{key}" if path else key
            if path:
                yield inner
            yield from _paths(below, inner)


def repaired(text: str, pattern: str) -> str:
    """The form that was probably meant by a text which does not match a pattern, or nothing."""
    if len(text) > _LONGEST:
        return ""
    fits = re.compile(pattern)
    return next((form for form in _forms(text, pattern) if form != text and fits.search(form)), "")


def _forms(text: str, pattern: str) -> Iterator[str]:
    """What people mean by what they write, the surest first."""
    plain = unicodedata.normalize("NFKC", text).strip()  # full-width digits and letters, too
    yield plain
    yield plain.lower()
    if found := switch(plain):
        yield found
    if re.search(r"[=<>~]", plain):
        yield re.sub(r"\s+", "", plain)  # numpy >= 1.2
        yield re.sub(r"\s+", "", plain).replace("=", "==", 1)
    yield re.sub(r"^[a-zA-Z]+[-:/ ]?(?=[0-9])", "", plain)  # v12.2, cuda12.2
    if re.fullmatch(r"[0-9]+\.[0-9]", plain):
        yield f"{plain}0"  # 3.10 that something took for a number
    if re.fullmatch(r"[0-9]+(\.[0-9]+){2,}", plain):
        yield plain.rpartition(".")[0]  # 12.2.1 where 12.2 is asked for
    if re.fullmatch(r"(0o?)?[0-7]{3}", plain):
        yield f"0{plain[-3:]}"  # a mode
    if re.fullmatch(r"[0-9]+", plain) and "s$" in pattern:
        yield f"{plain}s"  # a time
    yield re.sub(r"(?<=[0-9])\s*[*×xX]\s*(?=[0-9])", "x", plain)  # 1920 × 1080
    if ":" in pattern:
        yield re.sub(r"^https?://", "", plain).rstrip("/")  # a registry, a host
    if re.search(r"\.ya?ml\Z", plain):
        yield re.sub(r"\.ya?ml\Z", "", plain.rpartition("/")[2])  # a profile's file
    if "." in plain and pattern.startswith("^http"):
        yield f"http{'' if ':' in plain else 's'}://{plain}"  # who names a port means http
