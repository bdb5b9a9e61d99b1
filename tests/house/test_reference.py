"""The reference pages are those that the code and the data make."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from imagekit.checks.registry import NAMES
from imagekit.cli import VERBS

PAGES = ("catalogue.md", "checks.md", "cli.md", "profile.md", "site.md")


@pytest.fixture(scope="module")
def made(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages, made anew."""
    folder = tmp_path_factory.mktemp("reference")
    command = [sys.executable, str(root / ".ci" / "reference"), str(folder)]
    env = {**os.environ, "PYTHONPATH": str(root)}
    ended = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    return folder


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_what_would_be_made_of_it_now(root: Path, made: Path, page: str) -> None:
    kept = (root / "docs" / "reference" / page).read_text("utf-8")
    assert kept == (made / page).read_text("utf-8"), "run `make reference`"


def test_there_are_no_other_pages(root: Path, made: Path) -> None:
    kept = sorted(path.name for path in (root / "docs" / "reference").iterdir())
    assert kept == sorted(path.name for path in made.iterdir()) == list(PAGES)


def test_every_verb_has_its_part(made: Path) -> None:
    text = (made / "cli.md").read_text("utf-8")
    assert re.findall(r"^## (\w+)$", text, re.MULTILINE) == list(VERBS)


def test_every_check_has_its_line_and_its_module_is_there(root: Path, made: Path) -> None:
    text = (made / "checks.md").read_text("utf-8")
    assert re.findall(r"^\| `([a-z-]+)` \| \S", text, re.MULTILINE) == list(NAMES)
    modules = re.findall(r"\]\((\.\./\.\./\S+)\)", text)
    assert len(modules) == len(NAMES)
    assert [path for path in modules if not (root / "docs" / "reference" / path).is_file()] == []
