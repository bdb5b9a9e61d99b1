"""The tables: sourced, compiled, free of repetition, and true to each other."""

from __future__ import annotations

import datetime
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from imagekit.catalogue import (
    Architecture,
    BaseImage,
    CudaConda,
    CudaRecipe,
    CudaVersion,
    CudaWheels,
    DriverBranch,
    FrameworkBuild,
    Gpu,
    Mirror,
    os_releases,
    table,
)
from imagekit.catalogue import tables as tables_module
from imagekit.catalogue.rows import Row
from imagekit.catalogue.tables import TABLES, compile_table
from imagekit.catalogue.versions import key
from imagekit.site import MIRRORS

FOLDER = Path(tables_module.__file__).parent
LATEST = datetime.date(2026, 11, 25)  # the last day that rows were read

EVERY_ROW = [(name, row) for name, kind in TABLES.items() for row in table(kind)]
BUILDS = table(FrameworkBuild)
GPU_BUILDS = [build for build in BUILDS if build.cuda]
IMAGES = table(BaseImage)
CUDAS = {row.version for row in table(CudaVersion)}
GONE = {"deleted", "missing", "broken", "refused"}
THERE = {"present", "seen"}


def repeated(keys: Iterator[object]) -> list[object]:
    return [each for each, count in Counter(keys).items() if count > 1]


# ---- what every row has


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_compiled_as_it_is_authored(name: str) -> None:
    compiled = FOLDER / "compiled" / f"{name}.json"
    assert compiled.read_text("utf-8") == compile_table(name), "run make catalogue"


def test_no_file_compiles_to_a_table_that_is_not_known() -> None:
    assert {path.stem for path in FOLDER.glob("*.yaml")} == set(TABLES)
    assert {path.stem for path in (FOLDER / "compiled").glob("*.json")} == set(TABLES)


@pytest.mark.parametrize("name", TABLES)
def test_a_table_has_rows(name: str) -> None:
    assert table(TABLES[name])


def test_every_row_names_a_source_that_a_reader_can_find() -> None:
    for name, row in EVERY_ROW:
        assert re.search(r"https://|github\.com/\S+@|PyPI metadata of", row.source), (name, row)


def test_every_row_has_a_day_that_has_been() -> None:
    for name, row in EVERY_ROW:
        assert datetime.date.fromisoformat(row.date) <= LATEST, (name, row)


def test_texts_have_no_space_around_them_and_no_line_breaks() -> None:
    for name, row in EVERY_ROW:
        for text in _texts(row):
            assert text == text.strip(), (name, row)
            assert "\n" not in text, (name, row)


def _texts(row: Row) -> Iterator[str]:
    for field in row.__dataclass_fields__:
        value = getattr(row, field)
        yield from [value] if isinstance(value, str) else []
        yield from (
            (each for each in value if isinstance(each, str)) if isinstance(value, tuple) else []
        )


def test_no_key_is_there_twice() -> None:
    assert not repeated((build.name, build.version, build.cuda) for build in BUILDS)
    assert not repeated((image.image, image.tag) for image in IMAGES)
    assert not repeated((row.site, row.kind) for row in table(Mirror))
    assert not repeated((row.version, row.channel) for row in table(CudaConda))
    assert not repeated((row.version, row.os) for row in table(CudaRecipe))
    assert not repeated(row.version for row in table(CudaVersion))
    assert not repeated(row.version for row in table(CudaWheels))
    assert not repeated(row.name for row in table(Gpu))
    assert not repeated(row.branch for row in table(DriverBranch))
    assert not repeated(cc for row in table(Architecture) for cc in row.capabilities)


# ---- CUDA, GPUs and drivers


@pytest.mark.parametrize("row", table(CudaVersion), ids=lambda row: row.version)
def test_a_cuda_version_says_what_it_runs_on(row: CudaVersion) -> None:
    assert key(row.driver_min) <= key(row.driver or row.driver_min)
    assert key(row.cc_min) <= key(row.cc_max or row.cc_min)
    assert row.driver_min
    major = key(row.version)[0]
    floors = {11: "450", 12: "525", 13: "580"}
    assert row.driver_min == floors.get(major, row.driver)


def test_cuda_versions_are_in_order() -> None:
    versions = [row.version for row in table(CudaVersion)]
    assert versions == sorted(versions, key=key)


