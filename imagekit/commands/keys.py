"""The keys that a schema knows, in its order: for sorting what people wrote, and for reference."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

ITEM = "[]"
"""Stands in a path for the items of a list."""

ANY = "*"
"""Stands in a path for keys of people's own choice."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a schema.

    Attributes:
        path: with dots; ``files[].path`` for a key of a list's items, ``env.*`` for free ones.
        rule: its part of the schema, references followed.
        description: what it is for.
    """

    path: str
    rule: dict[str, Any]
    description: str


def walk(schema: dict[str, Any]) -> Iterator[Key]:
    """All keys of a schema, each before those below it."""
    yield from _below(schema, schema, "")


def _below(schema: dict[str, Any], rule: dict[str, Any], path: str) -> Iterator[Key]:
    for name, below in rule.get("properties", {}).items():
        yield from _key(schema, below, f"{path}.{name}" if path else name)
    other = rule.get("additionalProperties")
    if isinstance(other, dict):
        yield from _key(schema, other, f"{path}.{ANY}")
    for branch in rule.get("anyOf", ()):
        yield from _below(schema, branch, path)
    items = _followed(schema, rule.get("items", {}))
    if "properties" in items:
        yield from _below(schema, items, f"{path}{ITEM}")


def _key(schema: dict[str, Any], rule: dict[str, Any], path: str) -> Iterator[Key]:
    followed = _followed(schema, rule)
    yield Key(path, followed, rule.get("description") or followed.get("description", ""))
    yield from _below(schema, followed, path)


def _followed(schema: dict[str, Any], rule: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in rule:
        rule = schema["$defs"][rule["$ref"].removeprefix("#/$defs/")]
    return rule
