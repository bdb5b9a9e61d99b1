"""What an answer from the outside means for a row."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import yaml

from imagekit.catalogue import probe
from imagekit.catalogue.rows import BaseImage, CudaWheels, FrameworkBuild, Gpu, Mirror

TODAY = "2026-12-24"
SAID = {"source": "https://example.com", "date": "2026-11-23"}

BUILD = FrameworkBuild(
    name="pytorch",
    version="2.6",
    release="2.6.0",
    cuda="12.6",
    cudnn="9.5",
    pythons=("3.9", "3.10"),
    releases=(),
    requirements=("torch=={release}",),
    index="cu126",
    sources=("wheels",),
    glibc="2.28",
    cc_min="",
    cc_max="",
    preferred=True,
    experimental=False,
    **SAID,
)
WHEELS = CudaWheels(
    version="12.4",
    runtime=("nvidia-cublas-cu12==12.4.*", "nvidia-cufft-cu12"),
    devel=("nvidia-cuda-nvcc-cu12==12.4.131",),
    cudnn=(),
    python_min="3.8",
    **SAID,
)


def image(status: str, tag: str = "12.2.2-base-ubuntu22.04") -> BaseImage:
    empty: dict[str, Any] = dict.fromkeys(
        ("os", "cuda", "cudnn", "python", "flavour", "framework", "instead"), ""
    )
    return BaseImage(image="nvidia/cuda", tag=tag, status=status, **empty, **SAID)


# ---- frameworks


def test_a_framework_holds_while_the_index_says_the_same() -> None:
    wheels = {
        "3.8": ("2.5.0",),
        "3.9": ("2.6.0+cu126", "2.5.0"),
        "3.10": ("2.7.0", "2.6.0", "2.6.0rc1"),
    }
    assert probe.framework(BUILD, wheels, TODAY) is BUILD


def test_a_newer_release_of_the_line_is_proposed_and_the_old_one_kept() -> None:
    wheels = {"3.9": ("2.6.0",), "3.10": ("2.6.0", "2.6.1"), "3.11": ("2.6.1",)}
    assert probe.framework(BUILD, wheels, TODAY) == replace(
        BUILD,
        release="2.6.1",
        pythons=("3.10", "3.11"),
        releases=(("2.6.0", "3.9 3.10"),),
        date=TODAY,
    )


def test_wheels_for_one_more_python_are_proposed() -> None:
    wheels = {"3.9": ("2.6.0",), "3.10": ("2.6.0",), "3.11": ("2.6.0",)}
    found = probe.framework(BUILD, wheels, TODAY)
    assert (found.release, found.pythons) == ("2.6.0", ("3.9", "3.10", "3.11"))


def test_an_index_without_the_line_changes_nothing() -> None:
    assert probe.framework(BUILD, {"3.9": ("2.7.0",)}, TODAY) is BUILD


# ---- CUDA's wheels


@pytest.mark.parametrize(
    ("known", "missing"),
    [
        (
            {
                "nvidia-cublas-cu12": ("12.4.5.8", "12.1.3.1"),
                "nvidia-cufft-cu12": ("11.0",),
                "nvidia-cuda-nvcc-cu12": ("12.4.131",),
            },
            (),
        ),
        ({"nvidia-cublas-cu12": ("12.40.1",)}, ("nvidia-cublas-cu12==12.4.*",)),
        (
            {"nvidia-cufft-cu12": (), "nvidia-cuda-nvcc-cu12": ("12.4.99",)},
            ("nvidia-cufft-cu12", "nvidia-cuda-nvcc-cu12==12.4.131"),
        ),
    ],
)
def test_a_requirement_that_no_version_serves_is_missing(
    known: dict[str, tuple[str, ...]], missing: tuple[str, ...]
) -> None:
    assert probe.wheels_missing(WHEELS, known) == missing


def test_a_requirement_is_taken_apart() -> None:
    assert probe.distribution("tensorflow[and-cuda]==2.15.1") == ("tensorflow", "2.15.1")
    assert probe.distribution("jax") == ("jax", "")


# ---- images and mirrors


@pytest.mark.parametrize(
    ("status", "there", "now"),
    [
        ("present", True, "present"),
        ("seen", True, "seen"),
        ("present", False, "missing"),
        ("seen", False, "missing"),
        ("named", True, "present"),
        ("named", False, "missing"),
        ("deleted", False, "deleted"),
        ("missing", False, "missing"),
        ("deleted", True, "present"),
    ],
)
def test_an_images_status_follows_the_registry(status: str, there: bool, now: str) -> None:
    row = image(status)
    found = probe.image(row, there, TODAY)
    assert found.status == now
    assert found.date == (row.date if status == now else TODAY)


def test_patterns_and_broken_images_cannot_be_asked() -> None:
    assert probe.is_askable(image("present"))
    assert not probe.is_askable(image("deleted", tag="11.*"))
    assert not probe.is_askable(image("broken"))
    assert not probe.is_askable(image("refused"))


@pytest.mark.parametrize(
    ("status", "answers", "now"),
    [
        ("live", True, "live"),
        ("listed", True, "live"),
        ("live", False, "closed"),
        ("closed", False, "closed"),
        ("closed", True, "live"),
    ],
)
def test_a_mirrors_status_follows_its_answer(status: str, answers: bool, now: str) -> None:
    row = Mirror(site="x", kind="pypi", url="https://x.example/simple", status=status, **SAID)
    assert probe.mirror(row, answers, TODAY).status == now


# ---- rows as text


def test_a_proposed_row_reads_back_as_the_row() -> None:
    row = replace(BUILD, releases=(("2.6.0", "3.9 3.10"),), note="a: b")
    (read,) = yaml.safe_load(probe.as_yaml(row))
    assert read == {
        "name": "pytorch",
        "version": "2.6",
        "release": "2.6.0",
        "cuda": "12.6",
        "cudnn": "9.5",
        "pythons": ["3.9", "3.10"],
        "releases": [["2.6.0", "3.9 3.10"]],
        "requirements": ["torch=={release}"],
        "index": "cu126",
        "sources": ["wheels"],
        "glibc": "2.28",
        "preferred": True,
        "source": "https://example.com",
        "date": "2026-11-23",
        "note": "a: b",
    }


def test_rows_have_short_names() -> None:
    assert probe.label(BUILD) == "pytorch 2.6 CUDA 12.6"
    assert probe.label(replace(BUILD, cuda="")) == "pytorch 2.6 without CUDA"
    assert probe.label(image("present")) == "nvidia/cuda:12.2.2-base-ubuntu22.04"
    assert probe.label(Gpu(name="A100", cc="8.0", **SAID)) == "A100 8.0"
    assert probe.label(WHEELS) == "12.4"
