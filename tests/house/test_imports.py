"""Who may import whom."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest
from importlinter.api import read_configuration
from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

# Who may know what (design, section 3); everyone else may not.
KNOWERS = {
    "click": {"cli.py", "commands"},
    "rich": {"commands"},
    "docker": {"engine", "push.py", "checks", "run"},
    "testcontainers": {"checks"},
    "paramiko": {"checks", "engine"},  # docker-py speaks ssh:// with it
    "websockets": {"checks"},
    "pytest": {"pytest_plugin"},
    "grpclib": {"engine"},
    "google": {"engine"},
    "jinja2": {"render.py", "checks"},  # the Dockerfile, and the report's page
    "jsonschema": {"validation.py"},
    "yaml": {"document.py", "catalogue"},
    "cyclonedx": {"sbom.py"},
    "packageurl": {"sbom.py"},
    "packaging": {"lock"},
    "tomllib": {"lock"},
}


@cache
def imported(file: Path) -> set[str]:
    """The top names of all modules that a file imports, wherever it does."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


def test_imports_go_downwards_only(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(root)
    status = lint_imports(config_filename="pyproject.toml", no_cache=True)
    assert status == EXIT_STATUS_SUCCESS, capsys.readouterr().out


def test_every_module_stands_in_the_contract(root: Path) -> None:
    options = read_configuration(str(root / "pyproject.toml"))["contracts_options"]
    layers = {
        name.strip().removeprefix("imagekit.")
        for layer in options[0]["layers"]
        for name in layer.split("|")
    }
    present = {
        path.stem
        for path in (root / "imagekit").iterdir()
        if path.suffix == ".py" or (path / "__init__.py").is_file()
    }
    assert present - layers == {"__init__", "__main__"}


@pytest.mark.parametrize("library", KNOWERS)
def test_a_library_is_known_only_where_it_belongs(root: Path, library: str) -> None:
    package = root / "imagekit"
    knowing = {
        file.relative_to(package).parts[0]
        for file in package.rglob("*.py")
        if library in imported(file)
    }
    assert knowing <= KNOWERS[library]
