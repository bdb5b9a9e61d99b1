"""What an image is called and labelled."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from imagekit import names, profile
from imagekit.errors import InputError
from imagekit.plan.model import Plan, from_json

Planned = Callable[[str], Plan]

# https://github.com/distribution/reference/blob/main/reference.go
REFERENCE = re.compile(
    r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*"
    r":[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
)


def test_one_name_moves_and_one_stays_with_the_plan(planned: Planned) -> None:
    plan = planned("")
    assert names.tags(plan) == ("imagekit/x:latest", f"imagekit/x:{plan.digest[:12]}")


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("debian", ("debian", "", "")),
        ("debian:12-slim", ("debian", "12-slim", "")),
        ("host:5000/a/b", ("host:5000/a/b", "", "")),
        ("host:5000/a/b:1", ("host:5000/a/b", "1", "")),
        ("nvidia/cuda@sha256:aa", ("nvidia/cuda", "", "sha256:aa")),
        ("host:5000/a:1@sha256:aa", ("host:5000/a", "1", "sha256:aa")),
    ],
)
def test_a_reference_has_up_to_three_parts(reference: str, parts: tuple[str, ...]) -> None:
    assert names.split(reference) == parts


@pytest.mark.parametrize(
    "name", ["x", "a-b", "a.b", "a_b", "a__b", "a--b", "7", "x" * 63, "a.", "a-", "a..b", "a._b"]
)
def test_whatever_is_a_profile_name_makes_a_valid_reference(planned: Planned, name: str) -> None:
    try:
        profile.find(f"./{name}.yaml")
    except InputError:
        return
    for tag in names.tags(replace(planned(""), profile=name)):
        assert REFERENCE.fullmatch(tag), tag


def test_labels_say_what_the_image_is_and_never_when(planned: Planned) -> None:
    plan = planned("description: for tests")
    labels = dict(names.labels(plan))
    assert labels["org.opencontainers.image.title"] == "x"
    assert labels["org.opencontainers.image.description"] == "for tests"
    assert labels["dev.imagekit.profile"] == "x"
    assert labels["dev.imagekit.plan"] == plan.digest
    assert from_json(labels["dev.imagekit.resolved"]) == plan
    assert "org.opencontainers.image.created" not in labels
    assert len(labels) == len(names.labels(plan))
