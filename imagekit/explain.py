"""What people read about a violation of a schema: where, which key, what is wrong, what is right.

The words for what would be right are the schema's own ``title`` and ``examples``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from imagekit.document import Mapping, Problem, Scalar, describe, quote
from imagekit.paths import Path, key_mark, named, node_at, place
from imagekit.suggest import elsewhere, nearest, repaired, suggestion, switch

if TYPE_CHECKING:
    # Only validation.py knows jsonschema; this is its ValidationError.
    Violation: TypeAlias = Any

Found: TypeAlias = Iterator[tuple[Path, Problem]]

# What the schemas' other keywords say when they are violated. A keyword that is used in a
# schema and has no words is a mistake that a test finds.
LIMITS = {
    "minimum": "{found} is too small; the least is {limit}",
    "maximum": "{found} is too large; the most is {limit}",
    "minLength": "{found} is too short; the least is {limit} characters",
    "maxLength": "{found} is too long; the most is {limit} characters",
    "minItems": "too few items; the least is {limit}",
    "maxItems": "too many items; the most is {limit}",
    "maxProperties": "too many keys; the most is {limit}",
}
_NUMBERS = {"minimum", "maximum"}
_CROWDED = {"maxItems", "maxProperties"}
_KINDS = {
    "object": "a mapping",
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "string": "text",
}


@dataclass(frozen=True, slots=True)
class Checked:
    """What was checked, for explaining what is wrong with it.

    Attributes:
        root: the document.
        schema: all rules.
        used: the rule that each path was typed by.
    """

    root: Mapping
    schema: dict[str, Any]
    used: dict[Path, dict[str, Any]]


def explain(errors: Iterable[Violation], checked: Checked) -> Found:
    """Every problem with the path of the value that is wrong."""
    every = [(tuple(error.absolute_path), error) for error in errors]
    # What is of the wrong type breaks other rules, too; the type says it all.
    mistyped = {path for path, error in every if error.validator == "type"}
    # Of a crowd nobody reads what is wrong with each.
    crowds = {path for path, error in every if error.validator in _CROWDED}
    for path, error in every:
        if error.validator != "type" and path in mistyped:
            continue
        if error.validator in _CROWDED or not any(path[: len(at)] == at for at in crowds):
            yield from _explain(error, checked)


def _explain(error: Violation, checked: Checked) -> Found:
    path: Path = tuple(error.absolute_path)
    if error.validator == "anyOf":
        yield from _branch(error, path, checked)
    elif error.validator == "oneOf":
        yield _exclusive(error, path, checked)
    elif error.validator == "additionalProperties":
        yield from _unknown_keys(error, path, checked)
    elif "propertyNames" in error.absolute_schema_path:
        yield _bad_key(error, path, checked)
    else:
        for what, hint in _words(error, path, checked):
            yield path, _problem(checked, path, what, hint)


def _problem(checked: Checked, path: Path, what: str, hint: str) -> Problem:
    key = named(checked.root, path)
    return Problem(place(checked.root, path), f"{key}: {what}" if key else what, hint)


def _branch(error: Violation, path: Path, checked: Checked) -> Found:
    """Errors of the branch that fits the value's kind; the first branch's when none does."""
    used = checked.used.get(path)
    branches = error.schema["anyOf"]
    fitting = [index for index, branch in enumerate(branches) if branch is used]
    if fitting:
        context = error.context or ()
        inner = [one for one in context if one.relative_schema_path[0] == fitting[0]]
        yield from explain(inner, checked)
        return
    first = branches[0]
    found = describe(node_at(checked.root, path))
    what = f"expected {first['title']}, found {found}"
    yield path, _problem(checked, path, what, _instance(first))


def _exclusive(error: Violation, path: Path, checked: Checked) -> tuple[Path, Problem]:
    """None of several keys of which one has to be there, or more than one."""
    keys = [branch["required"][0] for branch in error.schema["oneOf"]]
    given = [key for key in error.instance if key in keys]
    if not given:
        what = f"neither {' nor '.join(keys)}"
        return path, _problem(checked, path, what, _instance(error.schema))
    at = (*path, given[1])
    what = f"{named(checked.root, at)}: there is {given[0]} already"
    return path, Problem(key_mark(checked.root, at), what, "give one of the two")


def _unknown_keys(error: Violation, path: Path, checked: Checked) -> Found:
    known = list(error.schema.get("properties", {}))
    node = node_at(checked.root, path)
    for entry in node.entries if isinstance(node, Mapping) else ():
        if entry.key not in known:
            at = (*path, entry.key)
            what = f"{named(checked.root, at)}: unknown key"
            hint = _unseen(entry.key) or ("" if path else elsewhere(entry.key, checked.schema))
            yield at, Problem(entry.mark, what, hint or suggestion(entry.key, known))


def _unseen(key: str) -> str:
    """What nobody sees who looks for the mistake, such as spaces that YAML takes for letters."""
    unseen = next((char for char in key if not char.isprintable()), "")
    return f"it holds the invisible character U+{ord(unseen):04X}; remove it" if unseen else ""


def _bad_key(error: Violation, path: Path, checked: Checked) -> tuple[Path, Problem]:
    """A key that does not have the form that keys have there."""
    rules, key = error.schema, str(error.instance)
    at = (*path, key)
    what = f"{named(checked.root, path)}: key {quote(key)} is not {rules['title']}"
    near = repaired(key, rules["pattern"])
    return at, Problem(key_mark(checked.root, at), what, _meant(near) or _instance(rules))


def _words(error: Violation, path: Path, checked: Checked) -> Iterator[tuple[str, str]]:
    """What is wrong and what would be right: one pair, or one a missing key."""
    rule = checked.used.get(path, {})
    node = node_at(checked.root, path)
    wanted = rule.get("title", "")
    found = describe(node)
    limit: Any = error.validator_value
    text = node.text if isinstance(node, Scalar) else ""
    match error.validator:
        case "required":
            for key in limit:
                if key not in error.instance:
                    yield f"missing key {quote(key)}", _missing(key, rule)
        case "enum":
            near = nearest(text, [str(value) for value in limit])
            yield f"{found} is not {wanted}", _meant(near) or _instance(rule)
        case "type":
            near = switch(text) if limit == "boolean" else ""
            hint = f"did you mean {near}?" if near else _instance(rule)
            yield f"expected {wanted or _KINDS[limit]}, found {found}", hint
        case "const":
            yield f"expected {wanted}, found {found}", _instance(rule)
        case "pattern":
            yield f"{found} is not {wanted}", _meant(repaired(text, limit)) or _instance(rule)
        case "multipleOf":
            yield f"{found} is not {wanted}", _instance(rule)
        case "uniqueItems":
            yield f"{found} stands here twice", "remove one of them"
        case keyword:
            hint = _instance(rule) if keyword in _NUMBERS else ""
            yield LIMITS[str(keyword)].format(found=found, limit=limit), hint


def _missing(key: str, rule: dict[str, Any]) -> str:
    example = next(iter(rule.get("properties", {}).get(key, {}).get("examples", ())), "")
    return f"write {key}: {example}" if example else ""


def _instance(rule: dict[str, Any]) -> str:
    example = next(iter(rule.get("examples", ())), "")
    return f"for instance {example}" if example else ""


def _meant(near: str) -> str:
    return f"did you mean {quote(near)}?" if near else ""
