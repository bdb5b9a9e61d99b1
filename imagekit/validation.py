"""A located document and a JSON Schema become plain typed values, or located messages.

The schema decides what a text is: ``3.10`` becomes a number only where the schema
asks for one. Messages say where, which key, what is wrong and what would be right;
the last part comes from the schema's own ``title`` and ``examples``.
"""

from __future__ import annotations

import json
import pathlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from imagekit.document import (
    Entry,
    Mapping,
    Mark,
    Node,
    Problem,
    Scalar,
    Sequence,
    describe,
    quote,
)

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

Path: TypeAlias = tuple[str | int, ...]

# Found beside this file: importlib.resources takes 8 ms to import.
_SCHEMAS = pathlib.Path(__file__).parent / "schema"

_INTEGER = re.compile(r"[+-]?(0|[1-9][0-9]{0,17})\Z", re.ASCII)
_KINDS = {
    "object": "a mapping",
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "string": "text",
}

# What the schemas' other keywords say when they are violated. A keyword that is used in a
# schema and has no words here is a mistake that a test finds.
_LIMITS = {
    "minimum": "{found} is too small; the least is {limit}",
    "maximum": "{found} is too large; the most is {limit}",
    "minLength": "{found} is too short; the least is {limit} characters",
    "maxLength": "{found} is too long; the most is {limit} characters",
    "maxItems": "too many items; the most is {limit}",
    "maxProperties": "too many keys; the most is {limit}",
    "uniqueItems": "{found} stands here twice",
}


@cache
def schema(name: str) -> dict[str, Any]:
    """The shipped schema called ``name``: ``profile`` or ``site``. Not to be changed."""
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
    errors = list(_validator()(rules).iter_errors(values))
    # What is of the wrong type breaks other rules, too; the type says it all.
    mistyped = {tuple(error.absolute_path) for error in errors if error.validator == "type"}
    found = [
        problem
        for error in errors
        if error.validator == "type" or tuple(error.absolute_path) not in mistyped
        for problem in _explain(error, root, typed)
    ]
    problems = tuple(sorted({problem for _, problem in found}))
    return Validated(values, problems, frozenset(path for path, _ in found))


@cache
def _validator() -> type[Any]:
    """Jsonschema's validator, with a ``uniqueItems`` that says which item."""
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

    validator: type[Any] = extend(  # type: ignore[no-untyped-call]
        Draft202012Validator, {"uniqueItems": unique_items}
    )
    return validator


def prune(node: Mapping, bad: frozenset[Path], path: Path = ()) -> Mapping:
    """The document without the values at the paths ``bad``, so that the rest can be checked."""
    entries = [
        Entry(entry.key, entry.mark, _pruned(entry.value, bad, (*path, entry.key)))
        for entry in node.entries
        if (*path, entry.key) not in bad
    ]
    return Mapping(tuple(entries), node.mark)


def _pruned(node: Node, bad: frozenset[Path], path: Path) -> Node:
    if isinstance(node, Mapping):
        return prune(node, bad, path)
    if isinstance(node, Sequence):
        kept = [
            _pruned(item, bad, (*path, index))
            for index, item in enumerate(node.items)
            if (*path, index) not in bad
        ]
        return Sequence(tuple(kept), node.mark)
    return node


def place(root: Node, path: Path) -> Mark:
    """Where the value at ``path`` was written, or the nearest thing around it."""
    node = root
    for part in path:
        below: Node | None = None
        if isinstance(node, Mapping) and isinstance(part, str):
            below = node.get(part)
        elif isinstance(node, Sequence) and isinstance(part, int) and part < len(node.items):
            below = node.items[part]
        if below is None:
            break
        node = below
    return node.mark


def dotted(path: Path) -> str:
    """A key path for people: ``packages.apt[2]``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def suggestion(word: str, known: list[str]) -> str:
    """``did you mean …?`` for a near miss, otherwise the list of what is known."""
    import difflib  # noqa: PLC0415  (4 ms that only a mistake is worth)

    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f'did you mean "{near[0]}"?' if near else f"known: {', '.join(sorted(known))}"


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
        """Follow ``$ref``, and take the branch of ``anyOf`` that fits the node's kind."""
        while "$ref" in rule:
            name = rule["$ref"].removeprefix("#/$defs/")
            rule = self.root["$defs"][name]
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


