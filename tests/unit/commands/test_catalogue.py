"""`imagekit catalogue`: the tables in columns, as JSON, and what a check reports."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from imagekit import catalogue_check
from imagekit.catalogue.rows import Row
from imagekit.catalogue.tables import TABLES
from imagekit.catalogue_check import CHANGED, HOLDS, NOT_ASKED, Answer

RunCli = Callable[..., Any]

pytestmark = pytest.mark.usefixtures("small_catalogue")


def test_the_overview_has_every_table_with_its_rows_and_what_they_are(run_cli: RunCli) -> None:
    ended = run_cli("catalogue")
    assert (ended.code, ended.err) == (0, "")
    lines = [line.split(maxsplit=2) for line in ended.out.splitlines()]
    assert [line[0] for line in lines] == list(TABLES)
    assert ["gpus", "2", "A GPU model"] in lines


def test_a_table_is_columns_without_those_that_are_empty(run_cli: RunCli) -> None:
    ended = run_cli("catalogue", "cuda_wheels")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == (
        "version  runtime                           python_min\n"
        "12.2     nvidia-cuda-runtime-cu12==12.2.*  3.8\n"
    )


def test_words_keep_the_rows_that_have_them_all(run_cli: RunCli) -> None:
    assert "GeForce RTX 3090" in run_cli("catalogue", "gpus", "rtx").out
    assert run_cli("catalogue", "gpus", "RTX", "7.5").out == (
        "name                 cc\nGeForce RTX 2080 Ti  7.5\n"
    )
    assert run_cli("catalogue", "gpus", "voodoo").out == ""


def test_several_tables_have_titles(run_cli: RunCli) -> None:
    lines = run_cli("catalogue", "gpus", "drivers", "R535").out.splitlines()
    assert lines == ["gpus", "", "drivers", "branch  kind  end_of_life", "R535    LTS   2026-06-30"]


def test_json_has_every_field(run_cli: RunCli) -> None:
    shown = json.loads(run_cli("catalogue", "gpus", "3090", "--json").out)
    assert shown == {
        "version": 1,
        "tables": {
            "gpus": [
                {
                    "source": "https://example.com/facts",
                    "date": "2026-11-23",
                    "note": "",
                    "name": "GeForce RTX 3090",
                    "cc": "8.6",
                }
            ]
        },
    }
    assert list(json.loads(run_cli("catalogue", "--json").out)["tables"]) == list(TABLES)


@pytest.mark.parametrize("arguments", [("gpu",), ("check", "gpu")], ids=" ".join)
def test_an_unknown_table_is_refused(run_cli: RunCli, arguments: tuple[str, ...]) -> None:
    ended = run_cli("catalogue", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == 'gpu: the catalogue has no such table\n  hint: did you mean "gpus"?\n'


# ---- check


def answering(monkeypatch: pytest.MonkeyPatch, *answers: str) -> list[tuple[tuple[str, Row], ...]]:
    """Make the check answer this; what it was asked."""
    asked: list[tuple[tuple[str, Row], ...]] = []

    def check(
        rows: Sequence[tuple[str, Row]], on_progress: Callable[[int], None]
    ) -> tuple[Answer, ...]:
        asked.append(tuple(rows))
        on_progress(1)
        return tuple(
            Answer("gpus", f"row {i}", answer, (answer != HOLDS and "because") or "", "- name: new")
            if answer == CHANGED
            else Answer("gpus", f"row {i}", answer, "" if answer == HOLDS else "because")
            for i, answer in enumerate(answers)
        )

    monkeypatch.setattr(catalogue_check, "check", check)
    return asked


@pytest.mark.parametrize(
    ("answers", "code"),
    [
        ((HOLDS,), 0),
        ((HOLDS, NOT_ASKED), 0),
        ((HOLDS, CHANGED, NOT_ASKED), 1),
        ((NOT_ASKED, CHANGED), 1),
        ((NOT_ASKED, NOT_ASKED), 4),
    ],
)
def test_the_exit_code_says_what_came_of_it(
    run_cli: RunCli, monkeypatch: pytest.MonkeyPatch, answers: tuple[str, ...], code: int
) -> None:
    answering(monkeypatch, *answers)
    assert run_cli("catalogue", "check", "gpus").code == code


def test_a_check_prints_a_line_a_row_and_the_proposals(
    run_cli: RunCli, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, HOLDS, CHANGED, NOT_ASKED)
    ended = run_cli("catalogue", "check", "gpus")
    assert ended.out == (
        "holds      gpus  row 0\n"
        "changed    gpus  row 1: because\n"
        "    - name: new\n"
        "not asked  gpus  row 2: because\n"
    )
    assert ended.err == "1 hold, 1 changed, 1 not asked\n"


def test_a_check_that_reached_nobody_says_why(
    run_cli: RunCli, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, NOT_ASKED)
    ended = run_cli("catalogue", "check", "gpus")
    assert ended.err.endswith("none of these rows could be asked about\n  hint: because\n")


def test_a_check_asks_about_the_rows_that_are_named(
    run_cli: RunCli, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = answering(monkeypatch, HOLDS)
    run_cli("catalogue", "check", "gpus", "drivers", "2080")
    assert [(name, getattr(row, "name", "")) for name, row in asked[0]] == [
        ("gpus", "GeForce RTX 2080 Ti")
    ]
    run_cli("catalogue", "check")
    assert {name for name, _ in asked[1]} >= {"gpus", "os", "frameworks"}


def test_a_check_as_json(run_cli: RunCli, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, CHANGED)
    ended = run_cli("catalogue", "check", "gpus", "--json")
    assert ended.code == 1
    assert json.loads(ended.out) == {
        "version": 1,
        "answers": [
            {
                "table": "gpus",
                "row": "row 0",
                "answer": "changed",
                "why": "because",
                "proposed": "- name: new",
            }
        ],
    }
