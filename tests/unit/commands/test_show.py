"""`imagekit show`: the plan for people, why it is so, and where each value comes from."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imagekit import pem

Write = Callable[..., str]
RunCli = Callable[..., Any]

MINE = """profile: 1
description: mine
extends: [lab]
cuda: true
framework:
  name: tensorflow
  version: "2.15"
packages:
  apt: [htop]
env: {EDITOR: vim}
"""
LAB = """profile: 1
user:
  name: student
packages:
  apt: [tmux]
"""
SITE = """site: 1
mirrors:
  apt: http://mirror.example.edu
ca_certificates: [mine.pem]
run: {ports: 7010}
"""


@pytest.fixture
def mine(small_catalogue: None, write: Write) -> str:
    write(LAB, "profiles/lab.yaml")
    write(MINE, "profiles/mine.yaml")
    write("-----BEGIN CERTIFICATE-----", "mine.pem")
    return "mine"


def test_people_see_groups_and_a_reason_a_decision(run_cli: RunCli, mine: str) -> None:
    ended = run_cli("show", mine)
    assert (ended.code, ended.err) == (0, "")
    lines = ended.out.splitlines()
    assert lines[0] == "mine: mine"
    assert [line for line in lines if line and not line.startswith(" ")] == [
        "mine: mine",
        "stack",
        "services",
        "people",
        "software",
        "image",
        "why",
    ]
    shown = dict(line.split(maxsplit=1) for line in lines if line.startswith("  ") and line.strip())
    assert shown["framework"] == "TensorFlow 2.15.1"
    assert shown["cuda"] == "12.2, runtime, from wheels"
    assert shown["needs"] == "driver 525.60 or newer, compute capability from 5.0 to 9.0"
    assert shown["user"] == "student, uid 1000, gid 1000, bash, sudo"
    assert shown["env"] == "EDITOR=vim"
    why = lines[lines.index("why") + 1 :]
    assert any(
        line.startswith("  framework.version (profiles/mine.yaml:7:12): TensorFlow 2.15.1: ")
        for line in why
    )
    assert any(line.startswith("  cuda.version: CUDA 12.2: ") for line in why)


def test_long_lists_are_wrapped_between_words(run_cli: RunCli, mine: str) -> None:
    lines = run_cli("show", mine).out.splitlines()
    assert max(map(len, lines[: lines.index("why")])) <= 100


def origins(out: str) -> dict[str, tuple[str, str]]:
    """Key to value and place."""
    found = {}
    for line in out.splitlines():
        key, value, place = [part.strip() for part in line.split("  ") if part.strip()]
        found[key] = (value, place)
    return found


def test_every_value_has_an_origin(run_cli: RunCli, write: Write, mine: str) -> None:
    write(SITE, "site.yaml")
    ended = run_cli("show", mine, "--origin", "--set", "user.uid=2000")
    assert (ended.code, ended.err) == (0, "")
    found = origins(ended.out)
    assert found["description"] == ("mine", "profile profiles/mine.yaml:2:14")
    assert found["framework.name"] == ("tensorflow", "profile profiles/mine.yaml:6:9")
    assert found["packages.apt[0]"] == ("tmux", "extended profiles/lab.yaml:5:9")
    assert found["packages.apt[1]"] == ("htop", "profile profiles/mine.yaml:9:9")
    assert found["user.name"] == ("student", "extended profiles/lab.yaml:3:9")
    assert found["user.uid"] == ("2000", "flag --set user.uid=2000")
    assert found["locale.timezone"][0] == "Etc/UTC"
    assert found["locale.timezone"][1].startswith("default ")
    assert "_base.yaml:" in found["locale.timezone"][1]
    assert found["user.shell"] == ("bash", "default")
    assert found["desktop"] == ("false", "default")
    assert found["cuda"] == ("true", "profile profiles/mine.yaml:4:7")
    assert found["cuda.version"][1].startswith("chosen: CUDA 12.2: ")
    assert found["mirrors.apt"] == ("http://mirror.example.edu", "site site.yaml:3:8")
    assert found["run.ports"] == ("7010", "site site.yaml:5:14")
    assert found["ca_certificates[0]"] == ("mine.pem", "site site.yaml:4:19")
    assert found["base.policy"] == ("any", "default")
    assert found["run.bind"] == ("127.0.0.1", "default")
    assert not {"extends[0]", "profile", "site"} & found.keys()


def test_values_stand_in_the_schemas_order(run_cli: RunCli, mine: str) -> None:
    keys = list(origins(run_cli("show", mine, "--origin").out))
    tops = [key.partition(".")[0].partition("[")[0] for key in keys]
    assert [top for i, top in enumerate(tops) if top not in tops[max(i - 1, 0) : i]] == [
        "description",
        "base",
        "cuda",
        "framework",
        "python",
        "desktop",
        "sshd",
        "jupyter",
        "conda",
        "locale",
        "packages",
        "user",
        "env",
        "healthcheck",
        "base",
        "cache",
        "run",
    ]


def test_what_the_host_trusts_is_a_default(
    run_cli: RunCli, write: Write, mine: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("-----BEGIN CERTIFICATE-----", "host/campus.crt")
    write(SITE, "site.yaml")
    monkeypatch.setattr(pem, "_HOST_FOLDERS", (place / "host",))
    found = origins(run_cli("show", mine, "--origin").out)
    assert found["ca_certificates"][1] == "default this host's own"
    assert found["ca_certificates[0]"][1].startswith("site ")


def test_a_labs_own_defaults_are_defaults(run_cli: RunCli, write: Write, mine: str) -> None:
    write("profile: 1\nlocale: {timezone: Asia/Taipei}", "profiles/_base.yaml")
    found = origins(run_cli("show", mine, "--origin").out)
    assert found["locale.timezone"] == ("Asia/Taipei", "default profiles/_base.yaml:2:20")


def test_another_site_file_is_read_when_it_is_named(
    run_cli: RunCli, write: Write, mine: str
) -> None:
    write(SITE, "site.yaml")
    write("site: 1\nrun: {ports: 8010}", "other.yaml")
    found = origins(run_cli("show", mine, "--origin", "--site", "other.yaml").out)
    assert found["run.ports"] == ("8010", "site other.yaml:2:14")
    ended = run_cli("show", mine, "--origin", "--site", "none.yaml")
    assert (ended.code, ended.out) == (2, "")
    assert "none.yaml: no such file" in ended.err


def test_json_has_the_plan_the_choices_and_the_origins(run_cli: RunCli, mine: str) -> None:
    shown = json.loads(run_cli("show", mine, "--json", "--origin").out)
    assert list(shown) == [
        "version",
        "plan",
        "digest",
        "tags",
        "choices",
        "hardware",
        "misfits",
        "origins",
    ]
    assert (shown["version"], shown["hardware"], shown["misfits"]) == (1, [], [])
    (python,) = [choice for choice in shown["choices"] if choice["key"] == "python"]
    assert (python["value"], python["where"]) == ("3.11", None)
    assert python["reason"].startswith("Python 3.11: TensorFlow 2.15.1 has wheels for 3.11 only")
    (user,) = [item for item in shown["origins"] if item["key"] == "user.name"]
    assert user == {
        "key": "user.name",
        "value": "student",
        "kind": "extended",
        "where": "profiles/lab.yaml:3:9",
        "why": "",
    }
    assert "origins" not in json.loads(run_cli("show", mine, "--json").out)
