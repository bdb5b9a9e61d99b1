"""The command line: exit codes, what goes where, and that offline verbs stay offline."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol

import click
import pytest

import imagekit
from imagekit import cli, context, profile
from imagekit.catalogue import hardware
from imagekit.errors import EngineError, InputError, Message, NetworkError, WorkFailedError

ROOT = Path(imagekit.__file__).parent.parent
Write = Callable[..., str]


class Ended(Protocol):
    code: int | str | None
    out: str
    err: str


class Recorder(Protocol):
    callers: int


RunCli = Callable[..., Ended]

FIVE = """profile: 1
description: five mistakes
base: {os: debain12}
desktop: {session: xfce, geometrie: 800x600}
locale: {lang: zh_CN.UTF8, timezone: Asia/Shangai}
user: {name: root}
"""
FIVE_MESSAGES = """\
five.yaml:3:12: base.os: "debain12" is not in the catalogue
  hint: did you mean "debian12"?
five.yaml:4:26: desktop.geometrie: unknown key
  hint: did you mean "geometry"?
five.yaml:5:16: locale.lang: "zh_CN.UTF8" is not in the catalogue
  hint: did you mean "zh_CN.UTF-8"?
five.yaml:5:38: locale.timezone: no time zone "Asia/Shangai"
  hint: did you mean "Asia/Shanghai"?
five.yaml:6:14: user.name: "root" is a system account
  hint: for instance lab
"""


def python(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """A process of its own, in the working folder."""
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        encoding="utf-8",
        timeout=60,
        check=False,
        **{"capture_output": True, **options},
    )


@pytest.fixture(autouse=True)
def no_gpus_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever this host has."""
    monkeypatch.setattr(hardware, "host", tuple)


# ---- the process as a whole


@pytest.mark.parametrize("verb", ["validate", "show", "render", "build", "test"])
def test_five_mistakes_are_five_located_messages_and_nothing_is_contacted(
    run_cli: RunCli, write: Write, recorder: Recorder, verb: str
) -> None:
    ended = run_cli(verb, write(FIVE, "five.yaml"))
    assert (ended.code, ended.out, ended.err) == (2, "", FIVE_MESSAGES)
    assert recorder.callers == 0


def test_it_is_a_program(write: Write, recorder: Recorder) -> None:
    write(FIVE, "five.yaml")
    ended = python("-m", "imagekit", "validate", "five.yaml")
    assert (ended.returncode, ended.stdout, ended.stderr) == (2, "", FIVE_MESSAGES)
    assert recorder.callers == 0


def test_a_reader_who_leaves_early_is_no_failure(place: Path) -> None:
    # As in `imagekit render … | head -1`: what shells report for SIGPIPE, and no word.
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ended = python(
            "-m",
            "imagekit",
            "render",
            "debian12-desktop",
            capture_output=False,
            stdout=writing,
            stderr=subprocess.PIPE,
        )
    finally:
        os.close(writing)
    assert (ended.returncode, ended.stderr) == (128 + signal.SIGPIPE, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_no_bug_of_ours(place: Path) -> None:
    with Path("/dev/full").open("w") as full:
        ended = python(
            "-m", "imagekit", "list", capture_output=False, stdout=full, stderr=subprocess.PIPE
        )
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert "No space left on device" in ended.stderr


OFFLINE = """
import sys
from click.testing import CliRunner
from imagekit.cli import cli

def loaded(*names):
    return sorted(name for name in names if name in sys.modules)

def run(*arguments):
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 0, (arguments, result.output)

run("--help")
print(loaded("jsonschema", "jinja2", "yaml", "docker", "testcontainers", "rich", "paramiko"))
run("list")
run("list", "--json")
run("show", "debian12-desktop")
run("show", "debian12-desktop", "--origin", "--driver", "535")
run("schema")
run("catalogue", "os", "debian12")
run("validate")
run("render", "debian12-desktop")
run("render", "debian12-desktop", "-o", "out")
print(loaded("docker", "testcontainers", "rich", "paramiko", "requests", "google.protobuf"))
"""


def test_offline_verbs_import_nothing_slow(place: Path, recorder: Recorder) -> None:
    ended = python("-c", OFFLINE)
    assert ended.stderr == ""
    assert ended.stdout == "[]\n[]\n"
    assert recorder.callers == 0


def test_the_recorder_would_notice(run_cli: RunCli, recorder: Recorder) -> None:
    assert run_cli("card", "zhang").code == 3
    assert recorder.callers > 0


# ---- the one error boundary


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    """Make ``imagekit list`` fail with this."""

    def fail_with(error: BaseException) -> None:
        def raising() -> tuple[str, ...]:
            raise error

        monkeypatch.setattr(profile, "names", raising)

    return fail_with


Failing = Callable[[BaseException], None]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (WorkFailedError(Message("step", "failed", "look")), 1),
        (InputError(Message("step", "failed", "look")), 2),
        (EngineError(Message("step", "failed", "look")), 3),
        (NetworkError(Message("step", "failed", "look")), 4),
    ],
)
def test_expected_failures_are_messages(
    run_cli: RunCli, failing: Failing, error: Exception, code: int
) -> None:
    failing(error)
    ended = run_cli("list")
    assert (ended.code, ended.out, ended.err) == (code, "", "step: failed\n  hint: look\n")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort(), EOFError()])
