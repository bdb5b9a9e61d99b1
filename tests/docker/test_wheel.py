"""The wheel, installed into an empty environment outside the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests.docker.support import PROFILE

pytestmark = pytest.mark.image

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command line of a fresh environment."""
    place = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(place)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = place.glob("*.whl")
    venv.create(place / "env", with_pip=True)
    command = [place / "env" / "bin" / "pip", "install", "--quiet", wheel]
    subprocess.run(command, check=True, capture_output=True)
    return place / "env" / "bin" / "imagekit"


@pytest.mark.parametrize("verb", [["list", "--names"], ["validate"], ["render", PROFILE]])
def test_offline_verbs_work_outside_the_checkout(
    installed: Path, tmp_path: Path, verb: list[str]
) -> None:
    environment = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    done = subprocess.run(
        [installed, *verb],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    if verb[0] == "render":
        golden = ROOT / "tests" / "golden" / PROFILE / "Dockerfile"
        assert done.stdout == golden.read_text()
    else:
        assert PROFILE in done.stdout
