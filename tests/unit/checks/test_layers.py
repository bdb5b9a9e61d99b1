import gzip
import io
import json
import tarfile
from typing import Any

import pytest

from imagekit.checks import layers
from imagekit.checks.check import CheckFailedError
from imagekit.checks.layers import check_layers
from imagekit.checks.savedimage import Layer, read, wasted, zstd
from imagekit.wait import Deadline

HASH = b"lab:$6$abc$def:19000:0:99999:7:::\nroot:*:1::::::\nsync:!:1::::::\n"


def packed(files: dict[str, bytes], links: dict[str, str] | None = None) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for name, target in (links or {}).items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            archive.addfile(info)
    return out.getvalue()


def image(*contents: dict[str, bytes], pack: Any = bytes) -> bytes:
    """As Engine 25 and later save it, the manifest first or last as it comes."""
    blobs = {f"blobs/sha256/{n:064}": pack(packed(files)) for n, files in enumerate(contents)}
    manifest = json.dumps([{"Layers": list(blobs)}]).encode()
    return packed({"blobs/sha256/config": b'{"rootfs": 1}', **blobs, "manifest.json": manifest})


@pytest.fixture
def ask(subject: Any, fake_inside: Any) -> Any:
    def run(archive: bytes) -> Any:
        return check_layers(subject(inside=fake_inside(archive=archive)), Deadline.after(5))

    return run


def test_passes(ask: Any) -> None:
    base = {"etc/os-release": b"x", "etc/machine-id": b"", "etc/shadow": b"root:*:1::::::\n"}
    data = ask(image(base, {"etc/os-release": b"yy", "usr/bin/x": b"123"}))
    assert data == {
        "layers": 2,
        "files": 5,
        "bytes": 21,
        "wasted": 1,
        "most_wasted": ["/etc/os-release (1 bytes)"],
    }


@pytest.mark.parametrize(
    ("path", "data", "message"),
    [
        ("etc/ssh/ssh_host_rsa_key", b"x", "/etc/ssh/ssh_host_rsa_key in layer 1 of 2"),
        ("./var/lib/imagekit/ssh/ssh_host_rsa_key", b"x", "/var/lib/imagekit/ssh/ssh_host_rsa_"),
        ("etc/machine-id", b"0123456789abcdef" * 2 + b"\n", "a machine id in /etc/machine-id in"),
        ("var/lib/dbus/machine-id", b"0123456789abcdef" * 2, "a machine id in /var/lib/dbus"),
        ("etc/shadow", HASH, "a password of lab in /etc/shadow in layer 1 of 2"),
        ("run/secrets/token", b"x", "the secret /run/secrets/token in layer 1 of 2"),
        (
            "root/.ssh/id_rsa",
            b"-----BEGIN OPENSSH PRIVATE KEY-----\n",
            "a private key in /root/.ssh/id_rsa in layer 1 of 2",
        ),
        ("id_rsa", b"-----BEGIN PRIVATE KEY-----\n", "a private key in /id_rsa in layer 1 of 2"),
        ("var/lib/apt/lists/x_Packages", bytes(2_000_000), "apt's package lists (2.0 MB) in layer"),
        ("var/cache/apt/archives/x.deb", bytes(2_000_000), "apt's packages (2.0 MB) in layer 1"),
        ("root/.cache/pip/x", bytes(2_000_000), "caches of pip and others (2.0 MB) in layer 1"),
        ("opt/conda/pkgs/x.conda", bytes(2_000_000), "conda's packages (2.0 MB) in layer 1"),
    ],
)
def test_what_a_later_layer_hides_fails(ask: Any, path: str, data: bytes, message: str) -> None:
    folder, _, name = path.rpartition("/")
    gone = f"{folder}/.wh.{name}" if folder else f".wh.{name}"
    with pytest.raises(CheckFailedError) as failed:
        ask(image({path: data}, {gone: b""}))
    assert message in str(failed.value)


@pytest.mark.parametrize(
    ("path", "data"),
    [
        (
            "opt/venv/lib/python3.11/site-packages/tornado/test/test.key",
            b"-----BEGIN PRIVATE KEY-----",
        ),
        ("usr/lib/python3/x.py", b"-----BEGIN RSA PRIVATE KEY-----"),
        ("etc/ssl/private/ssl-cert-snakeoil.key", b"-----BEGIN PRIVATE KEY-----"),
        ("etc/ssl/certs/x.pem", b"-----BEGIN CERTIFICATE-----"),
        ("etc/machine-id", b"uninitialized\n"),
        ("etc/ssh/ssh_host_rsa_key", b""),
        ("etc/ssh/sshd_config", b"x"),
        ("var/lib/apt/lists/lock", b""),
        ("root/.cache/x", bytes(1000)),
    ],
)
def test_what_does_no_harm_passes(ask: Any, path: str, data: bytes) -> None:
    assert ask(image({path: data}, {"x": b"1"}))["layers"] == 2


