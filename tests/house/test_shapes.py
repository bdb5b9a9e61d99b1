"""What docs/metadata.md promises to programs is what they get."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import jsonschema
import pytest

from imagekit import events, metadata, profile, validation
from imagekit.bases import Base
from imagekit.build import Built
from imagekit.engine.trace import StepRun
from imagekit.plan.resolve import resolve


@pytest.fixture(scope="module")
def page(root: Path) -> str:
    return (root / "docs" / "metadata.md").read_text("utf-8")


def shape(value: Any) -> Any:
    """Keys and kinds of values."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value[:1]]
    return type(value)


def test_the_metadata_file_has_the_shape_of_its_example(page: str) -> None:
    example, *_ = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    engine: Any = SimpleNamespace(version="28.5.2", api_version="1.51", store="overlay2")
    step = StepRun("[image 1/1] RUN true", 1.0, cached=False)
    built = Built("i", ("t",), ("d",), "linux/amd64", 1, 1.0, (step,), Base("r", "i"))
    plan = resolve(profile.load("cpu-ssh"))
    described = metadata.describe([(plan, built)], engine, "0.1.0")
    assert shape(described) == shape(json.loads(example))


def test_the_example_of_a_report_follows_the_schema_and_its_page_is_small(root: Path) -> None:
    folder = root / "docs" / "examples" / "report"
    told = json.loads((folder / "report.json").read_text("utf-8"))
    jsonschema.Draft202012Validator(validation.schema("report")).validate(told)
    assert told["ok"]
    assert (folder / "index.html").stat().st_size < 600_000


def test_every_event_is_documented_with_its_fields(page: str) -> None:
    rows = re.findall(r"^\| `([A-Z]\w+)` \|([^|]*)\|", page, re.MULTILINE)
    documented = {name: re.findall(r"`(\w+)`", fields) for name, fields in rows}
    there = {
        kind.__name__: [field.name for field in dataclasses.fields(kind)]
        for kind in get_args(events.Event)
    }
    assert documented == there
