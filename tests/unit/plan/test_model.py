"""The plan as JSON: what the digest hashes and the image carries."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from imagekit.plan.model import FORMAT, Os, Plan, User, from_json

Planned = Callable[[str], Plan]
FULL = """
description: "naïve \\"text\\" $HOME \\\\ 中文"
desktop: true
locale: {lang: zh_CN.UTF-8, timezone: Asia/Shanghai}
packages: {apt: [tmux, htop]}
env: {B: two, A: "1"}
"""


@pytest.mark.parametrize("text", ["", FULL, "sshd: false\ndesktop: false"])
def test_json_and_back_is_the_same_plan(planned: Planned, text: str) -> None:
    plan = planned(text)
    assert from_json(plan.to_json()) == plan
    assert from_json(plan.to_json()).digest == plan.digest


def test_json_is_canonical(planned: Planned) -> None:
    text = planned(FULL).to_json()
    assert text.isascii()
    again = json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))
    assert again == text
    assert json.loads(text)["format"] == FORMAT


def test_the_digest_is_64_hex_digits(planned: Planned) -> None:
    assert re.fullmatch("[0-9a-f]{64}", planned("").digest)


@pytest.mark.parametrize(
    "change",
    [
        {"profile": "y"},
        {"description": "other"},
        {"os": Os("debian13", "debian:13-slim", "trixie")},
        {"user": User("lab", 1001, 1001, (), "bash", sudo=True)},
        {"sshd": None},
        {"desktop": None},
        {"apt": ()},
        {"env": (("A", "2"),)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whatever_changes_changes_the_digest(planned: Planned, change: dict[str, Any]) -> None:
    plan = planned(FULL)
    assert replace(plan, **change).digest != plan.digest


def test_the_digest_does_not_depend_on_the_order_of_a_profile(planned: Planned) -> None:
    first = planned("env: {A: x, B: y}\npackages: {apt: [htop, tmux]}")
    second = planned("packages: {apt: [tmux, htop]}\nenv: {B: y, A: x}")
    assert first.digest == second.digest


GOOD = {"format": FORMAT, "profile": "x", "description": "", "sshd": None, "desktop": None}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no json",
        "[]",
        "1",
        "null",
        '"text"',
        "{}",
        '{"format": 99}',
        json.dumps(GOOD),
        json.dumps({**GOOD, "os": {"id": 1}}),
        "[" * 100_000,
    ],
)
def test_what_is_no_plan_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        from_json(text)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("os", {"id": "x", "image": "y", "suite": "z", "more": 1}),
        ("user", None),
        ("user", {"name": "x"}),
        ("sshd", []),
        ("locale", {}),
        ("locale", "text"),
        ("apt", [["base"]]),
        ("apt", 1),
        ("env", [["A", "b", "c"]]),
    ],
)
def test_a_damaged_plan_is_refused(planned: Planned, key: str, value: object) -> None:
    data = json.loads(planned(FULL).to_json())
    with pytest.raises(ValueError):  # noqa: PT011
        from_json(json.dumps({**data, key: value}))
