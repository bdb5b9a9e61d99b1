import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from imagekit.checks import hygiene
from imagekit.checks.check import CheckFailedError
from imagekit.checks.hygiene import check_hygiene
from imagekit.checks.subject import ImageConfig, Step
from imagekit.plan.model import File, Python
from imagekit.wait import Deadline

MB = 1_000_000
PYTHON = Python("3.7", "conda", "/opt/conda", "", (), (), (), "", (), (), ())
CLEAN: dict[str, Any] = {
    "left": {},
    "keys": [],
    "ids": [],
    "accounts": [],
    "packages": 700 * MB,
    "environment": 0,
    "files": 0,
    "setuid": ["/usr/bin/sudo"],
}
CONFIG = ImageConfig("sha256:aa", (("PATH", "/usr/bin"),), history=(Step("FROM", 900 * MB),))


@pytest.fixture
def ask(
    subject: Any, fake_inside: Any, plan: Any, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Any]:
    """Ask about an image in which that is found, and which says that."""
    monkeypatch.setattr(hygiene.privileges, "check", lambda *_: {"processes": 9})

    def run(
        found: dict[str, Any] | None = None, config: ImageConfig = CONFIG, **changes: Any
    ) -> Any:
        text = f"imagekit:{json.dumps({**CLEAN, **(found or {})})}\n"
        inside = fake_inside(config=config, afresh=(0, text))
        made = subject(inside=inside, the_plan=replace(plan, **changes))
        return check_hygiene(made, Deadline.after(5)), inside.calls

    return run


def test_passes(ask: Any) -> None:
    data, calls = ask()
    assert data == {
        "bytes": 900 * MB,
        "budget": 1140 * MB,
        "packages": 700 * MB,
        "environment": 0,
        "setuid": ["/usr/bin/sudo"],
        "processes": 9,
    }
    ((argv, where),) = calls
    assert where == "afresh"
    assert argv[-2:] == ("[]", "[]")


def test_environments_and_the_profiles_files_are_known(ask: Any) -> None:
    files = (File("/srv/data", "0644", "0" * 64),)
    _, ((argv, _),) = ask(python=PYTHON, conda=True, files=files)
    assert argv[-2:] == ('["/opt/conda"]', '["/srv/data"]')
    venv = replace(PYTHON, prefix="/opt/venv")
    _, ((argv, _),) = ask(python=venv, conda=True)
    assert argv[-2] == '["/opt/venv", "/opt/conda"]'


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (
            {"left": {"apt's package lists": [7, 20 * MB, "/var/lib/apt/lists/x"]}},
            "apt's package lists: 7 files of 20.0 MB, such as /var/lib/apt/lists/x",
        ),
        ({"left": {"caches": [1, 0, "/root/.cache/x"]}}, "caches: 1 file of 0.0 MB"),
        (
            {"keys": ["/etc/ssh/ssh_host_rsa_key"]},
            "keys, the same in every container: /etc/ssh/ssh_host_rsa_key",
        ),
        ({"ids": ["/etc/machine-id"]}, "a machine id, the same in every container: /etc/machine-"),
        ({"accounts": [["/etc/shadow", "root", True]]}, "a password of root in /etc/shadow"),
        ({"accounts": [["/etc/shadow", "lab", False]]}, "no password needed of lab in /etc/shadow"),
        ({"packages": 100 * MB}, "900 MB where its packages account for 420 MB at most"),
    ],
)
def test_fails(ask: Any, found: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckFailedError) as failed:
        ask(found)
    assert message in str(failed.value)


def test_a_secret_in_the_environment_fails(ask: Any) -> None:
    with pytest.raises(CheckFailedError, match="the variable API_KEY of the image"):
        ask(config=replace(CONFIG, environment=(("API_KEY", "x"),)))


def test_everything_is_said_at_once(ask: Any) -> None:
    config = replace(CONFIG, environment=(("API_KEY", "x"),))
    with pytest.raises(CheckFailedError, match=r"API_KEY.*machine id.*account for"):
        ask({"ids": ["/etc/machine-id"], "packages": 0}, config)


def test_an_image_without_python_fails(subject: Any, fake_inside: Any) -> None:
    inside = fake_inside(afresh=(127, "not found"))
    with pytest.raises(CheckFailedError, match="a look into the image; got exit code 127"):
        check_hygiene(subject(inside=inside), Deadline.after(5))


def test_the_script_says_what_is_read() -> None:
    # Without the walk through this machine's own caches.
    script = hygiene._SCRIPT.replace("def below(pattern):", "def below(pattern):\n    return []\n")
    run = [sys.executable, "-c", script, "[]", "[]"]
    output = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    assert json.loads(output.removeprefix("imagekit:")).keys() == CLEAN.keys()
