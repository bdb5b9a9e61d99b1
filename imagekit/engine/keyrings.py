"""The archives' keys, which say whether what a mirror sends is the archive's."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from imagekit.engine.aptsources import host_mirror
from imagekit.errors import EngineError, Message, NetworkError

FILES = {
    "debian": Path("/usr/share/keyrings/debian-archive-keyring.gpg"),
    "ubuntu": Path("/usr/share/keyrings/ubuntu-archive-keyring.gpg"),
}
"""Where the packages of ``PACKAGES`` put the keys, by family."""

PACKAGES = {"debian": "debian-archive-keyring", "ubuntu": "ubuntu-keyring"}

# Debian has Ubuntu's keys, in this release and later ones.
_SUITE_WITH_UBUNTU = "trixie"

_SECONDS = 300.0

# Everything of apt's that would touch the host's own package lists lies in one folder.
_APT_CONF = """\
Dir::State "{folder}/state";
Dir::State::status "{folder}/status";
Dir::Cache "{folder}/cache";
Dir::Etc::sourcelist "{folder}/sources.list";
Dir::Etc::sourceparts "{folder}/none";
Acquire::Languages "none";
APT::Sandbox::User "root";
"""


def keyring(family: str, folder: Path, environment: Mapping[str, str] = {}) -> Path:
    """A file with the keys of a family's archive.

    It is the host's own. A Debian host without Ubuntu's keys takes them from Debian's
    archive, whose signature is checked, and nothing is installed.

    Args:
        family: ``debian`` or ``ubuntu``.
        folder: where files may be put that are needed no longer than the result.
        environment: variables for apt, such as proxies, beside this process's own.

    Raises:
        EngineError: there are none, and they cannot be had this way.
        NetworkError: Debian's archive did not answer.
    """
    file, package = FILES[family], PACKAGES[family]
    if file.is_file():
        return file
    debian = host_mirror("debian")
    if family != "ubuntu" or not debian or not FILES["debian"].is_file():
        hint = f"apt-get install {package}"
        raise EngineError(Message(family, f"the archive's keyring {file} is not there", hint))
    _download(package, debian, folder, environment)
    (archive,) = folder.glob(f"{package}_*.deb")
    _run(["dpkg-deb", "--extract", str(archive), str(folder / "unpacked")], folder, environment)
    return folder / "unpacked" / file.relative_to("/")


def _download(package: str, mirror: str, folder: Path, environment: Mapping[str, str]) -> None:
    """Fetch a package of Debian's into ``folder``, with apt's check of the signature."""
    for name in ("state/lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True)
    (folder / "status").touch()
    (folder / "apt.conf").write_text(_APT_CONF.format(folder=folder), encoding="utf-8")
    line = f"deb [signed-by={FILES['debian']}] {mirror} {_SUITE_WITH_UBUNTU} main\n"
    (folder / "sources.list").write_text(line, encoding="utf-8")
    _run(["apt-get", "update", "--error-on=any"], folder, environment)
    _run(["apt-get", "download", package], folder, environment)


def _run(command: list[str], folder: Path, environment: Mapping[str, str]) -> None:
    settings = {"APT_CONFIG": str(folder / "apt.conf"), "LC_ALL": "C"}
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, **environment, **settings},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _failure(str(error)) from error
    if done.returncode:
        said = "; ".join(done.stderr.strip().splitlines()[-3:])
        raise _failure(f"{command[0]} ended with {done.returncode}: {said}")


def _failure(what: str) -> NetworkError:
    return NetworkError(Message("Ubuntu's archive keys", what, "check the way to Debian's mirror"))