def test_much_that_is_there_twice_fails(ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers, "_MOST_WASTED", 1_000_000)
    big = {"opt/a": bytes(3_000_000)}
    with pytest.raises(CheckFailedError, match=r"3 of 6 MB are files .*: /opt/a \(3000000 bytes"):
        ask(image(big, big))


@pytest.mark.parametrize("pack", [gzip.compress, zstd.compress])
def test_packed_layers_are_read(ask: Any, pack: Any) -> None:
    with pytest.raises(CheckFailedError, match="the secret /run/secrets/x in layer 2 of 2"):
        ask(image({"x": b"1"}, {"run/secrets/x": b"1"}, pack=pack))
    with pytest.raises(CheckFailedError, match="the image's layers; got an archive"):
        ask(image({"x": b"1"}, pack=lambda data: pack(data)[:-60]))


def test_the_older_form_with_a_link_for_a_layer_that_comes_twice() -> None:
    files = {
        "one/layer.tar": packed({"a": b"123"}),
        "two/json": b"{}",
        "manifest.json": json.dumps([{"Layers": ["one/layer.tar", "two/layer.tar"]}]).encode(),
    }
    archive = packed(files, {"two/layer.tar": "../one/layer.tar"})
    layers = read(iter([archive[:700], archive[700:]]), lambda *_: ())
    assert [layer.entries for layer in layers] == [[("a", 3)], [("a", 3)]]


def test_a_layer_without_a_file_is_one_in_both_forms() -> None:
    empty = bytes(1024)  # the end of an archive, and all of it
    older = packed(
        {
            "one/layer.tar": empty,
            "two/layer.tar": packed({"a": b"123"}),
            "manifest.json": json.dumps([{"Layers": ["one/layer.tar", "two/layer.tar"]}]).encode(),
        }
    )
    newer = packed(
        {
            "blobs/sha256/1": empty,
            "blobs/sha256/2": packed({"a": b"123"}),
            "manifest.json": json.dumps(
                [{"Layers": ["blobs/sha256/1", "blobs/sha256/2"]}]
            ).encode(),
        }
    )
    for archive in (older, newer):
        layers = read(iter([archive]), lambda *_: ())
        assert [layer.entries for layer in layers] == [[], [("a", 3)]]


@pytest.mark.parametrize(
    "archive",
    [
        b"",
        b"nonsense" * 200,
        packed({"manifest.json": b"[]"}),
        packed({"manifest.json": json.dumps([{"Layers": ["missing"]}]).encode()}),
        image({"a": bytes(5000)})[:9000],
    ],
)
def test_what_is_not_whole_fails(ask: Any, archive: bytes) -> None:
    with pytest.raises(CheckFailedError, match="the image's layers; got an archive"):
        ask(archive)


def test_it_gives_up_at_its_deadline(subject: Any, fake_inside: Any) -> None:
    deadline = Deadline.after(5)
    inside = fake_inside(archive=image({"a": bytes(5000)}))
    pieces = inside.saved(1.0)

    def saved(_timeout: float) -> Any:
        yield next(pieces)
        deadline.abandoned.set()
        yield from pieces

    inside.saved = saved
    with pytest.raises(CheckFailedError, match="no answer in time"):
        check_layers(subject(inside=inside), deadline)


def hidden(*entries: list[tuple[str, int]]) -> dict[str, int]:
    return {path: size for size, path in wasted(Layer(one) for one in entries)}


def test_wasted_bytes() -> None:
    below = [("opt/a/1", 5), ("opt/a/2", 7), ("opt/b", 11)]
    assert hidden(below, []) == {}
    assert hidden(below, [("opt/b", 1)]) == {"opt/b": 11}
    assert hidden(below, [("opt/.wh.a", 0)]) == {"opt/a": 12}
    assert hidden(below, [("opt/a/new", 2), ("opt/a/.wh..wh..opq", 0)]) == {
        "opt/a/1": 5,
        "opt/a/2": 7,
    }
    assert hidden(below, [("opt/.wh.none", 0), ("none/.wh.x", 0)]) == {}
    assert hidden(below, [("opt/.wh.b", 0)], [("opt/b", 1)]) == {"opt/b": 11}
    assert hidden(below, [("opt/a", 0)]) == {"opt/a": 12}
    assert hidden([("x", 3)], [("x/y", 4)]) == {"x": 3}
    assert hidden([("x/y", 4)], [(".wh.x", 0)]) == {"x": 4}


def test_nothing_of_a_file_is_kept() -> None:
    archive = image({"big": bytes(1_000_000)})
    assert read(iter([archive]), lambda *_: ()) == (Layer([("big", 1_000_000)]),)
