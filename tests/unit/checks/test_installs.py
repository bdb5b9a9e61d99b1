import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from imagekit.checks import installs
from imagekit.checks.check import CheckFailedError
from imagekit.checks.installs import check_installs
from imagekit.plan.model import Python
from imagekit.wait import Deadline

PYTHON = Python("3.11", "os", "/opt/venv", "", (), (), (), "", (), (), ())
APT, PIP, ONLINE = {"apt": "2.6.1"}, {"pip": "26.0"}, {"online": "hello 2.10-3"}


class Inside:
    """A container in which each script says something."""

    def __init__(self, **says: Any) -> None:
        self.says = {"apt": APT, "pip": PIP, "online": ONLINE, **says}
        self.asked: list[tuple[str, tuple[str, ...]]] = []

    def execute(self, argv: Any, user: str = "", timeout: float = 20.0) -> tuple[int, str]:
        assert user == "lab"
        assert timeout > 0
        script, arguments = argv[4], tuple(argv[5:])
        scripts = {installs._APT: "apt", installs._PIP: "pip", installs._ONLINE: "online"}
        name = scripts[script]
        self.asked.append((name, arguments))
        says = self.says[name]
        if isinstance(says, str):
            return 1, says
        return 0, f"imagekit:{json.dumps(says)}\n"


@pytest.fixture
def ask(subject: Any, plan: Any) -> Callable[..., Any]:
    def run(inside: Inside, **changes: Any) -> Any:
        made = subject(inside=inside, the_plan=replace(plan, **changes))
        return check_installs(made, Deadline.after(90))

    return run


def test_passes(ask: Any) -> None:
    inside = Inside()
    assert ask(inside, python=PYTHON) == {**APT, **PIP, **ONLINE}
    assert inside.asked == [("apt", ()), ("pip", ("/opt/venv",)), ("online", (inside.asked[2][1]))]
    assert 20 <= int(inside.asked[2][1][0]) <= 40


def test_without_an_environment_the_account_makes_one(ask: Any) -> None:
    inside = Inside()
    ask(inside)
    assert ("pip", ("",)) in inside.asked


def test_without_sudo_apt_is_not_asked(ask: Any, plan: Any) -> None:
    inside = Inside()
    data = ask(inside, user=replace(plan.user, sudo=False))
    assert data["apt"] == "not asked: user.sudo is false, so the account cannot install packages"
    assert [name for name, _ in inside.asked] == ["pip"]


@pytest.mark.parametrize(
    ("says", "message"),
    [
        (
            {"apt": {"command": "sudo -n apt-get update", "code": 100, "said": "E: no lists"}},
            "a package installed by apt; got exit code 100 and 'E: no lists'; look at `sudo -n apt",
        ),
        (
            {"pip": {"command": "pip install x", "code": 1, "said": "Permission denied"}},
            "a package installed by pip into /opt/venv; got exit code 1 and 'Permission denied'",
        ),
        ({"pip": "Traceback"}, "installed by pip into /opt/venv; got exit code 1 and 'Traceback'"),
        (
            {"online": {"command": "apt-get update", "code": 100, "said": "NO_PUBKEY 1"}},
            "a package of the archive; got exit code 100 and 'NO_PUBKEY 1'",
        ),
    ],
)
def test_fails(ask: Any, says: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckFailedError) as failed:
        ask(Inside(**says), python=PYTHON)
    assert message in str(failed.value)


def run(script: str, *arguments: str, path: str = "/usr/bin:/bin") -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": path, "HOME": "/nonexistent"},
    )
    loaded: dict[str, Any] = json.loads(done.stdout.removeprefix("imagekit:"))
    return loaded


