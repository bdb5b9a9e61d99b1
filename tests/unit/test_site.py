"""The site file, and the certificates that the host trusts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from imagekit import site
from imagekit.errors import InputError
from imagekit.site import Site

Write = Callable[..., str]
PEM = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


def test_without_a_file_everything_has_its_default(place: Path) -> None:
    assert site.load() == Site(bind="127.0.0.1", ports=6010)
    assert site.load().build_secrets() == {}


def test_a_file_says_what_is_true_of_the_place(write: Write) -> None:
    write(
        "site: 1\nmirrors: {apt: 'http://m.example/', pypi: 'https://p.example/simple', "
        "npm: 'https://n.example:4873/npm/'}\nrun: {bind: 0.0.0.0, ports: 7000}",
        "site.yaml",
    )
    found = site.load()
    assert (found.bind, found.ports) == ("0.0.0.0", 7000)  # noqa: S104
    assert found.build_secrets() == {
        "mirrors": b"apt=http://m.example\npypi=https://p.example/simple\n"
        b"npm=https://n.example:4873/npm/\n"
    }


def test_the_nearest_file_is_used(write: Write, tmp_path: Path) -> None:
    configured = tmp_path / "config" / "imagekit" / "site.yaml"
    configured.parent.mkdir(parents=True)
    configured.write_text("site: 1\nrun: {ports: 7010}")
    assert site.load().ports == 7010
    write("site: 1\nrun: {ports: 7020}", "site.yaml")
    assert site.load().ports == 7020
    assert site.load(write("site: 1\nrun: {ports: 7030}", "other.yaml")).ports == 7030


def test_certificates_are_found_beside_the_file_and_on_the_host(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = tmp_path / "host"
    (host / "below").mkdir(parents=True)
    (host / "below" / "b.crt").write_text(PEM.replace("AAAA", "HOST").replace("\n", "\r\n"))
    (host / "readme.txt").write_text("no certificate")
    monkeypatch.setattr(site, "_HOST_CA_FOLDERS", (host, tmp_path / "none"))
    write(PEM, "conf/ca.pem")
    found = site.load(write("site: 1\nca_certificates: [ca.pem]", "conf/site.yaml"))
    assert found.ca_certificates.decode() == PEM.replace("AAAA", "HOST") + PEM
    assert found.ca_sources == (str(host / "below" / "b.crt"), "conf/ca.pem")
    assert found.build_secrets()["ca"] == found.ca_certificates


def test_everything_wrong_is_said_at_once_in_file_order(write: Write) -> None:
    write(
        "site: 1\nmirrors: {apt: ftp://x, pip: y}\nca_certificates: [none.pem, '']\n"
        "run: {bind: lab, ports: 6011}\nx: &a 1",
        "site.yaml",
    )
    with pytest.raises(InputError) as refused:
        site.load()
    assert [message.where for message in refused.value.messages] == [
        "site.yaml:2:16",
        "site.yaml:2:25",
        "site.yaml:3:19",
        "site.yaml:3:29",
        "site.yaml:4:13",
        "site.yaml:4:25",
        "site.yaml:5:1",
        "site.yaml:5:4",
    ]
    assert refused.value.messages[2].what == "ca_certificates[0]: no file none.pem"


@pytest.mark.parametrize(
    ("name", "what"),
    [("none.yaml", "none.yaml: no such file"), ("folder", "folder: not a regular file")],
)
def test_a_site_file_that_was_asked_for_must_be_there(place: Path, name: str, what: str) -> None:
    (place / "folder").mkdir()
    with pytest.raises(InputError, match=what):
        site.load(name)


def test_a_certificate_that_is_not_pem_is_refused(write: Write) -> None:
    write("\x30\x82 binary", "ca.pem")
    with pytest.raises(InputError) as refused:
        site.load(write("site: 1\nca_certificates: [ca.pem]", "site.yaml"))
    assert str(refused.value) == (
        "ca.pem: not a PEM certificate\n"
        "  hint: convert it: openssl x509 -inform der -in FILE -out FILE.pem"
    )


def test_a_certificate_that_cannot_be_read_is_refused(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(self))

    write(PEM, "ca.pem")
    monkeypatch.setattr(Path, "read_bytes", denied)
    with pytest.raises(InputError, match=r"ca\.pem"):
        site.load(write("site: 1\nca_certificates: [ca.pem]", "site.yaml"))
