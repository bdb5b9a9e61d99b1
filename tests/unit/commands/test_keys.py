"""The walk over a schema's keys."""

from __future__ import annotations

from typing import Any

from imagekit.commands import keys

SCHEMA: dict[str, Any] = {
    "$defs": {"url": {"type": "string", "description": "an address"}},
    "properties": {
        "a": {
            "description": "both",
            "anyOf": [
                {"type": "string"},
                {"type": "object", "properties": {"b": {"$ref": "#/$defs/url"}}},
            ],
        },
        "env": {"type": "object", "additionalProperties": {"description": "any"}},
        "files": {
            "type": "array",
            "items": {"type": "object", "properties": {"path": {"description": "where"}}},
        },
        "own": {"$ref": "#/$defs/url", "description": "said again"},
    },
}


def test_every_key_is_found_before_those_below_it() -> None:
    assert [(key.path, key.description) for key in keys.walk(SCHEMA)] == [
        ("a", "both"),
        ("a.b", "an address"),
        ("env", ""),
        ("env.*", "any"),
        ("files", ""),
        ("files[].path", "where"),
        ("own", "said again"),
    ]