def test_an_interruption_is_130_without_a_traceback(
    run_cli: RunCli, failing: Failing, error: BaseException
) -> None:
    failing(error)
    ended = run_cli("list")
    assert (ended.code, ended.out, ended.err.strip()) == (130, "", "interrupted")


@pytest.mark.parametrize("error", [RuntimeError("surprise"), RecursionError(), AssertionError()])
def test_everything_else_is_a_bug_and_says_what_to_report(
    run_cli: RunCli, failing: Failing, error: Exception
) -> None:
    failing(error)
    ended = run_cli("list")
    assert (ended.code, ended.out) == (70, "")
    assert ended.err.startswith("Traceback")
    assert ended.err.endswith("this is a bug in imagekit; please report the lines above\n")


def test_sigterm_ends_as_ctrl_c_does(monkeypatch: pytest.MonkeyPatch, place: Path) -> None:
    handlers: dict[int, Any] = {}
    monkeypatch.setattr(signal, "signal", handlers.__setitem__)
    monkeypatch.setattr(sys, "argv", ["imagekit", "list", "--names"])
    with pytest.raises(SystemExit):
        cli.main()
    with pytest.raises(KeyboardInterrupt):
        handlers[signal.SIGTERM](signal.SIGTERM, None)


# ---- usage


@pytest.mark.parametrize(
    "arguments",
    [
        ("nosuch",),
        ("--nosuch",),
        ("list", "surplus"),
        ("schema", "lab"),
        ("show",),
        ("show", "--nosuch", "x"),
        ("render", "debian12-desktop", "-o"),
        ("build",),
        ("build", "debian12-desktop", "cpu-ssh", "--tag", "t"),
        ("build", "debian12-desktop", "--progress", "loud"),
        ("test",),
        ("run", "debian12-desktop"),
        ("card",),
        ("rm",),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_2_and_explained_on_stderr(
    run_cli: RunCli, recorder: Recorder, arguments: tuple[str, ...]
) -> None:
    ended = run_cli(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert "Error: " in ended.err
    assert "Traceback" not in ended.err
    assert recorder.callers == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("show", "nosuch"), 'no profile "nosuch"'),
        (("show", "none.yaml"), "none.yaml: no such file"),
        (("show", "debian12-desktop", "--origin", "--site", "none.yaml"), "none.yaml: no such"),
        (("show", "debian12-desktop", "--gpu", "Voodoo"), "is not in the catalogue"),
        (("list", "--driver", "newest"), '"newest" is no driver version'),
        (("catalogue", "nosuch"), "the catalogue has no such table"),
        (("show", "debian12-desktop", "--set", "user"), "not of the form key.path=value"),
        (("show", "debian12-desktop", "--set", "description=\udcff"), "--set description="),
        (("show", "debian12-desktop", "--set", "a." * 3000 + "b=1"), "--set a."),
        (("validate", "debian12-desktop", "_base"), "a mixin cannot be built"),
        (("validate", "a" * 5000 + "/x.yaml"), "/x.yaml: "),
        (("render", "debian12-desktop", "-o", "full"), "full: holds other files"),
        (("render", "debian12-desktop", "-o", "full/file"), "full/file: holds other files"),
        (("render", "debian12-desktop", "-o", "full/file/x"), "full/file/x: cannot be written"),
        (("render", "debian12-desktop", "-o", "b" * 5000), "cannot be written"),
        (("build", "debian12-desktop", "--site", "none.yaml"), "none.yaml: no such file"),
        (("build", "debian12-desktop", "--tag", "Not A Name"), "Not A Name"),
        (("build", "debian12-desktop", "--tag", "x:y:z"), "x:y:z"),
        (("build", "debian12-desktop", "nosuch"), 'no profile "nosuch"'),
        (("test", "debian12-desktop", "--only", "nosuch"), "there is no check 'nosuch'"),
        (("run", "debian12-desktop", "--name", "Not A Name"), "is no person's name"),
        (("run", "debian12-desktop", "--name", "x", "--key", "none"), "none: cannot be read"),
        (("run", "debian12-desktop", "--name", "x", "--key", "full/file"), "not OpenSSH public"),
        (("run", "debian12-desktop", "--name", "x", "--gpus", "two please"), "two please"),
        (("card", "Not A Name"), "is no person's name"),
        (("rm", "Not A Name"), "is no person's name"),
        (("rm", "x", "--purge"), "--purge deletes the home of x for good"),
        (("rm", "x", "--purge", "--yes", "y"), "--purge deletes the home of x for good"),
    ],
    ids=lambda value: (
        " ".join(value)[:60].encode("ascii", "replace").decode() if isinstance(value, tuple) else ""
    ),
)
def test_bad_input_is_2_with_a_message_and_nothing_is_contacted_or_written(  # noqa: PLR0917
    run_cli: RunCli,
    write: Write,
    place: Path,
    recorder: Recorder,
    arguments: tuple[str, ...],
    message: str,
) -> None:
    write("mine", "full/file")
    before = sorted(place.rglob("*"))
    ended = run_cli(*arguments)
    assert "Traceback" not in ended.err
    assert message in ended.err
    assert ended.code == 2
    assert recorder.callers == 0
    assert sorted(place.rglob("*")) == before


