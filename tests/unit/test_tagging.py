"""Names for images, with placeholders."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest

from imagekit import tagging
from imagekit.errors import InputError
from imagekit.plan.model import Plan

IMAGE = f"sha256:{'c0ffee' * 10}abcd"


def test_every_placeholder_is_filled_in_when_it_is_known(planned: Callable[[str], Plan]) -> None:
    plan = planned('labels: {org.opencontainers.image.version: "1.2.3"}')
    template = "r.example:5000/{profile}:{version}-{date}-{plan}-{image}"
    tagging.check(template)
    of_plan = tagging.of_plan(template, plan, date(2026, 1, 2))
    assert of_plan == f"r.example:5000/x:1.2.3-20260102-{plan.digest[:12]}-{{image}}"
    assert tagging.waits(of_plan)
    of_image = tagging.of_image(of_plan, IMAGE)
    assert of_image == f"r.example:5000/x:1.2.3-20260102-{plan.digest[:12]}-c0ffeec0ffee"
    assert not tagging.waits(of_image)


def test_the_version_is_the_frameworks_where_the_profile_says_none(
    planned: Callable[[str], Plan],
) -> None:
    plan = planned("framework: {name: tensorflow, version: '2.20'}\ncuda: false\n")
    assert tagging.of_plan("x:{version}", plan, date(2026, 1, 2)) == "x:2.20.0"
    with pytest.raises(InputError, match=r"x has no version\n  hint: labels: "):
        tagging.of_plan("x:{version}", planned(""), date(2026, 1, 2))


@pytest.mark.parametrize("template", ["lab/x", "lab/x:1", "{profile}", "lab/{plan}:{image}"])
def test_names_are_taken(template: str) -> None:
    tagging.check(template)


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("lab/{profil}:1", 'there is no placeholder "profil"\n  hint: did you mean "profile"?'),
        ("lab/{}", 'there is no placeholder ""'),
        ("lab/{plan!r}", 'there is no placeholder "plan!r"'),
        ("lab/A:{plan}", '"lab/A:{plan}" is no name for an image\n  hint: lowercase'),
        ("lab/x:{plan", '"lab/x:{plan" is no name for an image'),
        ("lab/{{plan}}", "is no name for an image"),
        ("lab/x:{plan}:{date}", "is no name for an image"),
        ("", '"" is no name for an image'),
    ],
)
def test_what_can_never_be_a_name_is_refused(template: str, said: str) -> None:
    with pytest.raises(InputError) as refused:
        tagging.check(template)
    assert str(refused.value).startswith("--tag: ")
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("template", "yes"),
    [("lab/{profile}", True), ("lab/x:{plan}", True), ("x:{image}", True), ("x:{date}", False)],
)
def test_some_names_are_of_one_image_alone(template: str, yes: bool) -> None:
    assert tagging.distinguishes(template) is yes
