"""Native VNC viewers: what ``desktop.vnc`` promises, by the checks, and by its refusals."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from imagekit.engine.connection import Engine
from tests.docker.releases import DESKTOP
from tests.docker.support import Cli

pytestmark = pytest.mark.image

SECONDS = 60.0
Build = Callable[[str], tuple[str, str]]


@pytest.fixture(scope="module")
def build(engine: Engine, cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Build]:
    """Build a desktop with a kind of native VNC: the profile's file and the image."""
    names = []

    def go(vnc: str) -> tuple[str, str]:
        names.append(f"native-{vnc}")
        file = tmp_path_factory.mktemp("profile") / f"{names[-1]}.yaml"
        # With TLS viewers use the account's password, which is to open nothing else.
        said = f"desktop: {{vnc: {vnc}}}\nsshd: {{password: false, root: password}}\n"
        file.write_text(DESKTOP.replace("RELEASE", "debian12") + said)
        return str(file), cli("build", str(file)).stdout.split()[0]

    yield go
    for name in names:
        for image in engine.client.images.list(name=f"imagekit/{name}"):
            for tag in image.tags:
                engine.client.images.remove(tag)


@pytest.mark.parametrize("vnc", ["tls", "password"])
def test_viewers_get_in_as_planned_and_browsers_too(build: Build, cli: Cli, vnc: str) -> None:
    profile, _ = build(vnc)
    asked = ("vnc", "web", "sshd-password", "sshd-root")
    only = [word for name in asked for word in ("--only", name)]
    done = cli("test", profile, "--json", *only, check=False)
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    statuses = {name: check["status"] for name, check in checks.items()}
    assert statuses == dict.fromkeys(asked, "passed"), done.stdout
    assert checks["vnc"]["data"]["native"] == vnc


def test_a_password_that_vnc_would_cut_ends_the_start(
    engine: Engine, build: Build, tmp_path: Path
) -> None:
    _, image = build("password")
    (tmp_path / "vnc_password").write_text("123456789")
    volumes = {str(tmp_path): {"bind": "/run/secrets", "mode": "ro"}}
    container = engine.client.containers.run(image, detach=True, volumes=volumes)
    try:
        assert container.wait(timeout=SECONDS)["StatusCode"] == 1
        assert "more than 8 characters" in container.logs().decode()
    finally:
        container.remove(force=True, v=True)
