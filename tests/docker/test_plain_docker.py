"""A rendered folder is an ordinary build context: plain `docker build` makes the same image."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from imagekit import site
from imagekit.engine.connection import Engine
from tests.docker.support import PROFILE, Cli
from tests.required import missing

TAG = "ik-test/plain:1"


@pytest.fixture(scope="module")
def docker_build() -> list[str]:
    """The beginning of a command line that builds with BuildKit, without imagekit."""
    candidates = [shutil.which("docker"), "/usr/bin/docker"]
    for docker in filter(None, candidates):
        if not Path(docker).exists():
            continue
        # A client without buildx refuses BuildKit, except for those of 20.10, which have it
        # built in.
        help_text = subprocess.run(
            [docker, "build", "--help"],
            env={**os.environ, "DOCKER_BUILDKIT": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        if "--secret" in help_text.stdout:
            return [docker, "build"]
    return missing("docker-cli", "no docker command line with BuildKit")


def test_docker_build_of_the_rendered_folder(
    engine: Engine, cli: Cli, tiny_base: str, docker_build: list[str], tmp_path: Path
) -> None:
    folder = tmp_path / "context"
    cli("render", PROFILE, "-o", str(folder))
    certificates = tmp_path / "ca.pem"
    certificates.write_bytes(site.load().ca_certificates)
    command = [*docker_build, "--tag", TAG, "--build-arg", f"BASE={tiny_base}"]
    if certificates.stat().st_size:
        command += ["--secret", f"id=ca,src={certificates}"]
    environment = {
        **os.environ,
        "DOCKER_BUILDKIT": "1",
        "DOCKER_HOST": engine.address,
    }
    done = subprocess.run(
        [*command, str(folder)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    try:
        report = json.loads(cli("test", "--image", TAG, "--json").stdout)
        assert report["ok"]
        assert report["profile"] == PROFILE
    finally:
        engine.client.images.remove(TAG)
