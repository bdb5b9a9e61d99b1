"""The client as others use it."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from imagekit.engine.buildkit import build

PAGE = Path(__file__).parents[3] / "docs" / "api.md"
MODULES = ("imagekit.context", "imagekit.engine.buildkit", "imagekit.engine.connection")
BELOW = {"imagekit.errors", "imagekit.events", "imagekit.home"}


def test_it_needs_nothing_of_profiles_and_plans() -> None:
    code = f"import sys, {', '.join(MODULES)}; print(*sys.modules)"
    said = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.split()
    loaded = {name for name in said if name.startswith("imagekit.")}
    assert {name for name in loaded if not name.startswith("imagekit.engine")} == {
        "imagekit.context",
        *BELOW,
    }


@pytest.mark.parametrize("name", inspect.signature(build).parameters)
def test_every_argument_stands_on_the_page(name: str) -> None:
    assert f"\n| `{name}` | " in PAGE.read_text("utf-8")
