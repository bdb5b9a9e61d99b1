"""CI files: valid by their makers' schemas, pinned, and with no more rights than they need."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

NAMES = ("ci.yml", "images.yml")


@pytest.fixture(params=NAMES)
def workflow(request: pytest.FixtureRequest, root: Path) -> Path:
    file: Path = root / ".github" / "workflows" / request.param
    return file


def test_there_are_no_other_workflows(root: Path) -> None:
    assert sorted(path.name for path in (root / ".github" / "workflows").iterdir()) == list(NAMES)


def check_schema(name: str, *files: Path) -> None:
    """Ask check-jsonschema, which holds the schemas and asks no network for these."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{name}"]
    done = subprocess.run([*command, *map(str, files)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_workflows_follow_github_s_schema(root: Path) -> None:
    check_schema("github-workflows", *(root / ".github" / "workflows" / name for name in NAMES))


def test_the_gitlab_example_follows_gitlab_s_schema(root: Path, tmp_path: Path) -> None:
    text = (root / "docs" / "ci.md").read_text("utf-8")
    (example,) = re.findall(r"^```yaml\n(.+?)^```$", text, re.MULTILINE | re.DOTALL)
    file = tmp_path / ".gitlab-ci.yml"
    file.write_text(example, "utf-8")
    check_schema("gitlab-ci", file)


def test_actions_are_pinned_to_commits(workflow: Path) -> None:
    text = workflow.read_text("utf-8")
    used = re.findall(r"uses: (.+)$", text, re.MULTILINE)
    assert used
    assert [use for use in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v[\d.]+", use)] == []


def test_only_the_job_that_pushes_may_write(workflow: Path) -> None:
    loaded: dict[str, Any] = yaml.safe_load(workflow.read_text("utf-8"))
    assert loaded["permissions"] == {"contents": "read"}
    rights = {name: job.get("permissions") for name, job in loaded["jobs"].items()}
    pushing = {"contents": "read", "packages": "write"}
    assert rights == {name: pushing if name == "image" else None for name in rights}


def test_no_script_has_an_expression_in_it(workflow: Path) -> None:
    """What GitHub puts into a script's text is run; an environment variable is not."""
    loaded: dict[str, Any] = yaml.safe_load(workflow.read_text("utf-8"))
    scripts = [step.get("run", "") for job in loaded["jobs"].values() for step in job["steps"]]
    assert [script for script in scripts if "${{" in script] == []