def test_every_cuda_version_that_a_row_names_is_known() -> None:
    named = {build.cuda for build in GPU_BUILDS}
    named |= {image.cuda for image in IMAGES if image.cuda and image.status in THERE}
    named |= {row.version for row in table(CudaWheels)}
    named |= {row.version for row in table(CudaConda)}
    named |= {row.version for row in table(CudaRecipe)}
    assert named <= CUDAS


def test_versions_are_numbers() -> None:
    for build in BUILDS:
        for version in (build.version, build.release, build.cuda, build.cudnn, *build.pythons):
            key(version)
        for version in (build.glibc, build.cc_min, build.cc_max):
            key(version)
    for image in IMAGES:
        key(image.cuda), key(image.cudnn), key(image.python)
    for row in table(CudaConda):
        key(row.version), key(row.cudnn)


def test_wheels_are_pinned_and_only_cuda_13_has_a_compiler_among_them() -> None:
    for row in table(CudaWheels):
        for requirement in (*row.runtime, *row.devel, *row.cudnn):
            assert re.fullmatch(r"[a-z0-9-]+(\[[a-z,]+\])?==[0-9.]+(\.\*)?", requirement)
        assert len(row.cudnn) == 1
        assert bool(row.devel) == (key(row.version) >= (13,))


def test_toolkit_requirements_are_of_the_row_s_own_version() -> None:
    for row in table(CudaWheels):
        for requirement in (*row.runtime, *row.devel):
            if requirement.startswith("cuda-toolkit["):
                assert requirement.endswith(f"=={row.version}.*")


def test_conda_packages_are_match_specs() -> None:
    for row in table(CudaConda):
        assert row.channel in {"conda-forge", "pkgs/main"}
        assert all(re.fullmatch(r"[a-z]+=[^= ]+(=[^= ]+)?", each) for each in row.packages)
        assert bool(row.cudnn) == bool(row.cudnn_packages)
        assert row.packages[0].partition("=")[2].startswith(row.version)


def test_files_of_a_recipe_are_known_by_their_sum() -> None:
    for row in table(CudaRecipe):
        assert row.os in os_releases()
        assert row.repository.startswith("deb https://")
        assert all(re.fullmatch("[0-9a-f]{64}", digest) for _, digest in row.files)
        assert all("=" in package for package in row.packages)


def test_a_gpu_has_the_capability_of_some_architecture() -> None:
    known = {cc for row in table(Architecture) for cc in row.capabilities}
    for gpu in table(Gpu):
        assert gpu.cc in known, gpu.name
        assert not gpu.name.startswith("NVIDIA")


@pytest.mark.parametrize(
    ("name", "cc"),
    [
        ("Tesla K80", "3.7"),
        ("GeForce GTX 1080 Ti", "6.1"),
        ("Tesla V100", "7.0"),
        ("GeForce RTX 2080 Ti", "7.5"),
        ("A100", "8.0"),
        ("GeForce RTX 3090", "8.6"),
        ("GeForce RTX 4090", "8.9"),
        ("H100", "9.0"),
        ("B200", "10.0"),
        ("GeForce RTX 5090", "12.0"),
    ],
)
def test_well_known_gpus_are_there(name: str, cc: str) -> None:
    assert {gpu.name: gpu.cc for gpu in table(Gpu)}[name] == cc


def test_architectures_name_cuda_versions_and_branches() -> None:
    for row in table(Architecture):
        assert re.fullmatch(r"\d+\.\d", row.first_cuda)
        assert re.fullmatch(r"(\d+\.(\d|x))?", row.last_cuda)
        assert re.fullmatch(r"(R\d{3})?", row.last_driver)


def test_a_driver_branch_ends_in_a_month() -> None:
    for row in table(DriverBranch):
        assert re.fullmatch(r"R\d{3}", row.branch)
        assert row.kind in {"LTS", "production", "new feature"}
        assert re.fullmatch(r"20\d\d-(0[1-9]|1[0-2])", row.end_of_life)


# ---- frameworks


