"""What a test found, for a terminal: a line for each check, reasons below it, and totals."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from imagekit.document import printable

if TYPE_CHECKING:
    from imagekit.checks.report import Report, Result

_STYLES = {"passed": "green", "failed": "bold red", "skipped": "dim"}
_INDENT = " " * len("skipped  ")


def tell(report: Report) -> None:
    """Print the results on stdout: what passed, what was skipped, and last what failed.

    Colours are for terminals, and not where ``NO_COLOR`` is set (https://no-color.org);
    rich sees to both. Elsewhere lines are 80 columns wide, or as wide as ``COLUMNS`` says.
    """
    console = Console(highlight=False, markup=False, emoji=False)
    names = max((cell_len(printable(result.name)) for result in report.results), default=0)
    for status in ("passed", "skipped", "failed"):
        for result in report.results:
            if result.status == status:
                for line in _lines(result, names, console):
                    line.rstrip()
                    console.print(line, soft_wrap=True)
    console.print(_totals(report), soft_wrap=True)


def _lines(result: Result, names: int, console: Console) -> Iterator[Text]:
    """The check's own line, and what stands under it."""
    head = Text.assemble((f"{result.status:<{len(_INDENT)}}", _STYLES[result.status]))
    name = printable(result.name)
    if result.status != "skipped":
        yield Text.assemble(head, f"{name:<{names}}", (f" {result.seconds:6.1f} s", "dim"))
    else:
        short = Text.assemble(head, (f"{name:<{names}}  {_one_line(result.reason)}", "dim"))
        if short.cell_len <= console.width:
            yield short
        else:
            yield Text.assemble(head, (name, "dim"))
            yield from _wrapped("", result.reason, "dim", console)
    if result.simulated:
        yield from _wrapped("simulated  ", result.simulated, "yellow", console)
    if result.failure is not None:
        yield from _wrapped("asked for  ", result.failure.asked, "", console)
        yield from _wrapped("got        ", result.failure.got, "", console)
        if result.failure.look_at:
            yield from _wrapped("look at    ", result.failure.look_at, "", console)
    elif result.status == "failed":
        yield from _wrapped("", result.reason, "", console)


def _wrapped(title: str, text: str, style: str, console: Console) -> Iterator[Text]:
    """A text under a check's line, indented, with a title before it."""
    left = _INDENT + title
    lines = Text(_one_line(text)).wrap(console, max(console.width - len(left), 20))
    for number, line in enumerate(lines):
        before = (title, f"bold {style}") if number == 0 else " " * len(title)
        yield Text.assemble(_INDENT, before, (line.plain, style))


def _one_line(text: str) -> str:
    """A text in one line that drives no terminal."""
    return printable(" ".join(text.split()))


def _totals(report: Report) -> Text:
    counts = [f"{len(report.of(status))} {status}" for status in ("passed", "failed", "skipped")]
    style = "bold green" if report.ok else "bold red"
    return Text(f"{', '.join(counts)} in {report.seconds:.1f} s", style=style)