def program(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


PIP_PROGRAM = """case $1 in
install) exec python3 -m zipfile -e "$5" "{site}" ;;
uninstall) rm -r "{site}" ;;
*) echo "pip 26.0 from {site}" ;;
esac"""


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """An environment whose pip does no more than is asked of it here."""
    site, folder = tmp_path / "own/site", tmp_path / "own/bin"
    folder.mkdir(parents=True)
    program(folder, "pip", PIP_PROGRAM.format(site=site))
    program(folder, "python", f'PYTHONPATH={site} exec {sys.executable} "$@"')
    return folder.parent


def test_the_script_installs_by_pip_and_removes_it(environment: Path) -> None:
    found = run(installs._PIP, str(environment), path=f"{environment}/bin:/usr/bin:/bin")
    assert found == {"pip": "26.0"}
    assert not (environment / "site").exists()


def test_the_script_notices_what_pip_puts_elsewhere(environment: Path, tmp_path: Path) -> None:
    site = tmp_path / "local"
    program(environment / "bin", "pip", PIP_PROGRAM.format(site=site))
    program(environment / "bin", "python", f'PYTHONPATH={site} exec {sys.executable} "$@"')
    found = run(installs._PIP, str(environment), path=f"{environment}/bin:/usr/bin:/bin")
    assert found["command"] == f"import imagekit_check_package of {environment}"
    assert found["said"] == f"imagekit-installed {site}/imagekit_check_package.py"


def test_the_script_notices_what_stays(environment: Path) -> None:
    text = PIP_PROGRAM.format(site=environment / "site").replace("rm -r", ": ")
    program(environment / "bin", "pip", text)
    found = run(installs._PIP, str(environment), path=f"{environment}/bin:/usr/bin:/bin")
    assert found["said"] == "it can still be imported"


def test_the_script_notices_another_pip(environment: Path, tmp_path: Path) -> None:
    path = f"{environment}/bin:/usr/bin:/bin"
    found = run(installs._PIP, str(tmp_path / "other"), path=path)
    assert found["said"] == f"pip of {tmp_path}/other is not on PATH, but {environment}/bin/pip"


def test_the_script_says_what_apt_says(tmp_path: Path) -> None:
    program(tmp_path, "dpkg-deb", 'echo data > "$3"')
    program(tmp_path, "sudo", 'echo "E: $*" | tr "\\n" " "; exit 100')
    found = run(installs._APT, path=f"{tmp_path}:/usr/bin:/bin")
    assert found["code"] == 100
    assert found["said"].startswith("E: -n DEBIAN_FRONTEND=noninteractive apt-get --yes")
    assert found["command"].endswith(" update")


def test_the_script_takes_its_lists_away(tmp_path: Path) -> None:
    lists = tmp_path / "lists"
    lists.mkdir()
    # Python's names may have an underscore, which apt writes as %5f.
    ours = lists / "_tmp_imagekit-apt-a%5fb_._Packages"
    theirs = lists / "archive.example_debian_dists_bookworm_InRelease"
    for file in (ours, theirs):
        file.touch()
    program(tmp_path, "dpkg-deb", 'echo data > "$3"')
    program(tmp_path, "sudo", 'shift; case $1 in rm) exec "$@" ;; esac; exit 100')
    run(installs._APT.replace("/var/lib/apt/lists", str(lists)), path=f"{tmp_path}:/usr/bin:/bin")
    assert list(lists.iterdir()) == [theirs]


def test_the_archives_are_asked_for_a_time_that_holds_for_root(tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    program(tmp_path, "sudo", f'echo "$*" >> {asked}')
    program(tmp_path, "hello", "echo hello")
    program(tmp_path, "dpkg-query", "echo hello")
    run(installs._ONLINE, "30", path=f"{tmp_path}:/usr/bin:/bin")
    update, install = asked.read_text().splitlines()
    # An account may not end what sudo started for root.
    assert update.startswith("-n timeout --kill-after=1 30 apt-get --yes ")
    assert update.endswith(" update")
    assert install.startswith("-n timeout --kill-after=1 30 apt-get --yes ")


@pytest.mark.parametrize(
    ("update", "install", "found"),
    [
        ("exit 100", "", {"online": "the archives were not reached: "}),
        ("echo W: NO_PUBKEY 12; exit 100", "", {"said": "W: NO_PUBKEY 12"}),
        ("", "echo E: Unable to fetch; exit 100", {"online": "the archives broke off: E: Unable"}),
        ("", "echo unmet dependencies; exit 100", {"said": "unmet dependencies"}),
        ("", "", {"online": "hello 2.10-3"}),
    ],
)
def test_the_script_tells_the_network_from_the_image(
    tmp_path: Path, update: str, install: str, found: dict[str, str]
) -> None:
    program(
        tmp_path, "sudo", f'case "$*" in *update) {update or ":"} ;; *) {install or ":"} ;; esac'
    )
    program(tmp_path, "hello", "echo hello")
    program(tmp_path, "dpkg-query", "printf 'hello\\t2.10-3\\n'")
    said = run(installs._ONLINE, "30", path=f"{tmp_path}:/usr/bin:/bin")
    for name, text in found.items():
        assert said[name].startswith(text)
