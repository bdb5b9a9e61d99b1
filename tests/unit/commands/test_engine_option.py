"""`--engine`: each verb that contacts an engine contacts the one that is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.conftest import Recorder, RunCli

VERBS = (
    ("build", "debian12-desktop"),
    ("test", "debian12-desktop"),
    ("run", "debian12-desktop", "--name", "zhang"),
    ("card", "zhang"),
    ("rm", "zhang"),
)


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb[0])
def test_an_address_goes_before_docker_host(
    run_cli: RunCli, recorder: Recorder, tmp_path: Path, verb: tuple[str, ...]
) -> None:
    ended = run_cli(*verb, "--engine", f"unix://{tmp_path}/none")
    assert (ended.code, ended.out, recorder.callers) == (3, "", 0)
    assert f"unix://{tmp_path}/none (as asked for): there is no such socket" in ended.err


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb[0])
def test_what_is_no_address_is_a_contexts_name(
    run_cli: RunCli, recorder: Recorder, verb: tuple[str, ...]
) -> None:
    ended = run_cli(*verb, "--engine", "nowhere")
    assert (ended.code, ended.out, recorder.callers) == (3, "", 0)
    assert "there is no docker context 'nowhere'" in ended.err
