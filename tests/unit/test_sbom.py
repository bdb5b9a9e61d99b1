"""Bills of materials: valid, whole, and equal for equal images."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from imagekit import sbom
from imagekit.contents import Conda, Contents, Deb, Dist
from imagekit.sbom import Described

IMAGE = Described(
    "cpu-ssh", "ab" * 32, f"sha256:{'cd' * 32}", datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
)
SITE = "/opt/venv/lib/python3.11/site-packages"
LIBC = Deb("libc6", "amd64", "2.36-9+deb12u10", "glibc")
SIX = Dist(SITE, "six", "1.17.0", ("py2-none-any", "py3-none-any"), "MIT")
NUMPY = Conda("/opt/conda", "numpy", "1.21.5", "py37_0", "pkgs/main", "linux-64", "ef" * 32)
CONTENTS = Contents(
    "debian",
    "12",
    (LIBC, Deb("adduser", "all", "3.134")),
    (Dist("/opt/web/lib", "six", "1.17.0"), SIX),
    (NUMPY,),
)


def read(text: str) -> dict[str, Any]:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    said: dict[str, Any] = json.loads(text)
    return said


def components(said: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["bom-ref"]: one for one in said["components"]}


def test_every_package_is_named_by_its_package_url() -> None:
    said = read(sbom.document(IMAGE, CONTENTS))
    assert set(components(said)) == {
        "system",
        "pkg:deb/debian/libc6@2.36-9%2Bdeb12u10?arch=amd64&distro=debian-12",
        "pkg:deb/debian/adduser@3.134?arch=all&distro=debian-12",
        "pkg:pypi/six@1.17.0",
        "pkg:conda/numpy@1.21.5?build=py37_0&channel=pkgs/main&subdir=linux-64",
    }


def test_the_image_is_what_is_described_and_depends_on_everything() -> None:
    said = read(sbom.document(IMAGE, CONTENTS))
    assert said["metadata"]["timestamp"] == "2026-01-02T03:04:05+00:00"
    image = said["metadata"]["component"]
    assert (image["name"], image["version"]) == ("cpu-ssh", "ab" * 6)
    assert image["hashes"] == [{"alg": "SHA-256", "content": "cd" * 32}]
    (whole,) = (one for one in said["dependencies"] if one["ref"] == image["bom-ref"])
    assert set(whole["dependsOn"]) == set(components(said))


def test_one_that_lies_in_two_folders_is_one_component_with_its_license() -> None:
    found = components(read(sbom.document(IMAGE, CONTENTS)))["pkg:pypi/six@1.17.0"]
    assert {one["value"] for one in found["properties"]} == {SITE, "/opt/web/lib"}


def test_checksums_are_said_where_they_are_known() -> None:
    found = components(read(sbom.document(IMAGE, CONTENTS, {LIBC: "12" * 32})))
    hashes = {ref.partition("@")[0]: one.get("hashes") for ref, one in found.items()}
    assert hashes["pkg:deb/debian/libc6"] == [{"alg": "SHA-256", "content": "12" * 32}]
    assert hashes["pkg:conda/numpy"] == [{"alg": "SHA-256", "content": "ef" * 32}]
    assert hashes["pkg:pypi/six"] is None


def test_equal_images_have_equal_documents_and_others_another_number() -> None:
    again = Contents("debian", "12", CONTENTS.debs[::-1], CONTENTS.dists[::-1][:1], CONTENTS.condas)
    one = sbom.document(IMAGE, Contents("debian", "12", CONTENTS.debs, (SIX,), (NUMPY,)))
    assert one == sbom.document(IMAGE, again)
    other = Described(IMAGE.profile, IMAGE.plan, f"sha256:{'00' * 32}", IMAGE.created)
    assert read(one)["serialNumber"] != read(sbom.document(other, again))["serialNumber"]


@pytest.mark.parametrize(
    ("image", "url"),
    [
        ("debian:12-slim", "pkg:docker/debian@sha256:aa?tag=12-slim"),
        ("nvidia/cuda:12.2.2-base", "pkg:docker/nvidia/cuda@sha256:aa?tag=12.2.2-base"),
        ("debian", "pkg:docker/debian@sha256:aa"),
        ("nvidia/cuda@sha256:bb", "pkg:docker/nvidia/cuda@sha256:aa"),
        ("nvidia/cuda:12.2.2-base@sha256:bb", "pkg:docker/nvidia/cuda@sha256:aa?tag=12.2.2-base"),
        ("r.test:5000/a/b@sha256:bb", "pkg:docker/r.test:5000/a/b@sha256:aa"),
    ],
)
def test_a_base_in_a_registry_has_a_package_url(image: str, url: str) -> None:
    assert sbom.image_url(image, "sha256:aa") == url
