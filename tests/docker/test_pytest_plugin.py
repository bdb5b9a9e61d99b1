"""The pytest plugin on a real engine, with the lab's tests of docs/pytest.md word for word."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from imagekit.engine.connection import Engine
from tests.docker.support import PROFILE

ROOT = Path(__file__).parents[2]
MODULE = "imagekit.pytest_plugin"
INSTALLED = any(point.value == MODULE for point in entry_points(group="pytest11"))
LOAD = () if INSTALLED else ("-p", MODULE)

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run pytest in a folder that holds the page's example; profiles are found by name."""
    page = (ROOT / "docs" / "pytest.md").read_text("utf-8")
    (example,) = re.findall(r"^```python\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    (tmp_path / "test_lab.py").write_text(example)

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "pytest", *LOAD, *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )

    return call


@pytest.mark.usefixtures("image")
def test_checks_and_the_labs_own_tests(engine: Engine, run: Run, tmp_path: Path) -> None:
    done = run("--imagekit-profile", PROFILE, "-k", "sshd or lab", "--junitxml=report.xml", "-v")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"imagekit::{PROFILE}::sshd-root PASSED" in done.stdout
    cases = {case.attrib["name"] for case in ET.parse(tmp_path / "report.xml").iter("testcase")}  # noqa: S314
    assert cases >= {"sshd", "sshd-password", "test_lab_disk_has_room"}
    left = engine.client.containers.list(all=True, filters={"label": "dev.imagekit.run"})
    assert left == []


def test_an_image_that_is_not_there(engine: Engine, run: Run) -> None:
    done = run("--imagekit-image", "ik-test/none:1", "-k", "sshd or lab")
    assert done.returncode == 1
    assert "ik-test/none:1: there is no such image" in done.stdout
    assert "Traceback" not in done.stdout


def test_without_an_image_the_labs_tests_are_skipped(run: Run) -> None:
    done = run("-rs")
    assert done.returncode == 0
    assert "no image to test: run pytest with --imagekit-profile NAME" in done.stdout
