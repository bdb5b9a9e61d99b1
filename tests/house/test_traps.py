"""docs/traps.md is whole: every trap has a row, and every test that it names is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

COUNT = 54
_ROW = re.compile(r"^\| (\d+) \| (.+) \| (.+) \| (.+) \|$", re.MULTILINE)
_TEST = re.compile(r"^`(tests/[a-z_/]+\.py)::(test_\w+)`$")


@pytest.fixture(scope="module")
def rows(root: Path) -> list[tuple[str, ...]]:
    text = (root / "docs" / "traps.md").read_text("utf-8")
    return [match.groups() for match in _ROW.finditer(text)]


def test_every_trap_has_its_row(rows: list[tuple[str, ...]]) -> None:
    assert [int(number) for number, *_ in rows] == list(range(1, COUNT + 1))


def test_every_row_names_a_test_that_is_there_or_says_why_not(
    rows: list[tuple[str, ...]], root: Path
) -> None:
    assert [problem for row in rows if (problem := wrong_with(row, root))] == []


@pytest.mark.parametrize(
    "answer", ["", "later", "`tests/none.py::test_x`", "`tests/house/test_traps.py::test_none`"]
)
def test_a_row_without_an_answer_would_be_seen(root: Path, answer: str) -> None:
    assert wrong_with(("1", "a trap", "what is done", answer), root)


def wrong_with(row: tuple[str, ...], root: Path) -> str:
    """What is wrong with a row; empty when nothing is."""
    number, *_, answer = row
    if answer.startswith("does not apply: "):
        return ""
    if not (match := _TEST.match(answer)):
        return f"{number}: neither a test nor a reason: {answer}"
    file, name = match.groups()
    if not (root / file).is_file():
        return f"{number}: there is no {file}"
    tree = ast.parse((root / file).read_text("utf-8"))
    names = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    return "" if name in names else f"{number}: {file} has no {name}"
