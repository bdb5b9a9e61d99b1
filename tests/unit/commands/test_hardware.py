"""`list`, `show` and `validate` of hardware: what is said of profiles that do not run there."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from imagekit import profile

Write = Callable[..., str]
RunCli = Callable[..., Any]

OLD = "profile: 1\ndescription: old\ncuda: true\nframework: {name: tensorflow, version: '1.15'}\n"
NEW = "profile: 1\ndescription: new\ncuda: true\nframework: {name: tensorflow, version: '2.15'}\n"
PLAIN = "profile: 1\ndescription: plain\n"

REASON = (
    "TensorFlow 1.15.1 has code up to compute capability 7.5, which does not run on Ampere GPUs "
    "(compute capability 8.6): binaries run on their own major version only, and nothing is "
    "known of PTX that the driver could translate"
)
SOURCED = f"{REASON} (source: CUDA C++ Programming Guide, Binary Compatibility)"


NAMES = ("a-old", "b-new", "c-plain", "d-wrong")


@pytest.fixture(autouse=True)
def profiles(small_catalogue: None, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profile, "names", lambda: NAMES)  # the shipped ones change
    write(OLD, "profiles/a-old.yaml")
    write(NEW, "profiles/b-new.yaml")
    write(PLAIN, "profiles/c-plain.yaml")
    write("profile: 1\nx: 1\n", "profiles/d-wrong.yaml")


# ---- list


def test_list_says_nothing_of_hardware_where_there_is_none(run_cli: RunCli) -> None:
    assert [line.split() for line in run_cli("list").out.splitlines()] == [
        ["a-old", "old"],
        ["b-new", "new"],
        ["c-plain", "plain"],
        ["d-wrong"],
    ]


def test_list_marks_what_runs_on_a_gpu_and_says_why_the_rest_does_not(run_cli: RunCli) -> None:
    ended = run_cli("list", "--gpu", "rtx 3090")
    assert (ended.code, ended.err) == (0, "")
    marked = [line.split(maxsplit=2) for line in ended.out.splitlines()]
    assert marked == [
        ["no", "a-old", "old"],
        REASON.split(maxsplit=2),
        ["runs", "b-new", "new"],
        ["runs", "c-plain", "plain"],
        ["?", "d-wrong"],
    ]


def test_list_marks_by_itself_on_a_host_with_gpus(run_cli: RunCli, a_3090_here: None) -> None:
    assert run_cli("list").out.splitlines()[0].split() == ["no", "a-old", "old"]
    assert run_cli("list", "--gpu", "2080 ti").out.startswith("runs  a-old ")


def test_list_minds_the_driver_and_the_end_of_its_support(run_cli: RunCli) -> None:
    ended = run_cli("list", "--driver", "470")
    assert "driver 470 is older than 525.60, the oldest for CUDA 12.2\n" in ended.out
    ended = run_cli("list", "--driver", "535")
    assert ended.err.startswith("note: driver branch R535: its support ended 2026-06-30 (source:")


def test_list_as_json_has_the_marks(run_cli: RunCli) -> None:
    shown = json.loads(run_cli("list", "--json", "--gpu", "8.6", "--driver", "580").out)
    assert shown["hardware"] == [{"gpu": "", "cc": "8.6", "driver": "580"}]
    assert [(row["runs"], row["reasons"]) for row in shown["profiles"]] == [
        (False, [SOURCED]),
        (True, []),
        (True, []),
        (None, []),
    ]


@pytest.mark.parametrize("verb", [("list",), ("show", "b-new"), ("validate", "b-new")])
@pytest.mark.parametrize(
    ("option", "message"),
    [
        (("--gpu", "RTX 2080 Tie"), 'did you mean "GeForce RTX 2080 Ti"?'),
        (("--driver", "latest"), '"latest" is no driver version'),
    ],
)
def test_hardware_that_nobody_knows_is_bad_input(
    run_cli: RunCli, verb: tuple[str, ...], option: tuple[str, ...], message: str
) -> None:
    ended = run_cli(*verb, *option)
    assert (ended.code, ended.out) == (2, "")
    assert message in ended.err


# ---- validate


def test_validate_refuses_what_does_not_run_and_names_what_does(run_cli: RunCli) -> None:
    ended = run_cli("validate", "a-old", "b-new", "--gpu", "RTX 3090")
    assert (ended.code, ended.out) == (2, "b-new: ok\n")
    assert ended.err == (
        f"a-old on GeForce RTX 3090 (compute capability 8.6): {SOURCED}\n"
        "  hint: what works there: profile b-new; TensorFlow 2.15 with CUDA 12.2\n"
    )


def test_validate_minds_this_host_for_what_is_named(run_cli: RunCli, a_3090_here: None) -> None:
    ended = run_cli("validate", "a-old")
    assert ended.code == 2
    assert ended.err.startswith("a-old on NVIDIA GeForce RTX 3090 (compute capability 8.6, driver")


def test_validate_of_everything_asks_no_host(run_cli: RunCli, a_3090_here: None) -> None:
    assert "a-old: ok" in run_cli("validate").out


def test_every_reason_is_said_and_the_hint_once(run_cli: RunCli) -> None:
    ended = run_cli("validate", "a-old", "--gpu", "8.6", "--driver", "390")
    assert ended.code == 2
    assert ended.err.count("a-old on a GPU with compute capability 8.6, driver 390: ") == 2
    assert "hint" not in ended.err  # nothing at all runs with that driver


# ---- show


def test_show_says_whether_it_runs(run_cli: RunCli) -> None:
    ended = run_cli("show", "a-old", "--gpu", "RTX 3090")
    assert ended.code == 0
    assert ended.out.splitlines()[-2:] == [
        "does not run on GeForce RTX 3090 (compute capability 8.6)",
        f"  {SOURCED}",
    ]
    ended = run_cli("show", "b-new", "--gpu", "RTX 3090")
    assert ended.out.splitlines()[-1] == "runs on GeForce RTX 3090 (compute capability 8.6)"
    assert "runs on" not in run_cli("show", "c-plain", "--gpu", "RTX 3090").out


def test_show_as_json_says_it_too(run_cli: RunCli) -> None:
    shown = json.loads(run_cli("show", "a-old", "--json", "--gpu", "RTX 3090").out)
    assert shown["hardware"] == [{"gpu": "GeForce RTX 3090", "cc": "8.6", "driver": ""}]
    assert shown["misfits"] == [SOURCED]


# ---- run


@pytest.mark.usefixtures("a_3090_here")
def test_run_gives_no_gpu_to_an_image_that_does_not_run_on_it(
    run_cli: RunCli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    ended = run_cli("run", "a-old", "--name", "zhang", "--gpus", "all")
    assert (ended.code, ended.out) == (2, "")
    assert SOURCED in ended.err


@pytest.mark.usefixtures("a_3090_here")
def test_the_gpus_of_this_host_say_nothing_of_an_engine_elsewhere(
    run_cli: RunCli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:9")
    ended = run_cli("run", "a-old", "--name", "zhang", "--gpus", "all")
    assert ended.code == 3
    assert "compute capability" not in ended.err
