"""PEM files of a site: certificates and the key of one of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagekit import pem
from imagekit.errors import InputError

CERTIFICATE = "-----BEGIN CERTIFICATE-----\r\nMIIB\r\n-----END CERTIFICATE-----\r\n"


@pytest.mark.parametrize("kind", ["", "EC ", "RSA "])
def test_a_private_key_is_read(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "key.pem"
    text = f"-----BEGIN {kind}PRIVATE KEY-----\nMIGH\n-----END {kind}PRIVATE KEY-----"
    file.write_text(text)
    assert pem.private_key(file) == f"{text}\n".encode()


@pytest.mark.parametrize(
    "text",
    [
        CERTIFICATE,
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIGH\n-----END ENCRYPTED PRIVATE KEY-----\n",
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nMIGH\n",
        "",
    ],
)
def test_what_is_no_open_private_key_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "key.pem"
    file.write_text(text)
    with pytest.raises(InputError, match="not a PEM private key without a password"):
        pem.private_key(file)


def test_certificates_get_plain_line_ends(tmp_path: Path) -> None:
    file = tmp_path / "a.pem"
    file.write_bytes(CERTIFICATE.encode())
    assert pem.certificates(file) == CERTIFICATE.replace("\r\n", "\n").encode()
