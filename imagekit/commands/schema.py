"""``imagekit schema``."""

from __future__ import annotations

import json
import re
from typing import Any

import click

from imagekit import validation

# What YAML takes for something else than text where nobody writes quotes.
_UNQUOTED = {"number": ("1", "12", "3.11", "12.2"), "boolean": ("true", "false")}


@click.command()
@click.argument(
    "kind",
    metavar="[profile|site|report]",
    type=click.Choice(["profile", "site", "report"]),
    default="profile",
)
def command(kind: str) -> None:
    """Print the JSON Schema of profiles, site files or reports.

    For editors, which then complete keys and mark mistakes: write it to a file, and name
    that file in a profile's first line: # yaml-language-server: $schema=FILE

    That of reports is for programs that read what `imagekit test --json` prints.
    """
    rules = validation.schema(kind)
    if kind != "report":  # which nobody writes, and which is JSON
        rules = _for_editors(rules)
    click.echo(json.dumps(rules, indent=2, ensure_ascii=False))


def _for_editors(rule: Any) -> Any:
    """A schema that lets pass what YAML takes for a number or a truth, and we for text.

    Here ``python: 3.11`` is text; an editor reads a number and would call it wrong.
    """
    if isinstance(rule, list):
        return [_for_editors(item) for item in rule]
    if not isinstance(rule, dict):
        return rule
    loosened = {key: _for_editors(value) for key, value in rule.items()}
    if rule.get("type") == "string" and "enum" not in rule:
        pattern = re.compile(rule.get("pattern", ""))
        taken = [
            kind for kind, texts in _UNQUOTED.items() if any(pattern.search(text) for text in texts)
        ]
        loosened["type"] = ["string", *taken] if taken else "string"
    return loosened
