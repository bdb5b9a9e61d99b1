"""The archives' keys: the host's own, or Ubuntu's from Debian's archive."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from imagekit.engine import keyrings
from imagekit.errors import EngineError, NetworkError

# Says what it was told, and downloads a package of the test's making.
APT_GET = """#!/bin/sh
echo "$@" >> {log}
cat "$APT_CONFIG" "$(dirname "$APT_CONFIG")/sources.list" >> {log}
[ "$1" = update ] || cp {package} ubuntu-keyring_1_all.deb
"""


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Debian with its own keys; programs of the test's making come first."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "place").mkdir()
    files = {family: tmp_path / f"{family}.gpg" for family in ("debian", "ubuntu")}
    files["debian"].touch()
    monkeypatch.setattr(keyrings, "FILES", files)
    monkeypatch.setattr(keyrings, "host_mirror", lambda family: f"http://m.test/{family}")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    return tmp_path


def apt_get(host: Path, script: str) -> None:
    program = host / "bin" / "apt-get"
    program.write_text(script)
    program.chmod(0o755)


@pytest.fixture
def package(host: Path) -> Path:
    """A Debian package with the file of the keys."""
    root = host / "package"
    file = root / keyrings.FILES["ubuntu"].relative_to("/")
    file.parent.mkdir(parents=True)
    file.write_text("keys of Ubuntu")
    (root / "DEBIAN").mkdir()
    control = "Package: ubuntu-keyring\nVersion: 1\nArchitecture: all\nMaintainer: x <x@y>\n"
    (root / "DEBIAN" / "control").write_text(f"{control}Description: keys\n")
    subprocess.run(["dpkg-deb", "--build", str(root), str(host / "made.deb")], check=True)
    return host / "made.deb"


def test_the_hosts_own_keys_go_first(host: Path) -> None:
    keyrings.FILES["ubuntu"].touch()
    assert keyrings.keyring("ubuntu", host / "place") == host / "ubuntu.gpg"
    assert list((host / "place").iterdir()) == []


def test_ubuntus_keys_come_from_debian_with_its_signature_checked(
    host: Path, package: Path
) -> None:
    log = host / "log"
    apt_get(host, APT_GET.format(log=log, package=package))
    assert keyrings.keyring("ubuntu", host / "place").read_text() == "keys of Ubuntu"
    said = log.read_text()
    assert f"deb [signed-by={host}/debian.gpg] http://m.test/debian " in said
    # Nothing of the host's own apt is touched.
    assert f'Dir::State "{host}/place/state"' in said
    assert f'Dir::Cache "{host}/place/cache"' in said


def test_an_archive_that_does_not_answer(host: Path) -> None:
    apt_get(host, "#!/bin/sh\necho 'E: no way to m.test' >&2\nexit 100\n")
    with pytest.raises(NetworkError, match=r"apt-get ended with 100: E: no way to m\.test"):
        keyrings.keyring("ubuntu", host / "place")


@pytest.mark.parametrize("family", ["debian", "ubuntu"])
def test_no_keys_and_no_debian_to_have_them_from(
    host: Path, monkeypatch: pytest.MonkeyPatch, family: str
) -> None:
    keyrings.FILES["debian"].unlink()
    monkeypatch.setattr(keyrings, "host_mirror", lambda _: "")
    with pytest.raises(EngineError, match=f"apt-get install {keyrings.PACKAGES[family]}"):
        keyrings.keyring(family, host / "place")
