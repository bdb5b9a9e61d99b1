"""The lock file: YAML, a package a line, read with located errors like every other file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from imagekit import document, validation
from imagekit.document import Mark, Problem
from imagekit.errors import InputError, Message
from imagekit.lock.model import FORMAT, Lock, LockedBase, Row, changed
from imagekit.plan.model import Plan

SUFFIX = ".lock"
_SUM = "sha256:"


def beside(profile: Path, shipped: Path) -> Path:
    """Where the lock of a profile lies: beside it.

    Args:
        profile: the profile's file.
        shipped: the folder of the profiles that come with imagekit; locks of these lie in
            the working folder.
    """
    name = f"{profile.stem}{SUFFIX}"
    return Path(name) if profile.parent == shipped else profile.with_name(name)


def dump(lock: Lock) -> str:
    """The file's text: sorted, so that a comparison shows what changed and no more."""
    return "\n".join((*_lines(lock), ""))


def load(path: Path, plan: Plan) -> Lock:
    """Read a lock file that was made for a plan.

    Raises:
        InputError: it cannot be read, has mistakes, or was made for another plan.
    """
    name = document.printable(str(path))
    if not path.exists():
        hint = f"imagekit build {plan.profile} --lock writes it"
        raise InputError(Message(name, "no such lock file", hint))
    loaded = document.load(path, f"lock: {FORMAT}")
    checked = validation.validate(loaded.root, "lock")
    problems = [*loaded.problems, *document.beyond(loaded.problems, checked.problems)]
    if problems:
        raise document.refusal(problems)
    lock = _typed(checked.values)
    if lock.plan != plan.digest:
        raise document.refusal([_stale(lock, plan, validation.place(loaded.root, ("plan",)))])
    return lock


def _stale(lock: Lock, plan: Plan, mark: Mark) -> Problem:
    keys = ", ".join(changed(lock, plan)) or "its format"
    what = f"locked for plan {lock.plan[:12]}, and this is {plan.digest[:12]}; changed: {keys}"
    return Problem(mark, what, f"imagekit build {plan.profile} --lock makes it anew")


def _lines(lock: Lock) -> Iterator[str]:
    yield f"# What went into the image of {lock.profile}. Written by `imagekit build --lock`;"
    yield "# `imagekit build --frozen` builds from it."
    yield f"lock: {FORMAT}"
    yield f"profile: {lock.profile}"
    yield f"plan: {json.dumps(lock.plan)}"
    yield "# Digests of the plan's parts, to say what changed."
    yield "keys:"
    yield from (f"  {key}: {json.dumps(digits)}" for key, digits in lock.keys)
    yield "base:"
    yield f"  image: {json.dumps(lock.base.image)}"
    if lock.base.digest:
        yield f"  digest: {lock.base.digest}"
    yield "  layers:"
    yield from (f"    - {layer}" for layer in lock.base.layers)
    yield "# Without a checksum: part of the base."
    yield from _section("apt", lock.apt)
    yield from _section("foreign", lock.foreign)
    yield from _section("python", lock.python)
    if lock.conda:
        yield "conda:"
        for prefix, rows in lock.conda:
            yield from _section(json.dumps(prefix), rows, "  ")


def _section(key: str, rows: Iterable[Row], indent: str = "") -> Iterator[str]:
    packages = sorted(rows)
    if packages:
        yield f"{indent}{key}:"
    for row in packages:
        words = (row.version, row.variant, *(f"{_SUM}{digits}" for digits in row.sha256))
        text = " ".join(word for word in words if word)
        yield f"{indent}  {json.dumps(row.name)}: {json.dumps(text)}"


def _typed(values: dict[str, Any]) -> Lock:
    base = values["base"]
    return Lock(
        profile=values["profile"],
        plan=values["plan"],
        keys=tuple(values["keys"].items()),
        base=LockedBase(base["image"], base.get("digest", ""), tuple(base["layers"])),
        apt=_rows(values.get("apt", {})),
        foreign=_rows(values.get("foreign", {})),
        python=_rows(values.get("python", {})),
        conda=tuple((prefix, _rows(rows)) for prefix, rows in values.get("conda", {}).items()),
    )


def _rows(values: dict[str, str]) -> tuple[Row, ...]:
    return tuple(_row(name, text.split(" ")) for name, text in values.items())


def _row(name: str, words: list[str]) -> Row:
    version, *rest = words
    sums = tuple(word.removeprefix(_SUM) for word in rest if word.startswith(_SUM))
    variant = next((word for word in rest if not word.startswith(_SUM)), "")
    return Row(name, version, variant, sums)
