"""One command line, as CI uses it: built, locked, pushed, described, each proved afterwards."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from imagekit.engine import images
from imagekit.engine.connection import Engine
from tests.docker.registry import registry
from tests.docker.releases import SSH_ONLY
from tests.docker.support import Cli


@pytest.fixture
def host(tmp_path: Path) -> Iterator[str]:
    folder = tmp_path / "registry"
    folder.mkdir()
    with registry(folder) as port:
        yield f"127.0.0.1:{port}"


def test_an_image_is_built_locked_pushed_and_described(
    engine: Engine, cli: Cli, host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    Path("ik-publish.yaml").write_text(SSH_ONLY.replace("RELEASE", "debian12"))
    name = f"{host}/lab/{{profile}}:ci"
    options = ("--lock", "--push", "--metadata-file", "built.json", "--tag", name)
    done = cli("build", "ik-publish.yaml", *options)

    first, *pushed = done.stdout.split("\n")[:-1]
    image, *tags = first.split()
    references = {line.partition("@")[0]: line.partition("@")[2] for line in pushed}
    plan = tags[1].rpartition(":")[2]
    fixed = f"{plan}-{image.removeprefix('sha256:')[:12]}"
    assert list(references) == [f"{host}/lab/ik-publish:{tag}" for tag in (fixed, "ci")]
    for reference, digest in references.items():
        tag = reference.rpartition(":")[2]
        kinds = {
            "Accept": "application/vnd.docker.distribution.manifest.v2+json, "
            "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json"
        }
        url = f"http://{host}/v2/lab/ik-publish/manifests/{tag}"
        answer = requests.head(url, headers=kinds, timeout=10)
        assert answer.headers["Docker-Content-Digest"] == digest

    (built,) = json.loads(Path("built.json").read_text("utf-8"))["builds"]
    assert (built["image"], built["tags"]) == (image, tags)
    assert {name.partition("@")[2] for name in built["digests"]} >= set(references.values())
    bill = json.loads(Path("ik-publish.cdx.json").read_text("utf-8"))
    hashed = [one for one in bill["components"] if one["name"] == "openssh-server"]
    assert [len(one["hashes"]) for one in hashed] == [1]  # the lock has its checksum
    statement = json.loads(Path("ik-publish.provenance.json").read_text("utf-8"))
    assert f"{host}/lab/ik-publish:ci" in {one["name"] for one in statement["subject"]}
    assert "openssh-server" in Path("ik-publish.lock").read_text("utf-8")
    for tag in images.demand(engine, image).tags:
        engine.client.images.remove(tag)
