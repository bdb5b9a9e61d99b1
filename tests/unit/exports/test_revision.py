"""Which profiles changed since a revision, in real git repositories."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

import imagekit
from tests.unit.conftest import Ended, RunCli, Write


def git(*arguments: str) -> str:
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    done = subprocess.run(
        ["git", *identity, *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def commit() -> str:
    git("add", "--all")
    git("commit", "--quiet", "--allow-empty", "--message=x")
    return git("rev-parse", "HEAD")


@pytest.fixture
def lab(place: Path, write: Write, monkeypatch: pytest.MonkeyPatch) -> str:
    """A lab's repository with three profiles; its first commit."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    git("init", "--quiet")
    (place / "link").symlink_to("/etc/hostname")
    write("profile: 1\npackages: {apt: [htop]}\n", "profiles/_tools.yaml")
    write("profile: 1\nextends: [_tools]\n", "profiles/lab-a.yaml")
    write("profile: 1\n", "profiles/lab-b.yaml")
    write("profile: 1\nextends: [lab-b]\n", "profiles/lab-c.yaml")
    return commit()


def listed(ended: Ended) -> list[str]:
    assert ended.code == 0, ended.err
    return [row["profile"] for row in json.loads(ended.out)["include"]]


LAB = ("lab-a", "lab-b", "lab-c")


def test_without_a_revision_all_are_listed_with_their_plans(lab: str, run_cli: RunCli) -> None:
    ended = run_cli("export", "ci-matrix", "lab-a", "lab-b")
    assert listed(ended) == ["lab-a", "lab-b"]
    rows = json.loads(ended.out)["include"]
    assert all(len(row["plan"]) == 12 for row in rows)
    assert rows[0]["plan"] != rows[1]["plan"]
    assert ended.out.count("\n") == 1
    assert {"lab-a", "debian12-desktop"} <= set(listed(run_cli("export", "ci-matrix")))


def test_a_mixin_a_comment_and_a_new_profile(lab: str, write: Write, run_cli: RunCli) -> None:
    write("profile: 1\npackages: {apt: [htop, vim]}\n", "profiles/_tools.yaml")
    write("profile: 1  # says nothing new\n", "profiles/lab-b.yaml")
    write("profile: 1\n", "profiles/lab-d.yaml")
    ended = run_cli("export", "ci-matrix", *LAB, "lab-d", "--changed-since", lab)
    assert listed(ended) == ["lab-a", "lab-d"]
    assert ended.err == "lab-a: Dockerfile\nlab-d: could not be rendered then\n"
    commit()
    assert listed(run_cli("export", "ci-matrix", *LAB, "--changed-since", "HEAD")) == []


def test_what_extends_a_changed_profile_changed(lab: str, write: Write, run_cli: RunCli) -> None:
    write("profile: 1\ndescription: Now with more\n", "profiles/lab-b.yaml")
    assert listed(run_cli("export", "ci-matrix", *LAB, "--changed-since", lab)) == [
        "lab-b",
        "lab-c",
    ]


def test_what_could_not_be_rendered_then_changed(lab: str, write: Write, run_cli: RunCli) -> None:
    write("profile: 1\nno_such_key: 1\n", "profiles/lab-b.yaml")
    broken = commit()
    write("profile: 1\n", "profiles/lab-b.yaml")
    ended = run_cli("export", "ci-matrix", "lab-a", "lab-b", "--changed-since", broken)
    assert listed(ended) == ["lab-b"]


def test_a_profile_by_its_path(lab: str, place: Path, write: Write, run_cli: RunCli) -> None:
    write("profile: 1\ndescription: Other\n", "profiles/lab-b.yaml")
    for path in ("profiles/lab-b.yaml", str(place / "profiles" / "lab-b.yaml")):
        assert listed(run_cli("export", "ci-matrix", path, "--changed-since", lab)) == [path]
    same = str(place / "profiles" / "lab-a.yaml")
    assert listed(run_cli("export", "ci-matrix", same, "--changed-since", lab)) == []


def test_below_the_top_of_the_repository(
    lab: str, place: Path, write: Write, run_cli: RunCli, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("profile: 1\n", "sub/profiles/lab-a.yaml")
    then = commit()
    write("profile: 1\ndescription: Other\n", "profiles/lab-a.yaml")
    monkeypatch.chdir(place / "sub")
    assert listed(run_cli("export", "ci-matrix", "lab-a", "--changed-since", then)) == []


def test_a_revision_with_imagekit_in_it_is_rendered_by_its_own_code(
    lab: str, place: Path, run_cli: RunCli
) -> None:
    root = Path(imagekit.__file__).parent.parent
    for part in ("imagekit", "templates"):
        shutil.copytree(root / part, place / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(root / "profiles" / "_base.yaml", place / "profiles")
    same = commit()
    end = place / "templates" / "Dockerfile.j2"
    text = end.read_text("utf-8")
    end.write_text(text + "# another end\n", "utf-8")
    other = commit()
    assert listed(run_cli("export", "ci-matrix", "lab-b", "--changed-since", same)) == []
    assert listed(run_cli("export", "ci-matrix", "lab-b", "--changed-since", other)) == ["lab-b"]


@pytest.mark.parametrize("revision", ["nothing", "-x", "0" * 40, "HEAD~9", "a b\n"])
def test_what_is_no_revision_is_refused(lab: str, run_cli: RunCli, revision: str) -> None:
    ended = run_cli("export", "ci-matrix", f"--changed-since={revision}")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("--changed-since: ")
    assert "is no revision here\n  hint: " in ended.err


def test_outside_a_repository(
    place: Path, run_cli: RunCli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(place.parent))
    ended = run_cli("export", "ci-matrix", "--changed-since", "HEAD")
    assert ended.code == 2
    assert ended.err.startswith("--changed-since: git rev-parse: not a git repository")


def test_without_git(lab: str, run_cli: RunCli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    ended = run_cli("export", "ci-matrix", "--changed-since", "HEAD")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == "--changed-since: git is not installed\n  hint: apt-get install git\n"
