"""The live display: what stands on the terminal at the end."""

from __future__ import annotations

import pytest

from imagekit.commands.live import live_display
from imagekit.events import Notice, StepFinished, StepLog, StepProgress, StepStarted


def test_steps_that_ended_stay_on_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    with live_display("lab", lambda name: name) as on_event:
        on_event(Notice("[bold]no markup[/bold]"))
        on_event(StepStarted("1", "RUN one"))
        on_event(StepLog("1", ("\x1b]0;title\x07", "line")))
        on_event(StepProgress("1", "layer", 500_000, 2_000_000))
        on_event(StepFinished("1", 2.0, cached=False, error=""))
        on_event(StepStarted("2", "x" * 100))
        on_event(StepFinished("2", 0.0, cached=True, error=""))
        on_event(StepStarted("3", "RUN three"))
        on_event(StepFinished("3", 1.0, cached=False, error="exit code: 1"))
        on_event(StepLog("9", ("of nobody",)))
        on_event(StepFinished("9", 1.0, cached=False, error=""))
    out, err = capsys.readouterr()
    assert out == ""
    lines = [line.rstrip() for line in err.splitlines()]
    assert lines[0] == "• [bold]no markup[/bold]"
    assert lines[1].startswith("✓ RUN one ")
    assert lines[1].endswith(" 2.0s")
    assert "…" in lines[2]
    assert lines[2].endswith("cached")
    assert lines[3].startswith("✗ RUN three")
    assert "title" not in err
    assert all(len(line) <= 60 for line in lines)


def test_the_display_ends_when_the_work_fails() -> None:
    with pytest.raises(KeyboardInterrupt), live_display("lab", str):
        raise KeyboardInterrupt