def _explain(
    error: ValidationError, root: Mapping, typed: _Typing
) -> Iterator[tuple[Path, Problem]]:
    """What people should read about one of jsonschema's errors."""
    path: Path = tuple(error.absolute_path)
    if error.validator == "anyOf":
        yield from _explain_branch(error, root, typed)
        return
    if error.validator == "additionalProperties":
        yield from _unknown_keys(error, root, path)
        return
    if "propertyNames" in error.absolute_schema_path:
        yield _bad_key(error, root, path)
        return
    mark = place(root, path)
    for what, hint in _words(error, typed.used.get(path, {}), _at(root, path)):
        key = dotted(path)
        yield path, Problem(mark, f"{key}: {what}" if key else what, hint)


def _explain_branch(
    error: ValidationError, root: Mapping, typed: _Typing
) -> Iterator[tuple[Path, Problem]]:
    """Errors of the branch that fits the value's kind; of all branches when none does."""
    path: Path = tuple(error.absolute_path)
    used = typed.used.get(path)
    branches = _rules(error)["anyOf"]
    fitting = [i for i, branch in enumerate(branches) if branch is used]
    if fitting:
        for inner in error.context or ():
            if inner.relative_schema_path[0] == fitting[0]:
                yield from _explain(inner, root, typed)
        return
    mark = place(root, path)
    kinds = " or ".join(_KINDS[branch["type"]] for branch in branches)
    found = describe(_at(root, path))
    yield path, Problem(mark, f"{dotted(path)}: expected {kinds}, found {found}")


def _unknown_keys(
    error: ValidationError, root: Mapping, path: Path
) -> Iterator[tuple[Path, Problem]]:
    known = list(_rules(error).get("properties", {}))
    node = _at(root, path)
    entries = node.entries if isinstance(node, Mapping) else ()
    for entry in entries:
        if entry.key not in known:
            at = (*path, entry.key)
            hint = suggestion(entry.key, known)
            yield at, Problem(entry.mark, f"{dotted(at)}: unknown key", hint)


def _bad_key(error: ValidationError, root: Mapping, path: Path) -> tuple[Path, Problem]:
    """A key that does not have the form that keys have there."""
    node = _at(root, path)
    entries = node.entries if isinstance(node, Mapping) else ()
    mark = next(entry.mark for entry in entries if entry.key == error.instance)
    rules = _rules(error)
    title, example = rules["title"], rules["examples"][0]
    what = f"{dotted(path)}: key {quote(str(error.instance))} is not {title}"
    return (*path, str(error.instance)), Problem(mark, what, f"for instance {example}")


def _rules(error: ValidationError) -> dict[str, Any]:
    """The part of the schema that was violated."""
    return cast("dict[str, Any]", error.schema)


def _at(root: Node, path: Path) -> Node:
    node = root
    for part in path:
        if isinstance(node, Mapping):
            node = next(entry.value for entry in node.entries if entry.key == part)
        elif isinstance(node, Sequence) and isinstance(part, int):
            node = node.items[part]
    return node


def _words(error: ValidationError, rule: dict[str, Any], node: Node) -> Iterator[tuple[str, str]]:
    """What is wrong and what would be right: one pair, or one a missing key."""
    wanted = rule.get("title", "")
    example = rule.get("examples", [""])[0]
    hint = f"for instance {example}" if example else ""
    found = describe(node)
    limit: Any = error.validator_value
    match error.validator:
        case "required":
            for key in limit:
                if key not in cast("dict[str, Any]", error.instance):
                    yield f"missing key {quote(key)}", hint
        case "enum":
            yield f"{found} is not known", suggestion(str(error.instance), limit)
        case "type":
            yield f"expected {wanted or _KINDS[limit]}, found {found}", hint
        case "const":
            yield f"expected {limit}, found {found}", hint
        case "pattern" | "multipleOf":
            yield f"{found} is not {wanted}", hint
        case keyword:
            yield _LIMITS[str(keyword)].format(found=found, limit=limit), hint
