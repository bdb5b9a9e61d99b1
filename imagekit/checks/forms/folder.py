"""A folder with the report: the page, the JSON, and what checks attached."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from imagekit import atomic
from imagekit.checks.check import Attachment
from imagekit.checks.forms.page import to_html
from imagekit.checks.forms.view import attachments
from imagekit.checks.report import Report, Result
from imagekit.errors import Message, WorkFailedError

PAGE = "index.html"
JSON = "report.json"


def write_folder(report: Report, folder: Path) -> tuple[Path, ...]:
    """Write the page last, so that it shows nothing that is not there.

    Files of other names that are in the folder stay.

    Returns:
        The files, the page first.

    Raises:
        WorkFailedError: one cannot be written.
    """
    named = with_file_names(report)
    contents = {file.name: file.content for _, file in attachments(named)}
    contents[JSON] = f"{named.to_json()}\n".encode()
    contents[PAGE] = to_html(named).encode()
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from error
    for name, content in contents.items():
        write_file(folder / name, content)
    return tuple(folder / name for name in reversed(contents))


def write_file(path: Path, content: bytes) -> None:
    """Write a file whole or not at all.

    Raises:
        WorkFailedError: it cannot be written.
    """
    try:
        with atomic.written(path) as file:
            file.write(content)
    except OSError as error:
        raise _unwritable(path, error) from error


def with_file_names(report: Report) -> Report:
    """The report with names of attachments that are each a file's of its own."""
    taken = {PAGE, JSON}
    results: list[Result] = []
    for result in report.results:
        data = dict(result.data)
        for key, value in result.data.items():
            if isinstance(value, Attachment):
                name = _free_name(result.name, value.name, taken)
                taken.add(name)
                data[key] = replace(value, name=name)
        results.append(replace(result, data=data))
    return replace(report, results=tuple(results))


def _free_name(check: str, wanted: str, taken: set[str]) -> str:
    """A plain file name that nothing else has: no folder, no dot at its beginning."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", wanted).lstrip(".-")[-100:] or "file"
    candidates = [name, f"{check}-{name}", *(f"{check}-{n}-{name}" for n in range(2, 1000))]
    return next(each for each in candidates if each not in taken)


def _unwritable(path: Path, error: OSError) -> WorkFailedError:
    return WorkFailedError(Message(str(path), f"cannot be written: {error.strerror}"))
