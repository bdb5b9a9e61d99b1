"""What is in an image, read from its package managers' records."""

from __future__ import annotations

import json

import pytest

from imagekit import contents
from imagekit.contents import Conda, Deb, Dist

STATUS = """\
Package: tini
Status: install ok installed
Architecture: amd64
Version: 0.19.0-1+b3

Package: libc6
Status: install ok installed
Multi-Arch: same
Architecture: amd64
Source: glibc (2.36-9)
Version: 2.36-9+deb12u10
Conffiles:
 /etc/ld.so.conf.d/x86_64-linux-gnu.conf d4e7a7b88a71b5ffd9e2644e71a0cfab
Description: GNU C Library
 Version: of no interest here

Package: gone
Status: deinstall ok config-files
Architecture: all
Version: 1
"""
METADATA = "Metadata-Version: 2.4\nName: {}\nVersion: {}\n\nVersion: in the description\n"
SITE = "opt/venv/lib/python3.11/site-packages"


def parse(files: dict[str, str]) -> contents.Contents:
    return contents.parse({path: text.encode() for path, text in files.items()})


def test_dpkg_s_packages_are_those_that_are_installed() -> None:
    whole = parse(
        {
            "var/lib/dpkg/status": STATUS,
            "usr/lib/os-release": 'NAME="Debian GNU/Linux"\nID=debian\nVERSION_ID="12"\n',
        }
    )
    assert whole.debs == (
        Deb("libc6", "amd64", "2.36-9+deb12u10", "glibc"),
        Deb("tini", "amd64", "0.19.0-1+b3"),
    )
    assert (whole.system, whole.release) == ("debian", "12")


def test_dists_have_one_spelling_the_wheel_s_tags_and_its_license() -> None:
    folder = f"{SITE}/Typing_Extensions-4.16.0.dist-info"
    whole = parse(
        {
            f"{folder}/METADATA": "Name: Typing.Extensions\nVersion: 4.16.0\n"
            "License-Expression: PSF-2.0\n",
            f"{folder}/WHEEL": "Wheel-Version: 1.0\nTag: py3-none-any\nTag: py2-none-any\n",
        }
    )
    assert whole.dists == (
        Dist(
            f"/{SITE}",
            "typing-extensions",
            "4.16.0",
            ("py2-none-any", "py3-none-any"),
            "PSF-2.0",
        ),
    )


@pytest.mark.parametrize("path", ["old-1.0.egg-info/PKG-INFO", "old-1.0.egg-info"])
def test_distributions_of_before_wheels_count(path: str) -> None:
    whole = parse({f"{SITE}/{path}": METADATA.format("old", "1.0")})
    assert whole.dists == (Dist(f"/{SITE}", "old", "1.0"),)


def test_other_files_of_a_dist_and_broken_metadata_are_no_dists() -> None:
    folder = f"{SITE}/x-1.dist-info"
    assert parse({f"{folder}/WHEEL": "Tag: py3-none-any\n"}).dists == ()
    assert parse({f"{folder}/METADATA": "Name: x\n"}).dists == ()


def record(**more: object) -> str:
    return json.dumps({"name": "numpy", "version": "1.21.5", "build": "py37_0", **more})


def test_what_conda_brought_of_python_is_conda_s_and_its_address_is_left_out() -> None:
    meta = "opt/conda/lib/python3.7/site-packages/numpy-1.21.5.dist-info/METADATA"
    whole = parse(
        {
            "opt/conda/conda-meta/numpy-1.21.5-py37_0.json": record(
                channel="https://mirror.example.edu/anaconda/pkgs/main/linux-64",
                subdir="linux-64",
                sha256="ab" * 32,
                files=[meta.removeprefix("opt/conda/")],
            ),
            "opt/conda/conda-meta/history": "not a package",
            meta: METADATA.format("numpy", "1.21.5"),
            meta.replace("numpy-1.21.5", "six-1.17.0"): METADATA.format("six", "1.17.0"),
        }
    )
    assert whole.condas == (
        Conda("/opt/conda", "numpy", "1.21.5", "py37_0", "pkgs/main", "linux-64", "ab" * 32),
    )
    assert [dist.name for dist in whole.dists] == ["six"]


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("https://conda.anaconda.org/conda-forge/linux-64", "conda-forge"),
        ("https://conda.anaconda.org/conda-forge/", "conda-forge"),
        ("conda-forge", "conda-forge"),
        ("", ""),
    ],
)
def test_a_channel_is_known_by_its_name(address: str, name: str) -> None:
    text = record(channel=address, subdir="linux-64")
    whole = parse({"opt/conda/conda-meta/numpy.json": text})
    assert whole.condas[0].channel == name


def test_an_image_without_any_package_manager_is_empty() -> None:
    whole = parse({})
    assert (whole.debs, whole.dists, whole.condas, whole.system) == ((), (), (), "linux")
    assert whole.architecture == ""
