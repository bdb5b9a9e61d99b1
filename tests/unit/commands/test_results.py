"""What a test found, on a terminal and off it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from rich.cells import cell_len

from imagekit.checks.check import CheckFailedError
from imagekit.checks.report import Report, Result, failed
from imagekit.commands import results

LONG = "the container ended with exit code 3; " * 5
RESULTS = (
    Result("sshd-password", "passed", "", 1.26),
    failed("vnc", CheckFailedError("a picture\nof all", "中" * 90, "/var/log"), 112.5),
    Result("gpu", "skipped", LONG),
    Result("jupyter", "skipped", "the plan has no Jupyter"),
    Result("gone", "failed", f"\x1b[31mred {LONG}"),
    Result("web", "passed", "", 0.04, {"simulated": "a stub"}),
)


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """What is printed, with variables set."""

    def tell(each: tuple[Result, ...] = RESULTS, **variables: str) -> str:
        for name in ("COLUMNS", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        results.tell(Report("i", "i", "p", "d", "e", 14.2, each))
        return capsys.readouterr().out

    return tell


def test_every_check_has_a_line_and_what_failed_comes_last(told: Any) -> None:
    lines = [line for line in told().splitlines() if not line.startswith(" ")]
    assert lines == [
        "passed   sshd-password    1.3 s",
        "passed   web              0.0 s",
        "skipped  gpu",
        "skipped  jupyter        the plan has no Jupyter",
        "failed   vnc            112.5 s",
        "failed   gone             0.0 s",
        "2 passed, 2 failed, 2 skipped in 14.2 s",
    ]


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_no_line_is_longer_than_the_terminal_is_wide(told: Any, columns: int) -> None:
    text = told(COLUMNS=str(columns))
    assert max(map(cell_len, text.splitlines())) <= columns
    joined = "".join(text.split())
    assert "中" * 90 in joined
    assert joined.count("exitcode3;") == 10
    assert not re.search(r" $", text, re.MULTILINE)


def test_reasons_are_wrapped_under_their_titles(told: Any) -> None:
    lines = told().splitlines()
    begin = lines.index("failed   vnc            112.5 s")
    assert lines[begin + 1 : begin + 6] == [
        "         asked for  a picture of all",
        "         got        " + "中" * 30,
        "                    " + "中" * 30,
        "                    " + "中" * 30,
        "         look at    /var/log",
    ]


def test_what_was_simulated_says_so(told: Any) -> None:
    assert "         simulated  a stub\n" in told()


def test_no_text_drives_the_terminal(told: Any) -> None:
    assert "\x1b" not in told()
    assert r"\x1b[31mred" in told()


@pytest.mark.parametrize(
    ("variables", "coloured"),
    [({"FORCE_COLOR": "1"}, True), ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False), ({}, False)],
)
def test_colours_are_for_terminals(told: Any, variables: dict[str, str], coloured: bool) -> None:
    text = told(TERM="xterm-256color", **variables)
    assert bool(re.search(r"\x1b\[[0-9;]*3[0-9]", text)) is coloured


def test_nothing_was_asked(told: Any) -> None:
    assert told(()) == "0 passed, 0 failed, 0 skipped in 14.2 s\n"
