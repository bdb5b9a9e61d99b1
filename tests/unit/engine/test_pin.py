"""What FROM is told: a name that makes BuildKit ask no registry."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from imagekit.engine import images
from imagekit.engine.pin import pin
from imagekit.errors import EngineError

ID = "sha256:0123456789abcdef"
PULLED = "mirror.example.edu/hub/library/debian:12-slim"
PIN = "localhost/imagekit/from:0123456789ab"
CONTAINERD: Any = SimpleNamespace(store="containerd", where="here")
OVERLAY2: Any = SimpleNamespace(store="overlay2", where="here")


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[str]]]:
    """Names that images were given; the engine has one image, of amd64."""
    named: list[tuple[str, list[str]]] = []
    there = SimpleNamespace(id=ID, architecture="amd64")
    monkeypatch.setattr(images, "find", lambda _, ref: there if ref == ID else None)
    monkeypatch.setattr(images, "tag", lambda _, image_id, refs: named.append((image_id, refs)))
    return named


@pytest.mark.parametrize("platform", ["", "linux/amd64"])
def test_a_registry_s_image_gets_a_name_of_this_host(
    given: list[tuple[str, list[str]]], platform: str
) -> None:
    assert pin(CONTAINERD, PULLED, ID, platform) == PIN
    assert given == [(ID, [PIN])]


@pytest.mark.parametrize("reference", ["localhost/imagekit/base:debian12", "localhost/lab/x:1"])
def test_a_name_of_this_host_stays(given: list[tuple[str, list[str]]], reference: str) -> None:
    assert pin(CONTAINERD, reference, ID) == reference
    assert given == []


def test_the_classic_store_takes_what_is_there_by_itself(
    given: list[tuple[str, list[str]]],
) -> None:
    assert pin(OVERLAY2, PULLED, ID) == PULLED
    assert given == []


def test_an_image_of_another_platform_is_left_to_the_registry(
    given: list[tuple[str, list[str]]],
) -> None:
    assert pin(CONTAINERD, PULLED, ID, "linux/arm64") == PULLED
    assert given == []


def test_an_image_that_is_gone_is_said(given: list[tuple[str, list[str]]]) -> None:
    with pytest.raises(EngineError, match="there is no image sha256:gone"):
        pin(CONTAINERD, "debian:12-slim", "sha256:gone")
    assert given == []
