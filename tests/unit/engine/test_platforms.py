"""What platforms are called."""

from __future__ import annotations

import pytest

from imagekit.engine.platforms import architecture, normalize
from imagekit.errors import InputError


@pytest.mark.parametrize(
    ("written", "normal", "machine"),
    [
        ("linux/amd64", "linux/amd64", "amd64"),
        ("linux/x86_64", "linux/amd64", "amd64"),
        ("linux/aarch64", "linux/arm64", "arm64"),
        ("linux/arm/v7", "linux/arm/v7", "arm"),
    ],
)
def test_one_name_for_each(written: str, normal: str, machine: str) -> None:
    assert normalize(written) == normal
    assert architecture(normal) == machine


@pytest.mark.parametrize("written", ["arm64", "linux", "linux/", "windows/amd64", "linux/a/b", " "])
def test_what_is_none(written: str) -> None:
    with pytest.raises(InputError, match=r"(?s)not of the form.*hint: for instance linux/amd64"):
        normalize(written)
