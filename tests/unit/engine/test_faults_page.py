"""docs/faults.md names tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "faults.md").read_text("utf-8")


def test_every_test_that_the_page_names_exists() -> None:
    files = list((ROOT / "tests").rglob("test_*.py"))
    defined = {
        name
        for file in files
        for name in re.findall(r"^def (test_\w+)\(", file.read_text("utf-8"), re.MULTILINE)
    }
    named = set(re.findall(r"::(test_\w+)", PAGE))
    assert len(named) > 15
    assert named <= defined
    paths = [file.as_posix() for file in files]
    wanted = set(re.findall(r"`((?:\w+/)*test_\w+\.py)", PAGE))
    assert [name for name in wanted if not any(p.endswith(f"/{name}") for p in paths)] == []
