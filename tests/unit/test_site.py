"""The site file, and the certificates that the host trusts."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from imagekit import pem, site
from imagekit.catalogue import Mirror
from imagekit.document import Mapping, Scalar
from imagekit.errors import InputError
from imagekit.site import Archive, Site

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


SHA = "ab" * 32
WHOLE = """\
site: 1
mirrors:
  preset: near
  pypi: https://pypi.example.edu/simple
proxy:
  http: http://proxy.example.edu:3128
  https: http://proxy.example.edu:3129
  no_proxy: [localhost, .example.edu, 10.0.0.0/8, "::1"]
registry: registry.example.edu:5000/lab
registries: {docker.io: mirror.example.edu/hub, ghcr.io: mirror.example.edu}
base:
  policy: pull
  archives:
    debian12: {file: bases/d12.tar, sha256: SHA}
    debian13: {url: "https://files.example.edu/d13.tar.xz", sha256: SHA}
cache:
  from: ["registry.example.edu:5000/lab/debian12-desktop:latest"]
  inline: true
compression: gzip
""".replace("SHA", SHA)


def row(name: str, kind: str, url: str, status: str = "live", note: str = "") -> Mirror:
    return Mirror(source="s", date="d", note=note, site=name, kind=kind, url=url, status=status)


ROWS = (
    row("near", "apt", "http://near.example/"),
    row("near", "pypi", "https://near.example/pypi/simple"),
    row("near", "conda", "https://near.example/anaconda/"),
    row("near", "npm", "https://near.example/npm/", "closed", "closed in 2026"),
    row("near", "registry", "near.example/hub"),
    row("far", "nvidia", "https://far.example/nvidia"),
    row("gone", "npm", "https://gone.example", "closed", "since 2024"),
    row("hub", "registry", "hub.example"),
    row("hub", "models", "https://hub.example"),
    row("models", "models", "https://models.example"),
    row("closed.example", "registry", "closed.example", "closed"),
)


@pytest.fixture
def mirrors(monkeypatch: pytest.MonkeyPatch) -> None:
    """A catalogue of a few mirror sites."""
    monkeypatch.setattr(site, "table", lambda _kind: ROWS)


def test_a_file_can_say_everything(write: Write, mirrors: None) -> None:
    found = site.load(write(WHOLE, "site.yaml"))
    assert found == Site(
        apt="http://near.example",
        pypi="https://pypi.example.edu/simple",
        conda="https://near.example/anaconda",
        http_proxy="http://proxy.example.edu:3128",
        https_proxy="http://proxy.example.edu:3129",
        no_proxy="localhost,.example.edu,10.0.0.0/8,::1",
        registry="registry.example.edu:5000/lab",
        registries=(("docker.io", "mirror.example.edu/hub"), ("ghcr.io", "mirror.example.edu")),
        base_policy="pull",
        archives=(
            Archive("debian12", "bases/d12.tar", SHA),
            Archive("debian13", "https://files.example.edu/d13.tar.xz", SHA),
        ),
        cache_from=("registry.example.edu:5000/lab/debian12-desktop:latest",),
        cache_inline=True,
        compression="gzip",
    )
    assert found.file == "site.yaml"
    assert found.build_secrets()["mirrors"].decode().splitlines() == [
        "apt=http://near.example",
        "pypi=https://pypi.example.edu/simple",
        "conda=https://near.example/anaconda",
        "http_proxy=http://proxy.example.edu:3128",
        "https_proxy=http://proxy.example.edu:3129",
        "no_proxy=localhost,.example.edu,10.0.0.0/8,::1",
    ]


def test_every_value_knows_where_it_was_written(write: Write, mirrors: None) -> None:
    found = site.load(write(WHOLE, "site.yaml"))
    assert str(found.where("mirrors", "pypi")) == "site.yaml:4:9"
    assert str(found.where("mirrors", "apt")) == "site.yaml:3:11"  # the preset's place
    assert str(found.where("registries", "ghcr.io")) == "site.yaml:10:58"
    listed = found.values.get("mirrors")
    assert isinstance(listed, Mapping)
    texts = [(e.key, e.value.text) for e in listed.entries if isinstance(e.value, Scalar)]
    assert texts == [
        ("preset", "near"),
        ("pypi", "https://pypi.example.edu/simple"),
        ("apt", "http://near.example"),
        ("conda", "https://near.example/anaconda"),
    ]


def test_a_preset_can_be_named_alone(write: Write, mirrors: None) -> None:
    found = site.load(write("site: 1\nmirrors: far", "site.yaml"))
    assert found == Site(nvidia="https://far.example/nvidia")
    assert str(found.where("mirrors", "nvidia")) == "site.yaml:2:10"
    assert str(found.where("mirrors", "preset")) == "site.yaml:2:10"


@pytest.mark.parametrize(
    "order", ["preset: near, apt: 'http://a'", "apt: 'http://a', preset: near"]
)
def test_addresses_win_over_the_presets(write: Write, mirrors: None, order: str) -> None:
    found = site.load(write(f"site: 1\nmirrors: {{{order}}}", "site.yaml"))
    assert (found.apt, found.pypi) == ("http://a", "https://near.example/pypi/simple")


@pytest.mark.parametrize(
    ("preset", "message"),
    [
        ("naer", '"naer" is not in the catalogue\n  hint: did you mean "near"?'),
        ("models", '"models" has no packages for builds\n  hint: known: far, near'),
        ("closed.example", '"closed.example" no longer works\n  hint: known: far, near'),
        ("zzz", '"zzz" is not in the catalogue\n  hint: known: far, near'),
        ("gone", '"gone" no longer works: since 2024\n  hint: known: far, near'),
        (
            "hub",
            '"hub" has no packages for builds\n  hint: write registries: {docker.io: hub.example}',
        ),
    ],
)
def test_a_preset_that_cannot_be_used_is_refused(
    write: Write, mirrors: None, preset: str, message: str
) -> None:
    for text, key in ((preset, "mirrors"), (f"{{preset: {preset}}}", "mirrors.preset")):
        with pytest.raises(InputError) as refused:
            site.load(write(f"site: 1\nmirrors: {text}", "site.yaml"))
        (found,) = map(str, refused.value.messages)
        assert found.partition(f": {key}: ")[2] == message


def test_a_profiles_mirrors_are_used_where_the_site_names_none() -> None:
    here = Site(apt="http://here", http_proxy="http://p:1")
    urls = (
        ("apt", "http://profile"),
        ("conda", "https://profile/anaconda/"),
        ("npm", "https://profile/npm/"),
        ("registry", "hub.example"),
        ("models", "https://models.example"),
    )
    found = here.with_profile_mirrors(urls)
    assert found == Site(
        apt="http://here",
        conda="https://profile/anaconda",
        npm="https://profile/npm/",
        http_proxy="http://p:1",
    )
    assert here.with_profile_mirrors(()) == here


def test_a_preset_of_the_catalogue_fills_in_addresses(write: Write) -> None:
    presets = {row.site for row in site.table(Mirror) if row.status != "closed"}
    if not presets:
        pytest.skip("the catalogue names no mirrors")
    found = site.load(write("site: 1\nmirrors: tuna", "site.yaml"))
    assert found.apt.startswith("http")
    assert found.pypi.endswith("/simple")


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
    monkeypatch.setattr(pem, "_HOST_FOLDERS", (host, tmp_path / "none"))
    write(PEM, "conf/ca.pem")
    found = site.load(write("site: 1\nca_certificates: [ca.pem]", "conf/site.yaml"))
    assert found.ca_certificates.decode() == PEM.replace("AAAA", "HOST") + PEM
    assert found.ca_sources == (str(host / "below" / "b.crt"), "conf/ca.pem")
    assert found.build_secrets()["ca"] == found.ca_certificates


def test_an_archives_file_lies_beside_the_site_file(write: Write, tmp_path: Path) -> None:
    one = f"{{file: d12.tar, sha256: {SHA}}}"
    file = write(f"site: 1\nbase: {{archives: {{debian12: {one}}}}}", "conf/site.yaml")
    (found,) = site.load(file).archives
    assert (found.place, found.remote) == ("conf/d12.tar", False)


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
    assert refused.value.messages[2].what == "ca_certificates[0]: none.pem: no such file"


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
        "site.yaml:2:19: ca_certificates[0]: ca.pem: not a PEM certificate\n"
        "  hint: convert it: openssl x509 -inform der -in ca.pem -out NEW.pem"
    )


@pytest.mark.parametrize("kind", ["folder", "fifo", "device", "loop", "long name", "huge"])
def test_a_certificate_that_is_no_ordinary_file_is_refused(
    write: Write, place: Path, kind: str
) -> None:
    path = place / "ca.pem"
    if kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)  # opening it would wait for a writer
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "loop":
        path.symlink_to(path)
    elif kind == "huge":
        path.write_text(PEM * 40_000)
    name = "a" * 300 if kind == "long name" else "ca.pem"
    with pytest.raises(InputError) as refused:
        site.load(write(f"site: 1\nca_certificates: [{name}]", "site.yaml"))
    (message,) = refused.value.messages
    assert message.where == "site.yaml:2:19"


def test_a_certificate_of_the_host_that_is_not_pem_is_refused(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "b.crt").write_bytes(b"\x30\x82")
    monkeypatch.setattr(pem, "_HOST_FOLDERS", (tmp_path,))
    with pytest.raises(InputError, match=r"b\.crt: not a PEM certificate"):
        site.load()


def test_a_certificate_that_cannot_be_read_is_refused(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = Path.is_file

    def denied(self: Path) -> bool:
        if self.name == "ca.pem":
            raise PermissionError(13, "Permission denied", str(self))
        return really(self)

    named = write("site: 1\nca_certificates: [ca.pem]", "site.yaml")
    monkeypatch.setattr(Path, "is_file", denied)
    with pytest.raises(InputError, match=r"ca\.pem: cannot be read: Permission denied"):
        site.load(named)
