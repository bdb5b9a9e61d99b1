"""What a Python script in a container answers: JSON, on a line of its own that has a mark.

Beside it stands whatever else is said there: warnings, and errors, which engines mix in.
"""

from __future__ import annotations

import json
from typing import Any

from imagekit.checks.check import AnswerError

PYTHON = "/usr/bin/python3"
"""The image's own; a virtual environment's may be another."""

MARK = "imagekit:"
"""Begins the line that counts."""

_SHOWN = 500


def answered(code: int, text: str) -> Any:
    """The answer of a script; the last one, should there be several.

    Args:
        code: the script's exit code.
        text: its output, and errors.

    Raises:
        AnswerError: the script failed, or nothing that it said is an answer.
    """
    lines = [line for line in text.splitlines() if line.startswith(MARK)]
    if code == 0 and lines:
        try:
            return json.loads(lines[-1].removeprefix(MARK))
        except ValueError:
            pass
    raise AnswerError(f"exit code {code} and {text.strip()[-_SHOWN:]!r}")
