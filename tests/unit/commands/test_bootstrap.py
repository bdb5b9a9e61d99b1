"""`imagekit bootstrap`: what is made, and what it prints."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from imagekit.engine import bootstrap, connection

RunCli = Callable[..., Any]


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the engine's module was told."""
    told: dict[str, Any] = {}

    def image(engine: object, recipe: object, ref: str, **options: Any) -> Any:
        told.update(recipe=recipe, ref=ref, **options)
        return SimpleNamespace(id="sha256:1")

    def archive(recipe: object, file: Path, on_event: object) -> str:
        told.update(recipe=recipe, file=file)
        return "ab" * 32

    connected = SimpleNamespace(close=lambda: told.update(closed=True))
    monkeypatch.setattr(connection, "connect", lambda _address, **_: connected)
    monkeypatch.setattr(bootstrap, "bootstrap", image)
    monkeypatch.setattr(bootstrap, "write", archive)
    return told


def test_an_image_is_made(run_cli: RunCli, made: dict[str, Any]) -> None:
    ended = run_cli("bootstrap", "debian12")
    assert (ended.code, ended.out) == (0, "sha256:1 localhost/imagekit/base:debian12\n")
    assert made["recipe"].suite == "bookworm"
    assert made["labels"] == {"dev.imagekit.base": "debian12"}
    assert made["closed"]


def test_the_name_and_the_sites_mirror_arrive(
    run_cli: RunCli, write: Callable[..., str], made: dict[str, Any]
) -> None:
    write("site: 1\nmirrors: {apt: 'http://m.example'}", "lab.yaml")
    ended = run_cli("bootstrap", "ubuntu22.04", "--ref", "lab/u:1", "--site", "lab.yaml", "--json")
    image = {"id": "sha256:1", "name": "lab/u:1"}
    assert json.loads(ended.out) == {
        **{"version": 1, "os": "ubuntu22.04"},
        **{"image": image, "archive": None},
    }
    assert made["recipe"].mirror == "http://m.example/ubuntu"


def test_an_archive_is_written_without_an_engine(
    run_cli: RunCli, made: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def connect(_address: str) -> None:
        pytest.fail("an engine was asked")

    monkeypatch.setattr(connection, "connect", connect)
    ended = run_cli("bootstrap", "debian12", "--output", "d.tar.xz")
    assert (ended.code, ended.out) == (0, f"{'ab' * 32}  d.tar.xz\n")
    ended = run_cli("bootstrap", "debian12", "--output", "d.tar.xz", "--json")
    assert json.loads(ended.out)["archive"] == {"sha256": "ab" * 32, "file": "d.tar.xz"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["debain12"],
            '"debain12" is no release of the catalogue\n  hint: did you mean "debian12"?\n',
        ),
        (["debian12", "--ref", "A:1"], '"A:1" is no name for an image'),
        (["debian12", "--output", "none/d.tar"], "none/d.tar: its folder is not there\n"),
        (["debian12", "--output", "."], ".: is a folder\n"),
        (["debian12", "--ref", "a", "--output", "b"], "Usage: "),
    ],
)
def test_bad_input(
    run_cli: RunCli, made: dict[str, Any], arguments: list[str], message: str
) -> None:
    ended = run_cli("bootstrap", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(message)
    assert made == {}
