"""The resolver's yes and no are those of the tables, and what it suggests is accepted."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from functools import cache
from itertools import product

import pytest

from imagekit import profile
from imagekit.catalogue import (
    BaseImage,
    CondaPython,
    CudaConda,
    CudaRecipe,
    CudaVersion,
    CudaWheels,
    FrameworkBuild,
    OsRelease,
    table,
)
from imagekit.choices import CudaChoice, FrameworkChoice
from imagekit.document import Mapping, Mark
from imagekit.plan.choose import Refusal, choose
from imagekit.plan.stack import Stack, stacks
from imagekit.plan.wanted import TITLES
from imagekit.profile import Profile

FRAMEWORKS = ("tensorflow", "pytorch", "jax")
SAMPLES = int(os.environ.get("IMAGEKIT_SAMPLES", "100"))
"""How many combinations are asked one by one; all of them are compared as a set besides."""

Combination = tuple[str, str, str, str]
"""Framework version, CUDA version or nothing, Python version, operating system."""


def numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


def same_major_not_older(there: str, wanted: str) -> bool:
    """CuDNN's promise, read from two version texts."""
    if wanted == "":
        return True
    if there == "" or numbers(there)[0] != numbers(wanted)[0]:
        return False
    return numbers(there)[1:2] >= numbers(wanted)[1:2]


def reads(build: FrameworkBuild, python: str, release: OsRelease) -> bool:
    """Whether the tables allow one build with one Python on one release."""
    if not release.packages:
        return False
    if build.glibc and numbers(release.glibc) < numbers(build.glibc):
        return False
    wheels = set(build.pythons).union(*(older.split() for _, older in build.releases))
    if python not in wheels:
        return False
    from_os = python in release.pythons
    from_conda = python in {row.version for row in table(CondaPython)}
    from_conda = from_conda and numbers(release.python) >= [3, 8]  # what rattler runs on
    if build.cuda == "":
        return from_os or from_conda
    brought = "wheels" in build.sources
    ways = [brought and (from_os or from_conda)]
    if "conda" in build.sources:
        ways += [
            from_conda
            and row.version == build.cuda
            and same_major_not_older(row.cudnn, build.cudnn)
            for row in table(CudaConda)
        ]
    if "recipe" in build.sources:
        ways += [
            (from_os or from_conda)
            and (row.os, row.version) == (release.id, build.cuda)
            and same_major_not_older(row.cudnn, build.cudnn)
            for row in table(CudaRecipe)
        ]
    if brought or "image" in build.sources:
        ways += [
            (from_os or from_conda)
            and row.image == "nvidia/cuda"
            and row.status in {"present", "seen"}
            and (row.os, row.cuda, row.flavour) == (release.id, build.cuda, "runtime")
            and (brought or same_major_not_older(row.cudnn, build.cudnn))
            for row in table(BaseImage)
        ]
    return any(ways)


@cache
def allowed(framework: str) -> frozenset[Combination]:
    """All combinations that the tables allow, by brute force."""
    builds = [build for build in table(FrameworkBuild) if build.name == framework]
    pythons = sorted({python for build in builds for python in wheels_of(build)})
    made = {
        (build.version, build.cuda, python, release.id)
        for build, python, release in product(builds, pythons, table(OsRelease))
        if reads(build, python, release)
    }
    usable = {release.id for release in table(OsRelease) if release.packages}
    # A framework's own image, where it is said what lies in it
    ready = {
        (build.version, image.cuda, image.python, image.os)
        for build, image in product(builds, table(BaseImage))
        if image.os in usable
        and image.python
        and image.status in {"present", "seen"}
        and image.cuda == build.cuda
        and image.framework in {f"{framework} {number}" for number in every_release(build)}
    }
    return frozenset(made | ready)


def every_release(build: FrameworkBuild) -> set[str]:
    return {build.release, *(number for number, _ in build.releases)}


def wheels_of(build: FrameworkBuild) -> set[str]:
    return set(build.pythons).union(*(older.split() for _, older in build.releases))


def stands(framework: str) -> Iterator[Stack]:
    for gpu in (False, True):
        yield from stacks(framework, gpu=gpu)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_stacks_are_those_that_the_tables_allow(framework: str) -> None:
    found = {
        (stack.build.version, stack.cuda.version, stack.python.version, stack.os.id)
        for stack in stands(framework)
        if stack.build is not None and stack.cuda.flavour != "devel"
    }
    assert found == allowed(framework)
    assert len(found) > 100


def asking(framework: str, combination: Combination) -> Profile:
    """A profile that asks for one combination."""
    version, cuda, python, release = combination
    # Only the keys that the stack depends on are looked at.
    blank = dict.fromkeys(Profile.__dataclass_fields__, ())
    values = {
        **blank,
        "name": "x",
        "os": release or None,
        "image": "",
        "cuda": CudaChoice(version=cuda) if cuda else None,
        "framework": FrameworkChoice(framework, version),
        "python": python,
        "merged": Mapping((), Mark("x.yaml")),
    }
    return Profile(**values)  # type: ignore[arg-type]


