"""What is in the checkout, and what of it gets into a wheel."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel that would be published."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    built = subprocess.run(command, cwd=root, capture_output=True, text=True)  # noqa: PLW1510
    assert built.returncode == 0, built.stdout + built.stderr
    (file,) = folder.iterdir()
    return zipfile.ZipFile(file)


def test_a_wheel_holds_the_package_and_its_data_and_nothing_else(
    wheel: zipfile.ZipFile, listed: list[str]
) -> None:
    wanted = {name for name in listed if name.startswith("imagekit/")}
    wanted |= {
        f"imagekit/_assets/{name}"
        for name in listed
        if name.startswith(("templates/", "profiles/"))
    }
    held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert held == wanted


def test_a_wheel_keeps_the_bits_that_make_programs(wheel: zipfile.ZipFile, root: Path) -> None:
    for entry in wheel.infolist():
        source = root / entry.filename.replace("imagekit/_assets/", "")
        if ".dist-info/" not in entry.filename:
            executable = bool(entry.external_attr >> 16 & 0o100)
            assert executable == bool(source.stat().st_mode & 0o100), entry.filename


def settings_of_the_machine() -> str:
    """All that apt, pip and npm are told here, in one text."""
    sources = [Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*")]
    said = [path.read_text("utf-8", "replace") for path in sources if path.is_file()]
    index = (
        "from pip._internal.models.index import PyPI as p;"
        "print('https://' + p.netloc, 'https://' + p.file_storage_domain)"
    )
    commands = [[sys.executable, "-m", "pip", "config", "list"], [sys.executable, "-c", index]]
    if shutil.which("python3"):
        commands.append(["python3", "-c", index])
    if shutil.which("npm"):
        commands.append(["npm", "config", "get", "registry"])
    asked = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for command in commands
    ]
    said += [process.communicate()[0] for process in asked]
    return "\n".join(said)


def test_no_file_names_a_registry_that_this_machine_uses(root: Path, listed: list[str]) -> None:
    hosts = set(re.findall(r"https?://(?:[^/\s@'\"]+@)?([^/\s:'\"]+)", settings_of_the_machine()))
    if not hosts:
        pytest.skip("this machine's settings name no registry")
    pattern = re.compile("|".join(map(re.escape, sorted(hosts))).encode())
    naming = [
        name
        for name in listed
        if not name.endswith(".lock") and pattern.search((root / name).read_bytes())
    ]
    assert naming == []


def test_every_page_of_the_docs_can_be_reached_from_the_readme(
    root: Path, listed: list[str]
) -> None:
    reached, new = set(), {root / "README.md"}
    while new:
        page = new.pop()
        reached.add(page)
        linked = re.findall(r"\]\(([^)#:]+\.md)(?:#[^)]*)?\)", page.read_text("utf-8"))
        new |= {(page.parent / link).resolve() for link in linked} - reached
    pages = {root / name for name in listed if re.fullmatch(r"docs/.*\.md", name)}
    assert sorted(str(page.relative_to(root)) for page in pages - reached) == []


def test_a_python_that_is_too_old_is_refused_in_plain_words(root: Path, tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    command = [root / ".ci" / "venv", old, "."]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == (
        f"venv: imagekit needs Python 3.10 or later, and {old} is not\n"
        "  hint: name one, for instance: make demo PYTHON=python3.11\n"
    )
    assert not (tmp_path / ".venv").exists()


def test_no_file_is_larger_than_it_should_be(root: Path, listed: list[str]) -> None:
    large = [name for name in listed if (root / name).stat().st_size > 1_000_000]
    assert large == []


def test_text_files_end_with_a_line_end_and_hold_no_tab_where_yaml_is(
    root: Path, listed: list[str]
) -> None:
    for name in listed:
        data = (root / name).read_bytes()
        if name.endswith((".py", ".j2", ".yaml", ".toml", ".md", ".json", ".sh")) and data:
            assert data.endswith(b"\n"), name
            assert b"\r" not in data, name
        if name.startswith("profiles/"):
            assert b"\t" not in data, name
