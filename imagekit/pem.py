"""PEM files: CA certificates that builds trust, and the certificate of people's desktops.

The format: RFC 7468, sections 2, 5 and 10.
"""

from __future__ import annotations

from pathlib import Path

from imagekit.document import printable
from imagekit.errors import InputError, Message

_CERTIFICATE = b"-----BEGIN CERTIFICATE-----"
_KEYS = tuple(f"-----BEGIN {kind}PRIVATE KEY-----".encode() for kind in ("", "RSA ", "EC "))
_MAX_BYTES = 1024 * 1024

# Where the distributions keep CA certificates that an administrator added.
# Debian and Ubuntu: update-ca-certificates(8). Fedora and RHEL: update-ca-trust(8).
_HOST_FOLDERS = (
    Path("/usr/local/share/ca-certificates"),
    Path("/etc/pki/ca-trust/source/anchors"),
)


def host_certificates() -> tuple[Path, ...]:
    """Files of the CA certificates that an administrator added to this host, sorted."""
    found = [
        file
        for folder in _HOST_FOLDERS
        if folder.is_dir()
        for file in folder.rglob("*")
        if file.suffix in {".crt", ".pem"} and file.is_file()
    ]
    return tuple(sorted(found))


def certificates(file: Path) -> bytes:
    """A PEM file's certificates, with plain line ends.

    Raises:
        InputError: the file cannot be read, or has no certificate.
    """
    data = _read(file)
    if _CERTIFICATE not in data:
        name = printable(str(file))
        hint = f"convert it: openssl x509 -inform der -in {name} -out NEW.pem"
        raise InputError(Message(name, "not a PEM certificate", hint))
    return data


def private_key(file: Path) -> bytes:
    """A PEM file's private key, with plain line ends.

    Raises:
        InputError: the file cannot be read, or has no private key without a password.
    """
    data = _read(file)
    if not any(begin in data for begin in _KEYS) or b"ENCRYPTED" in data:
        name = printable(str(file))
        hint = f"write it without a password: openssl pkey -in {name} -out NEW.pem"
        raise InputError(Message(name, "not a PEM private key without a password", hint))
    return data


def _read(file: Path) -> bytes:
    name = printable(str(file))
    try:
        if not file.is_file():  # a FIFO or a device would block or never end
            hint = "the path is relative to the site file's folder"
            raise InputError(Message(name, "no such file", hint))
        with file.open("rb") as opened:
            data = opened.read(_MAX_BYTES + 1)
    except OSError as error:
        raise InputError(Message(name, f"cannot be read: {error.strerror}")) from error
    if len(data) > _MAX_BYTES:
        raise InputError(Message(name, f"larger than {_MAX_BYTES // 1024} KiB"))
    return data.replace(b"\r\n", b"\n").strip() + b"\n"
