"""The bake file and the folder around it."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

from tests.unit.conftest import RunCli, Write


def bake(run_cli: RunCli, *arguments: str) -> dict[str, Any]:
    ended = run_cli("export", "bake", *arguments, "-o", "out")
    assert (ended.code, ended.out) == (0, "out/docker-bake.json\n"), ended.err
    loaded: dict[str, Any] = json.loads(Path("out/docker-bake.json").read_text("utf-8"))
    return loaded


def test_a_target_builds_what_render_writes(place: Path, write: Write, run_cli: RunCli) -> None:
    write("profile: 1\nfiles: [{path: /opt/x, text: y}]\n", "profiles/lab.a.yaml")
    made = bake(run_cli, "lab.a")
    assert made["group"] == {"default": {"targets": ["lab_a"]}}
    target = made["target"]["lab_a"]
    plan = json.loads(run_cli("show", "lab.a", "--json").out)
    assert target == {
        "context": "lab.a",
        "dockerfile": "Dockerfile",
        "args": {"BASE": plan["plan"]["os"]["image"]},
        "tags": plan["tags"],
        "platforms": ["linux/amd64"],
    }
    run_cli("render", "lab.a", "-o", "rendered")
    rendered, baked = (
        {path.relative_to(top): path.read_bytes() for path in top.rglob("*") if path.is_file()}
        for top in (place / "rendered", place / "out" / "lab.a")
    )
    assert rendered == baked
    # And once more over itself.
    assert bake(run_cli, "lab.a") == made


def test_the_place_travels_as_secrets_and_arguments(
    place: Path, write: Write, run_cli: RunCli
) -> None:
    write("profile: 1\n", "profiles/lab-a.yaml")
    write(
        "site: 1\nmirrors: {pypi: https://m.example/simple}\n"
        "registries: {docker.io: m.example/hub}\nregistry: r.example/lab\n"
        "cache: {from: [r.example/lab/cache], inline: true}\n",
        "site.yaml",
    )
    target = bake(run_cli, "lab-a")["target"]["lab-a"]
    assert target["secret"] == ["id=mirrors,src=.secrets/lab-a/mirrors"]
    assert target["args"]["BASE"].startswith("m.example/hub/library/debian:")
    assert target["tags"][2] == "r.example/lab/lab-a:latest"
    assert target["cache-from"] == ["type=registry,ref=r.example/lab/cache"]
    assert target["cache-to"] == ["type=inline"]
    secret = place / "out" / ".secrets" / "lab-a" / "mirrors"
    assert secret.read_text("utf-8") == "pypi=https://m.example/simple\n"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600


def test_all_profiles_are_the_default(place: Path, run_cli: RunCli) -> None:
    made = bake(run_cli)
    assert len(made["group"]["default"]["targets"]) == len(made["target"]) > 10


def test_two_profiles_of_one_target_are_refused(place: Path, write: Write, run_cli: RunCli) -> None:
    for name in ("lab.a", "lab_a"):
        write("profile: 1\n", f"profiles/{name}.yaml")
    ended = run_cli("export", "bake", "lab.a", "lab_a", "-o", "out")
    assert ended.code == 2
    assert "lab_a: a target cannot be told from that of lab.a: lab_a" in ended.err
    assert not (place / "out").exists()


def test_two_different_profiles_of_one_name_are_refused(
    place: Path, write: Write, run_cli: RunCli
) -> None:
    write("profile: 1\n", "a/x.yaml")
    write("profile: 1\nuser: {name: zhang}\n", "b/x.yaml")
    ended = run_cli("export", "bake", "a/x.yaml", "b/x.yaml", "-o", "out")
    assert ended.code == 2
    assert ended.err == (
        "two different profiles are called x\n  hint: give one of them another name\n"
    )
    assert not (place / "out").exists()
    write("profile: 1\n", "c/x.yaml")
    assert list(bake(run_cli, "a/x.yaml", "c/x.yaml")["target"]) == ["x"]


def test_a_folder_with_other_files_is_left_alone(
    place: Path, write: Write, run_cli: RunCli
) -> None:
    write("precious", "out/thesis.tex")
    ended = run_cli("export", "bake", "cpu-ssh", "-o", "out")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == (
        "out: holds other files; nothing was written\n  hint: give a new or empty folder\n"
    )
    assert [path.name for path in (place / "out").iterdir()] == ["thesis.tex"]


def test_a_wrong_profile_writes_nothing(place: Path, write: Write, run_cli: RunCli) -> None:
    write("profile: 1\nno_such_key: 1\n", "profiles/lab-a.yaml")
    ended = run_cli("export", "bake", "lab-a", "cpu-ssh", "-o", "out")
    assert ended.code == 2
    assert not (place / "out").exists()