def combinations(framework: str) -> list[Combination]:
    """Every framework version x CUDA x Python x operating system in the tables, in disorder."""
    versions = sorted({row.version for row in table(FrameworkBuild) if row.name == framework})
    cudas = ["", *(row.version for row in table(CudaVersion))]
    pythons = [row.version for row in table(CondaPython)]
    releases = [row.id for row in table(OsRelease) if row.packages]
    every = list(product(versions, cudas, pythons, releases))
    random.Random(framework).shuffle(every)  # noqa: S311
    # Half of the samples near the edge: combinations that differ from an allowed one in one place
    near = [item for item in every if edge(item, allowed(framework))]
    return [*every[: SAMPLES // 2], *near[: SAMPLES // 2]]


def edge(item: Combination, yes: frozenset[Combination]) -> bool:
    version, cuda, python, release = item
    return item in yes or any(
        other[0] == version and (other[1] == cuda or other[2] == python) and other[3] == release
        for other in some_of(version, yes)
    )


@cache
def some_of(version: str, yes: frozenset[Combination]) -> tuple[Combination, ...]:
    return tuple(item for item in yes if item[0] == version)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_yes_and_no_are_those_of_the_tables(framework: str) -> None:
    yes = allowed(framework)
    for combination in combinations(framework):
        answer = choose(asking(framework, combination), None)
        assert isinstance(answer, Stack) == (combination in yes), combination
        if isinstance(answer, Refusal):
            assert 1 <= len(answer.changes) <= 3, combination
            for change in answer.changes:
                told = {"framework.version": 0, "cuda.version": 1, "python": 2, "base.os": 3}
                better = list(combination)
                for key, value in change:
                    better[told[key]] = value
                again = choose(asking(framework, (*better,)), None)  # type: ignore[arg-type]
                assert isinstance(again, Stack), (combination, change)


def test_bare_cuda_comes_wherever_a_table_has_a_way() -> None:
    found = {
        (stack.cuda.version, stack.cuda.source, stack.cuda.flavour, stack.os.id)
        for stack in stacks("", gpu=True)
    }
    for release in table(OsRelease):
        if not release.packages:
            continue
        for wheels in table(CudaWheels):
            assert (wheels.version, "wheels", "runtime", release.id) in found
            assert ((wheels.version, "wheels", "devel", release.id) in found) == bool(wheels.devel)
        for conda in table(CudaConda):
            there = (conda.version, "conda", "runtime", release.id) in found
            assert there == (numbers(release.python) >= [3, 8])
        for recipe in table(CudaRecipe):
            there = (recipe.version, "recipe", "runtime", release.id) in found
            assert there == (recipe.os == release.id)
    for image in table(BaseImage):
        if image.image == "nvidia/cuda" and image.status == "deleted":
            assert (image.cuda, "image", "runtime", image.os) not in found or image.cuda == ""


def test_a_title_is_known_for_every_framework() -> None:
    assert {row.name for row in table(FrameworkBuild)} == set(TITLES) == set(FRAMEWORKS)


# ---- by profile

Write = Callable[..., str]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # framework, CUDA and its way, Python and its source, release
        ("framework: tensorflow\ncuda: '10.0'", "2.0.4 10.0 conda 3.7 conda debian12"),
        (
            "framework: {name: tensorflow, version: '1.15'}\ncuda: {from: recipe}",
            "1.15.5 10.0 recipe 3.6 os ubuntu18.04",
        ),
        (
            "framework: {name: tensorflow, version: '2.14'}\ncuda: true",
            "2.14.1 11.8 wheels 3.11 os debian12",
        ),
        (
            "framework: {name: pytorch, version: '1.12'}\ncuda: '10.2'\nbase: {os: debian11}",
            "1.12.1 10.2 wheels 3.9 os debian11",
        ),
        (
            "framework: {name: pytorch, version: '2.10'}\ncuda: true",
            "2.10.0 12.8 wheels 3.11 os debian12",
        ),
        ("framework: {name: pytorch, version: '2.10'}", "2.10.0   3.11 os debian12"),
        (
            "framework: {name: tensorflow, version: '2.18.0'}\ncuda: true",
            "2.18.0 12.5 wheels 3.11 os debian12",
        ),
        ("python: '3.7'", "   3.7 conda debian12"),
        ("python: '3.13'", "   3.13 os debian13"),
    ],
)
def test_what_is_left_open_is_filled_in(write: Write, text: str, expected: str) -> None:
    stack = choose(profile.load(write(f"profile: 1\n{text}\n")), None)
    assert isinstance(stack, Stack), stack
    found = (
        stack.release,
        stack.cuda.version,
        stack.cuda.source,
        stack.python.version,
        stack.python.source,
        stack.os.id,
    )
    assert " ".join(found) == expected