def test_no_engine_is_3(run_cli: RunCli, monkeypatch: pytest.MonkeyPatch, place: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{place}/none.sock")
    ended = run_cli("card", "zhang")
    assert (ended.code, ended.out) == (3, "")
    assert "none.sock" in ended.err
    assert "Traceback" not in ended.err


# ---- what the offline verbs print


def test_list(run_cli: RunCli, write: Write) -> None:
    write("profile: 1\ndescription: mine", "profiles/a.yaml")
    write("profile: 1\ndescription: [x", "profiles/broken.yaml")
    write("profile: 1", "profiles/silent.yaml")
    ended = run_cli("list")
    assert (ended.code, ended.err) == (0, "")
    lines = dict([*line.split(maxsplit=1), ""][:2] for line in ended.out.splitlines())
    assert lines["a"] == "mine"
    assert lines["broken"].startswith("(cannot be read: imagekit validate broken: ")
    assert lines["debian12-desktop"].startswith("Debian 12")
    assert lines["silent"] == ""
    assert list(lines) == sorted(lines)
    described = [line.find("mine") for line in ended.out.splitlines() if "mine" in line]
    assert ended.out.splitlines()[1].find("(cannot") == described[0]
    assert run_cli("list", "--names").out.split() == list(lines)


def test_list_goes_on_past_a_file_that_is_no_profile(run_cli: RunCli, write: Write) -> None:
    write("profile: 1", "profiles/My Lab.yaml")
    ended = run_cli("list")
    assert ended.code == 0
    assert "debian12-desktop" in ended.out


def test_list_as_json(run_cli: RunCli, write: Write) -> None:
    write("profile: 1\ndescription: 桌面", "profiles/a.yaml")
    ended = run_cli("list", "--json")
    shown = json.loads(ended.out)
    assert (ended.code, ended.err) == (0, "")
    assert shown["version"] == 1
    assert shown["profiles"][0] == {
        "name": "a",
        "description": "桌面",
        "file": "profiles/a.yaml",
        "runs": None,
        "reasons": [],
    }
    assert shown["hardware"] == []
    assert tuple(row["name"] for row in shown["profiles"]) == profile.names()


def test_show(run_cli: RunCli) -> None:
    ended = run_cli("show", "debian12-desktop", "--set", "user.name=zhang")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("debian12-desktop: Debian 12")
    shown = dict(line.split(maxsplit=1) for line in ended.out.splitlines() if line.startswith("  "))
    assert shown["user"] == "zhang, uid 1000, gid 1000, bash, sudo"
    assert shown["tags"].startswith("imagekit/debian12-desktop:latest imagekit/debian12-desktop:")


def test_show_as_json_has_the_documented_shape(run_cli: RunCli) -> None:
    ended = run_cli("show", "debian12-desktop", "--json")
    assert (ended.code, ended.err) == (0, "")
    shown = json.loads(ended.out)
    assert list(shown)[:4] == ["version", "plan", "digest", "tags"]
    assert shown["version"] == 1
    assert shown["plan"]["desktop"]["session"] == "xfce"
    assert shown["tags"][1].endswith(f":{shown['digest'][:12]}")


def test_validate_all_and_some(run_cli: RunCli, write: Write) -> None:
    write(FIVE, "profiles/bad.yaml")
    ended = run_cli("validate")
    valid = [f"{name}: ok" for name in profile.names() if name != "bad"]
    assert (ended.code, ended.out.splitlines()) == (2, valid)
    assert ended.err == FIVE_MESSAGES.replace("five.yaml", "profiles/bad.yaml")
    ended = run_cli("validate", "debian12-desktop")
    assert (ended.code, ended.out, ended.err) == (0, "debian12-desktop: ok\n", "")


def test_validate_says_what_is_wrong_with_every_profile(run_cli: RunCli, write: Write) -> None:
    write("profile: 1\nusr: {}", "a.yaml")
    write("profile: 1\nx: *y", "b.yaml")
    ended = run_cli("validate", "a.yaml", "nosuch", "b.yaml")
    assert [line.partition(" ")[0] for line in ended.err.splitlines() if "hint" not in line] == [
        "a.yaml:2:1:",
        "no",
        "b.yaml:2:1:",
        "b.yaml:2:4:",
    ]


def test_render_to_stdout_is_the_dockerfile_alone(run_cli: RunCli) -> None:
    ended = run_cli("render", "debian12-desktop")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("# debian12-desktop: ")
    assert ended.out.endswith("]\n")


def test_render_to_a_folder_new_empty_or_rendered_before(run_cli: RunCli, place: Path) -> None:
    (place / "empty").mkdir()
    for folder in ("new/folder", "empty", "empty"):
        ended = run_cli("render", "debian12-desktop", "-o", folder)
        assert (ended.code, ended.out, ended.err) == (0, f"{folder}/Dockerfile\n", "")
        assert (place / folder / "rootfs/base/usr/lib/imagekit/init").stat().st_mode & 0o100


def test_rendering_anew_leaves_nothing_of_the_last_time(
    run_cli: RunCli, write: Write, place: Path
) -> None:
    name = write("profile: 1\nsshd: false")
    run_cli("render", "debian12-desktop", "-o", "out")
    run_cli("render", name, "-o", "out")
    run_cli("render", name, "-o", "fresh")

    def files(folder: str) -> list[str]:
        top = place / folder
        return sorted(str(path.relative_to(top)) for path in top.rglob("*") if path.is_file())

    assert files("out") == files("fresh")


def test_render_says_why_it_cannot_write(run_cli: RunCli, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: context.Context, folder: Path) -> None:
        raise OSError(28, "No space left on device", str(folder))

    monkeypatch.setattr(context.Context, "write_to", full)
    ended = run_cli("render", "debian12-desktop", "-o", "out")
    assert (ended.code, ended.err) == (2, "out: cannot be written: No space left on device\n")


def test_version_is_the_packages(run_cli: RunCli) -> None:
    try:
        version = metadata.version("imagekit-lab")
    except metadata.PackageNotFoundError:
        pytest.skip("imagekit is not installed here")
    ended = run_cli("--version")
    assert (ended.code, ended.out, ended.err) == (0, f"imagekit, version {version}\n", "")


def test_help_lists_every_verb(run_cli: RunCli) -> None:
    ended = run_cli("--help")
    assert (ended.code, ended.err) == (0, "")
    for verb, what in cli.VERBS.items():
        assert any(line.split(maxsplit=1) == [verb, what] for line in ended.out.splitlines())
