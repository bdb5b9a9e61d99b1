"""The example of docs/api.md, word for word."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from imagekit.engine.connection import Engine

PAGE = Path(__file__).parents[3] / "docs" / "api.md"


def example() -> str:
    (text,) = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.DOTALL | re.M)
    return str(text)


@pytest.fixture
def hello(engine: Engine, tmp_path: Path) -> Path:
    program = tmp_path / "hello.py"
    program.write_text(example())
    return program


def test_it_builds(engine: Engine, tiny_base: str, hello: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(hello), tiny_base], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    image = engine.client.images.get("example/hello:1")
    try:
        assert done.stdout == f"{image.id}\n"
        assert re.search(r"^COPY hello|\] COPY hello", done.stderr, re.MULTILINE)
        said: bytes = engine.client.containers.run(image, ["hello"], remove=True)
        assert said == b"hello\n"
    finally:
        engine.client.images.remove("example/hello:1")


@pytest.mark.usefixtures("engine")
def test_it_says_what_went_wrong(hello: Path) -> None:
    # .invalid never resolves (RFC 2606, section 2).
    done = subprocess.run(
        [sys.executable, str(hello), "registry.invalid/none"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (4, "")
    assert "hint: check the image's name" in done.stderr
    assert "Traceback" not in done.stderr
