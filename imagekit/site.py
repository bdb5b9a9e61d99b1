"""The site file: what is true of a place. It never changes what an image is."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagekit import document, validation
from imagekit.document import Problem
from imagekit.errors import InputError, Message

_DEFAULT_BIND = "127.0.0.1"
# The tutorial's scheme: blocks of ten, the first student's at 6010.
_DEFAULT_PORTS = 6010

# Where the distributions keep CA certificates that an administrator added.
# Debian and Ubuntu: update-ca-certificates(8). Fedora and RHEL: update-ca-trust(8).
_HOST_CA_FOLDERS = (
    Path("/usr/local/share/ca-certificates"),
    Path("/etc/pki/ca-trust/source/anchors"),
)


@dataclass(frozen=True, slots=True)
class Site:
    """How to get there from here.

    Attributes:
        apt: root of an apt mirror, empty for the base image's own.
        pypi: a PyPI index, empty for pip's own default.
        npm: an npm registry, empty for npm's own default.
        ca_certificates: PEM of all extra CA certificates, empty for none.
        ca_sources: where these certificates came from, for people.
        bind: address that containers publish their ports on.
        ports: first port of the first block of ten.
    """

    apt: str = ""
    pypi: str = ""
    npm: str = ""
    ca_certificates: bytes = b""
    ca_sources: tuple[str, ...] = ()
    bind: str = _DEFAULT_BIND
    ports: int = _DEFAULT_PORTS

    def build_secrets(self) -> dict[str, bytes]:
        """What a build is told of the place, as BuildKit secrets: ids to contents.

        ``ca`` is a PEM bundle, ``mirrors`` a list of ``name=URL`` lines that
        ``templates/build/env.sh`` reads.
        """
        mirrors = {"apt": self.apt, "pypi": self.pypi, "npm": self.npm}
        lines = "".join(f"{name}={url}\n" for name, url in mirrors.items() if url)
        secrets = {"ca": self.ca_certificates, "mirrors": lines.encode()}
        return {name: data for name, data in secrets.items() if data}


def load(path: str = "") -> Site:
    """Read the site file and the host's own extra CA certificates.

    Args:
        path: a site file. When empty, the first that exists of ``site.yaml`` in the working
            folder, in the user's configuration folder and in ``/etc/imagekit``; without
            any, everything has its default.

    Raises:
        InputError: the file, or a certificate that it names, is missing or wrong.
    """
    file = Path(path) if path else _find()
    if file is None:
        return _with_certificates({}, ())
    loaded = document.load(file)
    checked = validation.validate(loaded.root, "site")
    problems = [*loaded.problems, *checked.problems]
    named: list[Path] = []
    for index, item in enumerate(checked.values.get("ca_certificates", ())):
        path_of = ("ca_certificates", index)
        if path_of in checked.bad:
            continue
        named.append(file.parent / item)
        if not named[-1].is_file():
            mark = validation.place(loaded.root, path_of)
            problems.append(Problem(mark, f"{validation.dotted(path_of)}: no file {named[-1]}"))
    if problems:
        raise document.refusal(problems)
    return _with_certificates(checked.values, tuple(named))


def _find() -> Path | None:
    config = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    candidates = (
        Path("site.yaml"),
        config / "imagekit" / "site.yaml",
        Path("/etc/imagekit/site.yaml"),
    )
    return next((file for file in candidates if file.is_file()), None)


def _with_certificates(values: dict[str, Any], named: tuple[Path, ...]) -> Site:
    files = (*_host_certificates(), *named)
    mirrors = values.get("mirrors", {})
    run = values.get("run", {})
    return Site(
        apt=mirrors.get("apt", "").rstrip("/"),
        pypi=mirrors.get("pypi", ""),
        npm=mirrors.get("npm", ""),
        ca_certificates=b"".join(_pem(file) for file in files),
        ca_sources=tuple(str(file) for file in files),
        bind=run.get("bind", _DEFAULT_BIND),
        ports=int(run.get("ports", _DEFAULT_PORTS)),
    )


def _host_certificates() -> tuple[Path, ...]:
    found = [
        file
        for folder in _HOST_CA_FOLDERS
        if folder.is_dir()
        for file in folder.rglob("*")
        if file.suffix in {".crt", ".pem"} and file.is_file()
    ]
    return tuple(sorted(found))


def _pem(file: Path) -> bytes:
    try:
        data = file.read_bytes().replace(b"\r\n", b"\n").strip()
    except OSError as error:
        raise InputError(Message(str(file), f"cannot be read: {error.strerror}")) from error
    if b"-----BEGIN CERTIFICATE-----" not in data:
        hint = "convert it: openssl x509 -inform der -in FILE -out FILE.pem"
        raise InputError(Message(str(file), "not a PEM certificate", hint))
    return data + b"\n"
