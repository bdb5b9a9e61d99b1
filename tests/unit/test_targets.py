"""What people write behind `push`, and what it stands for."""

from __future__ import annotations

from datetime import date

import pytest

from imagekit import tagging, targets
from imagekit.errors import InputError, WorkFailedError
from imagekit.targets import Destination, Target

ID = "sha256:" + "a" * 12 + "b" * 52
LABELS = {
    "dev.imagekit.profile": "cuda12",
    "dev.imagekit.plan": "c" * 64,
    "dev.imagekit.framework": "pytorch 2.10.0+cu126",
}
PLAN, IMAGE = "c" * 12, "a" * 12
FIXED = f"{PLAN}-{IMAGE}"


def of(*texts: str, labels: dict[str, str] = LABELS, registry: str = "") -> list[Destination]:
    known = {**tagging.words(labels, date(2026, 11, 25)), "image": tagging.short_id(ID)}
    return list(targets.destinations(targets.wanted(texts, registry), known))


def test_a_repository_gets_three_tags() -> None:
    assert of("reg.test:5000/lab/x") == [
        Destination("reg.test:5000/lab/x", FIXED, (PLAN, "latest"))
    ]


def test_a_tag_comes_after_the_fixed_one() -> None:
    assert of("reg.test:5000/lab/x:{version}-{date}") == [
        Destination("reg.test:5000/lab/x", FIXED, ("2.10.0-cu126-20261125",))
    ]


def test_a_tag_with_the_images_id_is_fixed_itself() -> None:
    assert of("lab/{profile}:v1-{image}") == [Destination("lab/cuda12", f"v1-{IMAGE}", ())]


def test_targets_of_one_repository_are_pushed_together() -> None:
    assert of("lab/x:1", "other/x:1", "lab/x:2", "lab/x:1", "lab/x") == [
        Destination("lab/x", FIXED, ("1", "2", PLAN, "latest")),
        Destination("other/x", FIXED, ("1",)),
    ]


def test_the_sites_registry_is_taken_without_a_target() -> None:
    assert of(registry="reg.test/lab") == [
        Destination("reg.test/lab/cuda12", FIXED, (PLAN, "latest"))
    ]
    assert of("a/b:1", registry="reg.test/lab") == [Destination("a/b", FIXED, ("1",))]


def test_a_profiles_own_version_wins() -> None:
    labels = {**LABELS, "org.opencontainers.image.version": "7"}
    assert of("a/b:{version}", labels=labels)[0].moving == ("7",)


def test_an_image_of_another_kind_has_no_plan() -> None:
    assert of("a/b", labels={}) == [Destination("a/b", IMAGE, ("latest",))]


def test_a_word_that_the_image_does_not_say() -> None:
    with pytest.raises(WorkFailedError, match="the image does not say its version"):
        of("a/b:{version}", labels={})


def test_a_name_that_comes_out_too_long() -> None:
    with pytest.raises(InputError, match="is no name for an image"):
        of("a/b:{version}", labels={"org.opencontainers.image.version": "1" * 129})


def test_nothing_to_push_to() -> None:
    with pytest.raises(InputError, match=r"(?s)no TARGET.*registry:"):
        targets.wanted((), "")


def test_all_that_is_wrong_with_targets_is_said_at_once() -> None:
    with pytest.raises(InputError) as caught:
        targets.wanted(("Reg/X", "a/b:{plam}", "a/b", "a/b:", "a/b@sha256:0", "a/b:{x"), "")
    assert [message.what for message in caught.value.messages] == [
        '"Reg/X" is no name for an image',
        "{plam} is no word of a name",
        '"a/b:" is no name for an image',
        '"a/b@sha256:0" is no name for an image',
        '"a/b:{x" is no name for an image',
    ]
    assert "{profile}, {version}, {date}" in caught.value.messages[1].hint


def test_a_port_is_no_tag() -> None:
    assert targets.wanted(("localhost:5000/a/b",), "") == (Target("localhost:5000/a/b", ""),)
