"""The watcher: a process that outlives a run of the checks when that is killed.

It is started as a program of its own (``imagekit.checks.watch`` does it) and reads its
standard input, whose other end only the run holds. The first line is JSON: ``run`` (the
label's value), ``engine`` (its address; names of TLS files, no secrets), ``path`` (where
Python finds imagekit), and ``quiet`` (seconds without anything of the run after which the
watcher ends; ``creating`` and ``otherwise``). Then comes one word a line: ``creating`` before
a container is asked for, ``created`` when all that were asked for are there, ``done`` when all
of the run is removed. The end of the input without ``done`` means that nobody removes it any
more: the watcher does.

While it waits it holds nothing but the interpreter: everything else is imported when it acts.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterable
from typing import Any


def watch(lines: Iterable[str]) -> None:
    """Wait for the end of the run, and remove what it left."""
    word = first = ""
    for line in lines:
        word = line.strip()
        first = first or word
        if word == "done":
            return
    # Without a whole first line the run ended before it asked for anything.
    if first.endswith("}"):
        _act(json.loads(first), "creating" if word == "creating" else "otherwise")


def _act(known: dict[str, Any], moment: str) -> None:
    sys.path[:] = known["path"]
    from imagekit.checks.leftovers import sweep  # noqa: PLC0415 (docker-py: only now)
    from imagekit.checks.watch import endpoint_of  # noqa: PLC0415

    sweep(endpoint_of(known["engine"]), known["run"], known["quiet"][moment])


def _main() -> None:
    # What ends the run, or the session that it belongs to, must not end the watcher: it
    # ends by itself, seconds after the run.
    for ended in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ended, signal.SIG_IGN)
    watch(sys.stdin)


if __name__ == "__main__":
    _main()
