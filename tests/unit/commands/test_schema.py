"""`imagekit schema`: what editors are told is what imagekit accepts."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest

from imagekit import validation

RunCli = Callable[..., Any]


@pytest.mark.parametrize("kind", ["profile", "site", "report"])
def test_what_is_printed_is_a_schema(run_cli: RunCli, kind: str) -> None:
    ended = run_cli("schema", kind)
    assert (ended.code, ended.err) == (0, "")
    rules = json.loads(ended.out)
    assert rules["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert rules["$id"].endswith(f"/{kind}-1.json")
    jsonschema.Draft202012Validator.check_schema(rules)


def test_profiles_are_meant_when_nothing_is_said(run_cli: RunCli) -> None:
    assert run_cli("schema").out == run_cli("schema", "profile").out


def test_that_of_reports_is_as_strict_as_the_shipped_one(run_cli: RunCli) -> None:
    assert json.loads(run_cli("schema", "report").out) == validation.schema("report")


def test_another_kind_is_wrong_usage(run_cli: RunCli) -> None:
    ended = run_cli("schema", "lab")
    assert (ended.code, ended.out) == (2, "")


@pytest.mark.parametrize(
    ("values", "right"),
    [
        # As an editor's YAML parser reads `python: 3.11` and `cuda: true`.
        ({"profile": 1, "python": 3.11, "cuda": True}, True),
        ({"profile": 1, "cuda": 12.2}, True),
        ({"profile": 1, "cuda": {"version": 12}}, True),
        ({"profile": 1, "framework": {"name": "tensorflow", "version": 2.15}}, True),
        ({"profile": 1, "env": {"DEBUG": 1}}, True),
        ({"profile": 1, "user": {"name": 1}}, False),
        ({"profile": 1, "user": {"name": True}}, True),
        ({"profile": 1, "framework": {"name": True}}, False),
        ({"profile": 1, "cuda": {"cudnn": True}}, False),
        ({"profile": 1, "desktop": "yes"}, False),
    ],
)
def test_numbers_and_truths_pass_where_their_text_would(
    run_cli: RunCli, values: dict[str, Any], right: bool
) -> None:
    rules = json.loads(run_cli("schema").out)
    assert jsonschema.Draft202012Validator(rules).is_valid(values) is right
