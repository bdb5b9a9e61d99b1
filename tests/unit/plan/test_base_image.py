"""Base images named by the profile: those that are gone are refused by name."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from imagekit.plan.model import Plan

Planned = Callable[[str], Plan]
Refused = Callable[[str], list[str]]


@pytest.mark.parametrize(
    ("image", "os"),
    [
        ("debian:12", "debian12"),
        ("debian:bookworm-slim", "debian12"),
        ("docker.io/library/ubuntu:22.04", "ubuntu22.04"),
        ("ubuntu:jammy", "ubuntu22.04"),
    ],
)
def test_an_official_image_says_its_release_itself(planned: Planned, image: str, os: str) -> None:
    plan = planned(f"base: {{image: '{image}'}}")
    assert (plan.os.id, plan.os.image) == (os, image)


def test_an_image_of_ones_own_needs_its_release(planned: Planned, refused: Refused) -> None:
    (message,) = refused("base: {image: 'registry.example.edu/lab/base:3'}")
    assert message == (
        'x.yaml:2:15: base.image: "registry.example.edu/lab/base:3" is not in the catalogue\n'
        "  hint: write base.os too, for instance os: ubuntu22.04"
    )
    plan = planned("base: {image: 'registry.example.edu/lab/base:3', os: debian12}")
    assert (plan.os.id, plan.os.image) == ("debian12", "registry.example.edu/lab/base:3")


@pytest.mark.parametrize(
    "image",
    [
        "nvidia/cuda:10.0-base",
        "nvidia/cuda:10.2-cudnn7-devel-ubuntu18.04",
        "nvidia/cuda:latest",
        "docker.io/nvidia/cuda:9.0-devel",
        "tensorflow/tensorflow:latest-gpu",
        "tensorflow/tensorflow:2.18.0-gpu",
        "tensorflow/tensorflow:2.17.1-gpu",
    ],
)
def test_a_base_that_is_gone_or_broken_is_refused_with_what_to_use(
    refused: Refused, image: str
) -> None:
    (message,) = refused(f"base: {{image: '{image}', os: ubuntu18.04}}")
    assert message.startswith(f'x.yaml:2:15: base.image: "{image}" ')
    assert "(source: " in message
    assert "\n  hint: " in message


@pytest.mark.parametrize("image", ["registry.example.edu/x:latest", "python:latest"])
def test_a_tag_that_moves_is_refused(refused: Refused, image: str) -> None:
    (message,) = refused(f"base: {{image: '{image}'}}")
    assert "moves" in message


def test_an_image_and_a_release_that_disagree_are_refused(refused: Refused) -> None:
    (message,) = refused("base: {image: 'debian:12', os: debian11}")
    assert "is debian12, and base.os is debian11" in message


def test_a_base_image_with_cuda_gives_its_own(planned: Planned) -> None:
    image = "nvidia/cuda:12.6.3-cudnn-devel-ubuntu24.04"
    plan = planned(
        f"base: {{image: 'docker.io/{image}'}}\ncuda: {{version: '12.6', flavour: devel}}"
    )
    assert plan.cuda is not None
    assert (plan.cuda.source, plan.os.id) == ("image", "ubuntu24.04")
    assert plan.os.image == f"docker.io/{image}"


def test_a_frameworks_own_image_needs_no_environment(planned: Planned) -> None:
    plan = planned(
        "base: {image: 'tensorflow/tensorflow:1.15.5-gpu'}\n"
        "framework: {name: tensorflow, version: '1.15'}\ncuda: true"
    )
    assert plan.framework is not None
    assert (plan.framework.release, plan.python, plan.os.id) == ("1.15.5", None, "ubuntu18.04")
    assert plan.cuda is not None
    assert (plan.cuda.version, plan.cuda.source) == ("10.0", "image")