@pytest.mark.parametrize(
    "build", BUILDS, ids=lambda each: f"{each.name}-{each.version}-{each.cuda}"
)
def test_a_build_can_be_asked_for_and_installed(build: FrameworkBuild) -> None:
    assert build.name in {"tensorflow", "pytorch", "jax"}
    assert "=={release}" in build.requirements[0]
    assert sum("{release}" in each for each in build.requirements) == 1
    assert build.pythons
    for release, pythons in ((build.release, " ".join(build.pythons)), *build.releases):
        assert release == build.version or release.startswith(f"{build.version}.")
        assert key(release) <= key(build.release)
        ordered = sorted(pythons.split(), key=key)
        assert pythons.split() == ordered != []
    assert not repeated(iter([build.release, *(release for release, _ in build.releases)]))
    assert re.fullmatch(r"(cu\d{2,3}|cpu)?", build.index)
    assert (build.index == "cpu") <= (build.name == "pytorch")


@pytest.mark.parametrize("build", GPU_BUILDS, ids=lambda each: f"{each.name}-{each.version}")
def test_there_is_a_way_to_the_cuda_that_a_build_needs(build: FrameworkBuild) -> None:
    assert build.sources
    there = {"wheels"}
    there |= {"conda" for row in table(CudaConda) if row.version == build.cuda}
    there |= {"recipe" for row in table(CudaRecipe) if row.version == build.cuda}
    there |= {
        "image"
        for image in IMAGES
        if image.image == "nvidia/cuda" and image.status in THERE and image.cuda == build.cuda
    }
    assert set(build.sources) <= there
    index = build.index.removeprefix("cu")
    assert not index or index == build.cuda.replace(".", "")


def test_builds_without_gpus_need_nothing_of_them() -> None:
    for build in BUILDS:
        if not build.cuda:
            assert not build.sources
            assert build.cudnn == build.cc_min == build.cc_max == ""
            assert not build.preferred
            assert not build.experimental


def test_every_line_has_a_build_without_gpus() -> None:
    lines = {(build.name, build.version) for build in BUILDS}
    assert lines == {(build.name, build.version) for build in BUILDS if not build.cuda}


def test_a_line_prefers_one_build_where_its_makers_are_known_to() -> None:
    preferred = Counter((build.name, build.version) for build in BUILDS if build.preferred)
    assert set(preferred.values()) == {1}
    unknown = {(build.name, build.version) for build in GPU_BUILDS} - set(preferred)
    assert unknown == {("pytorch", "1.0"), ("pytorch", "1.1")}


# ---- images and mirrors


def test_an_image_says_what_it_is() -> None:
    known = {"present", "seen", "named"} | GONE
    for image in IMAGES:
        assert image.status in known
        assert image.flavour in {"base", "runtime", "devel", ""}
        assert not image.os or image.os in os_releases(), image
        assert re.fullmatch(r"[A-Za-z0-9_.*-]+", image.tag)
        assert "*" not in image.tag or image.status in GONE


def test_an_image_that_is_gone_has_something_instead() -> None:
    for image in IMAGES:
        assert bool(image.instead) == (image.status in GONE), image


def test_a_tag_of_nvidia_cuda_agrees_with_its_row() -> None:
    for image in IMAGES:
        if image.image == "nvidia/cuda" and image.status not in GONE:
            version, *parts, os = image.tag.split("-")
            assert version.startswith(f"{image.cuda}.")
            assert os == image.os
            assert parts[-1] == image.flavour
            assert bool(image.cudnn) == (len(parts) == 2)
            major = parts[0].removeprefix("cudnn") if len(parts) == 2 else ""
            assert image.cudnn.startswith(major or "9" if image.cudnn else "")


def test_what_is_offered_instead_is_not_gone_itself() -> None:
    tags = {f"{image.image}:{image.tag}": image.status for image in IMAGES}
    for image in IMAGES:
        for offered in re.findall(r"nvidia/cuda:[a-z0-9.-]+", image.instead):
            assert tags[offered] in THERE, image


def test_a_mirror_has_an_address_of_its_kind() -> None:
    for row in table(Mirror):
        assert row.status in {"live", "listed", "closed"}
        assert re.fullmatch("[a-z0-9-]+", row.site)
        if row.kind == "registry":
            assert re.fullmatch(r"[a-z0-9.-]+(/[a-z0-9./-]+)?", row.url)
        else:
            assert row.kind in {*MIRRORS, "models"}
            assert re.fullmatch(r"https://[a-z0-9.-]+(/[A-Za-z0-9./-]*)?", row.url)
        assert row.note or row.status != "closed"
