import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from imagekit.checks import openssh, ssh
from imagekit.checks.check import CheckFailedError
from imagekit.wait import Deadline
from tests.required import missing


@pytest.fixture
def client() -> None:
    if not openssh.is_there(openssh.version()):
        missing("openssh", "this machine has no OpenSSH client")


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Put a program in the place of ssh."""

    def put(text: str) -> None:
        file = tmp_path / "ssh"
        file.write_text(f"#!{sys.executable}\n{text}\n")
        file.chmod(file.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", str(tmp_path))

    return put


def run(fake: Any, key: Any, host_key: Any = None, seconds: float = 10) -> ssh.Output:
    login = ("lab", key)
    known = host_key or fake.host_key
    return openssh.run(fake.address, login, known, "echo hello", Deadline.after(seconds))


def test_without_a_client(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert openssh.version() == "not on this machine"
    assert not openssh.is_there(openssh.version())


@pytest.mark.parametrize(
    ("says", "version", "there"),
    [
        ("OpenSSH_9.2p1 Debian-2, OpenSSL 3.0.20", "OpenSSH_9.2p1", True),
        ("Dropbear v2022.83", "another client: Dropbear", False),
        ("", "another client: ", False),
    ],
)
def test_version(program: Any, says: str, version: str, there: bool) -> None:
    program(f"import sys; sys.stderr.write({says!r})")
    assert openssh.version() == version
    assert openssh.is_there(version) == there


@pytest.mark.usefixtures("client")
def test_a_command(ssh_server: Any, key: Any) -> None:
    fake = ssh_server(run=lambda command, _: (3, f"{command} ran\n"))
    assert run(fake, key) == ssh.Output(3, "echo hello ran\n")


@pytest.mark.usefixtures("client")
def test_another_key_or_another_server_fails(ssh_server: Any, key: Any) -> None:
    fake = ssh_server()
    with pytest.raises(CheckFailedError, match="Permission denied"):
        run(fake, ssh.new_key())
    with pytest.raises(CheckFailedError, match="key verification failed"):
        run(fake, key, host_key=ssh.new_key())


def test_a_client_that_hangs_is_given_up(ssh_server: Any, key: Any, program: Any) -> None:
    program("import time; time.sleep(60)")
    with pytest.raises(CheckFailedError, match="did not end in time"):
        run(ssh_server(), key, seconds=0.5)
