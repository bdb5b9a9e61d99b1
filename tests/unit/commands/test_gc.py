"""The command line of ``imagekit gc``: what is refused before an engine is asked."""

from __future__ import annotations

import pytest

from imagekit.commands import gc
from tests.unit.conftest import Recorder, RunCli


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("20GB", 20 * 10**9), ("1.5g", 15 * 10**8), ("700 MB", 7 * 10**8), ("5B", 5)],
)
def test_sizes_are_read_as_docker_writes_them(text: str, size: int) -> None:
    assert gc._bytes(text) == size


@pytest.mark.parametrize("text", ["x", "-1GB", "20 GB GB", "1e3", "20GiB"])
def test_what_is_no_size_is_refused_and_nothing_is_asked(
    run_cli: RunCli, recorder: Recorder, text: str
) -> None:
    ended = run_cli("gc", f"--cache-cap={text}")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == f"--cache-cap: {text!r} is no size\n  hint: for instance 20GB\n"
    assert recorder.callers == 0


def test_what_is_no_profile_s_name_is_refused(run_cli: RunCli, recorder: Recorder) -> None:
    ended = run_cli("gc", "No/Name")
    assert ended.code == 2
    assert "'No/Name' is no profile's name" in ended.err
    assert recorder.callers == 0
