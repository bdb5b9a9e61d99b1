"""The Dockerfile as a whole, and its context."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable

import pytest

from imagekit import profile, render
from imagekit.context import Context
from imagekit.plan.model import Plan
from imagekit.plan.resolve import resolve
from tests.unit.render.parsed import parse

Planned = Callable[[str], Plan]

VARIANTS = (
    "",
    "sshd: false",
    "desktop: true",
    "sshd: false\ndesktop: true",
    "desktop: true\nlocale: {lang: zh_CN.UTF-8}\npackages: {apt: [htop]}\nenv: {A: b}",
    "user: {sudo: false}\nlocale: {lang: C.UTF-8}",
    "packages: {apt: [htop, tmux]}",
)


@pytest.fixture(scope="module", params=VARIANTS, ids=lambda text: text.replace("\n", " ") or "-")
def variant(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Plan, Context]:
    """A plan of one of several sets of features, and its context."""
    file = tmp_path_factory.mktemp("variant") / "x.yaml"
    file.write_text(f"profile: 1\n{request.param}\n")
    plan = resolve(profile.load(str(file)))
    return plan, render.render(plan)


Variant = tuple[Plan, Context]


def test_a_dockerfile_is_well_formed(variant: Variant) -> None:
    plan, context = variant
    lines = context.dockerfile.splitlines()
    assert lines[0].startswith("# x: ")
    assert plan.digest in lines[2]
    assert context.dockerfile.endswith("\n")
    assert not any(line != line.rstrip() for line in lines[1:])
    assert "\n\n\n" not in context.dockerfile
    commands = parse(context)
    assert [command.cmd for command in commands][:2] == ["ARG", "FROM"]
    assert commands[0].value == ('BASE="debian:12-slim"',)
    assert commands[-1].cmd == "ENTRYPOINT"
    stages = [command.value[-1] for command in commands if command.cmd == "FROM"]
    assert stages[0] == "base"
    assert stages[-1] == "image"
    assert len(stages) == len(set(stages))
    exposed = {port for command in commands if command.cmd == "EXPOSE" for port in command.value}
    assert exposed == {port for port, there in (("22", plan.sshd), ("80", plan.desktop)) if there}


def test_a_dockerfile_keeps_to_the_oldest_dialect(variant: Variant) -> None:
    _, context = variant
    assert "<<" not in context.dockerfile
    for command in parse(context):
        assert command.cmd != "ADD"
        assert not any(
            flag.startswith(("--link", "--security", "--network")) for flag in command.flags
        )
        mounts = [flag for flag in command.flags if flag.startswith("--mount")]
        assert all("from=" not in mount for mount in mounts)


def test_a_dockerfile_has_none_of_the_tutorials_sins(variant: Variant) -> None:
    _, context = variant
    for sin in (
        "chpasswd",
        "PermitRootLogin yes",
        "VNC_PASSWORD",
        "--allow-unauthenticated",
        "apt-key",
        ":latest",
        "ssh-keygen -A",
        "trusted=yes",
        "curl",
    ):
        assert sin not in context.dockerfile


def test_every_file_is_used_and_every_used_file_is_there(variant: Variant) -> None:
    _, context = variant
    paths = [file.path for file in context.files]
    assert paths == sorted(set(paths))
    copied = {
        source.rstrip("/")
        for command in parse(context)
        if command.cmd == "COPY" and not any(flag.startswith("--from") for flag in command.flags)
        for source in command.value[:-1]
    }
    used = copied | {"Dockerfile", "build"}
    belongs = {(path, name) for path in paths for name in used if f"{path}/".startswith(f"{name}/")}
    assert {path for path, _ in belongs} == set(paths)
    assert {name for _, name in belongs} == used


def test_profiles_share_all_steps_before_what_differs(planned: Planned) -> None:
    """BuildKit's key of a step is its text and the content of the folders that it mounts."""

    def keys(text: str) -> list[tuple[object, ...]]:
        context = render.render(planned(text))
        commands = parse(context)
        first = [command.value for command in commands].index(("base", "AS", "image")) + 1
        found: list[tuple[object, ...]] = []
        for command in commands[first:]:
            if command.cmd != "RUN":
                break
            folders = re.findall(r"source=([^,]+),", " ".join(command.flags))
            files = [file for file in context.files if file.path.startswith(tuple(folders))]
            found.append((command.value, command.flags, files))
        return found

    shared = "extends: [_desktop-zh]\nbase: {os: debian12}\n"
    plain = keys(shared)
    with_framework = keys(f"{shared}framework: {{name: tensorflow}}\ncuda: false\njupyter: true\n")
    assert len(with_framework) == 3  # sshd, the desktop, its language
    assert plain[:3] == with_framework


def test_a_variable_of_the_place_changes_nothing(
    planned: Planned, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = render.render(planned(""))
    for name in ("HTTP_PROXY", "http_proxy", "PIP_INDEX_URL", "LANG", "TZ", "SOURCE_DATE_EPOCH"):
        monkeypatch.setenv(name, "http://elsewhere.example")
    assert render.render(planned("")) == before


def test_equal_plans_give_equal_bytes(planned: Planned) -> None:
    first, second = render.render(planned("desktop: true")), render.render(planned("desktop: true"))
    assert first.tar() == second.tar()


def test_settings_are_what_a_shell_reads(planned: Planned) -> None:
    context = render.render(planned("desktop: {geometry: 800x600}\nsshd: {password: false}"))
    settings = next(file.data for file in context.files if file.path == "settings").decode()
    assert shlex.split(settings, comments=True) == [
        "USER_NAME=lab",
        "SSHD_PASSWORD=false",
        "SSHD_ROOT=refused",
        "DESKTOP_SESSION=xfce",
        "DESKTOP_GEOMETRY=800x600",
        "DESKTOP_DEPTH=24",
        "DESKTOP_VNC=off",
        "DESKTOP_JUPYTER=false",
        "INPUT_METHOD=",
    ]
