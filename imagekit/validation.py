"""A located document and a JSON Schema become plain typed values, or located messages.

The schema decides what a text is: ``3.10`` becomes a number only where the schema
asks for one. ``imagekit.explain`` finds the words for what is wrong.
"""

from __future__ import annotations

import json
import pathlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from imagekit.document import Mapping, Node, Problem, Scalar, Sequence
from imagekit.explain import Checked, explain
from imagekit.paths import Path, dotted, named, place, prune
from imagekit.suggest import suggestion

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

__all__ = [
    "Path",
    "Validated",
    "dotted",
    "named",
    "place",
    "prune",
    "schema",
    "suggestion",
    "validate",
]

# Found beside this file: importlib.resources takes 8 ms to import.
_SCHEMAS = pathlib.Path(__file__).parent / "schema"

_INTEGER = re.compile(r"[+-]?(0|[1-9][0-9]{0,17})\Z", re.ASCII)


@cache
def schema(name: str) -> dict[str, Any]:
    """The shipped schema called ``name``, such as ``profile``. Not to be changed."""
    text = (_SCHEMAS / f"{name}.json").read_text("utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


@dataclass(frozen=True, slots=True)
class Validated:
    """What came of typing a document.

    Attributes:
        values: plain values of the schema's types.
        problems: what is wrong, in file order.
        bad: the paths of the values that are wrong.
    """

    values: dict[str, Any]
    problems: tuple[Problem, ...]
    bad: frozenset[Path]


def validate(root: Mapping, schema_name: str) -> Validated:
    """Type a document by the schema called ``schema_name``."""
    rules = schema(schema_name)
    typed = _Typing(rules)
    values = typed.convert(root, rules, ())
    found = list(explain(_errors(rules, values), Checked(root, rules, typed.used)))
    problems = tuple(sorted({problem for _, problem in found}))
    return Validated(values, problems, frozenset(path for path, _ in found))


def _errors(rules: dict[str, Any], values: Any) -> Iterator[ValidationError]:
    return _validator()(rules).iter_errors(values)  # type: ignore[no-any-return]


@cache
def _validator() -> type[Any]:
    """Jsonschema's validator, with keywords of our own.

    ``uniqueItems`` says which item; ``pattern`` leaves texts alone that are too long anyway.
    """
    # 60 ms that verbs which only list or look up need not spend.
    from jsonschema import Draft202012Validator  # noqa: PLC0415
    from jsonschema.exceptions import ValidationError  # noqa: PLC0415
    from jsonschema.validators import extend  # noqa: PLC0415

    def unique_items(
        _validator: Any, wanted: Any, instance: Any, _schema: Any
    ) -> Iterator[ValidationError]:
        """Of lists of scalars only: jsonschema's own compares every item with every other."""
        seen: set[Any] = set()
        for index, item in enumerate(instance if wanted and isinstance(instance, list) else ()):
            if isinstance(item, (dict, list)):
                continue
            if item in seen:
                yield ValidationError("", path=(index,))
            seen.add(item)

    def pattern(
        _validator: Any, wanted: str, instance: Any, rule: dict[str, Any]
    ) -> Iterator[ValidationError]:
        if not isinstance(instance, str) or len(instance) > rule.get("maxLength", len(instance)):
            return
        if not re.search(wanted, instance):
            yield ValidationError("")

    validator: type[Any] = extend(  # type: ignore[no-untyped-call]
        Draft202012Validator, {"uniqueItems": unique_items, "pattern": pattern}
    )
    return validator


class _Typing:
    """Walks document and schema together, converts scalars, remembers the schema used."""

    def __init__(self, root: dict[str, Any]) -> None:
        self.root = root
        self.used: dict[Path, dict[str, Any]] = {}

    def convert(self, node: Node, rule: dict[str, Any], path: Path) -> Any:
        rule = self._choose(rule, node)
        self.used[path] = rule
        if isinstance(node, Mapping):
            known = rule.get("properties", {})
            other = rule.get("additionalProperties", {})
            other = other if isinstance(other, dict) else {}
            return {
                entry.key: self.convert(
                    entry.value, known.get(entry.key, other), (*path, entry.key)
                )
                for entry in node.entries
            }
        if isinstance(node, Sequence):
            items = rule.get("items", {})
            return [self.convert(item, items, (*path, i)) for i, item in enumerate(node.items)]
        return _typed(node, rule)

    def _choose(self, rule: dict[str, Any], node: Node) -> dict[str, Any]:
        """Follow ``$ref``, and take the branch of ``anyOf`` that fits the node's kind.

        What stands beside ``$ref`` wins over what it names.
        """
        while "$ref" in rule:
            name = rule["$ref"].removeprefix("#/$defs/")
            beside = {key: value for key, value in rule.items() if key != "$ref"}
            rule = {**self.root["$defs"][name], **beside}
        for branch in rule.get("anyOf", ()):
            if _fits(node, branch.get("type", "")):
                return self._choose(branch, node)
        return rule


def _fits(node: Node, kind: str) -> bool:
    if isinstance(node, Mapping):
        return kind == "object"
    if isinstance(node, Sequence):
        return kind == "array"
    return kind not in {"object", "array"}


def _typed(node: Scalar, rule: dict[str, Any]) -> Any:
    """A scalar by the rule's type; text that does not fit stays text and fails validation."""
    if node.is_missing:
        return None
    kind = rule.get("type")
    if kind == "boolean" and node.text in {"true", "false"}:
        return node.text == "true"
    if kind == "integer" and _INTEGER.match(node.text):
        return int(node.text)
    return node.text
