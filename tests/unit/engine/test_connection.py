"""Connecting: what the engine can do, and why there is none."""

from __future__ import annotations

import logging
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from imagekit.engine.connection import connect
from imagekit.engine.endpoint import resolve
from imagekit.engine.faults import fault
from imagekit.errors import EngineError

if TYPE_CHECKING:
    from tests.unit.engine.conftest import FakeEngine


def test_what_an_engine_is(fake: FakeEngine) -> None:
    engine = fake.connect()
    assert (engine.version, engine.api_version, engine.store) == ("20.10.24", "1.41", "overlay2")
    assert engine.where == f"unix://{fake.path} (as asked for)"
    assert engine.endpoint == resolve(f"unix://{fake.path}")
    engine.close()


def test_containerd_store_is_probed(fake: FakeEngine) -> None:
    fake.info = {
        "Driver": "overlayfs",
        "DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]],
    }
    engine = fake.connect()
    assert engine.store == "containerd"
    engine.close()


@pytest.mark.parametrize(
    ("component", "header", "expected"),
    [("Engine", "", True), ("Other", "", False), ("Other", "2", True)],
)
def test_buildkit(fake: FakeEngine, component: str, header: str, expected: bool) -> None:
    fake.version["Components"] = [{"Name": component}]
    fake.ping_headers = {"Builder-Version": header} if header else {}
    engine = fake.connect()
    assert engine.buildkit is expected
    engine.close()


@pytest.mark.parametrize("podman", [False, True])
def test_an_old_podman_is_refused_at_once(fake: FakeEngine, podman: bool) -> None:
    fake.version["Components"] = [{"Name": "Podman Engine", "Version": "4.3.1"}]
    with pytest.raises(EngineError, match=r"(?s)Podman 4\.3\.1, which empties.*docs/engine\.md"):
        connect(fake.url, podman=podman)
    assert fake.asked == [("GET", "/version")]


def test_a_podman_has_to_do(fake: FakeEngine) -> None:
    fake.version["Components"] = [{"Name": "Podman Engine", "Version": "5.4.2"}]
    with pytest.raises(EngineError, match=r"(?s)Podman 5\.4\.2, on which.*docs/engine\.md"):
        connect(fake.url)
    assert fake.asked == [("GET", "/version")]
    engine = connect(fake.url, podman=True)
    assert (engine.podman, engine.buildkit) == (True, False)
    engine.close()


def test_no_socket(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"no such socket\n  hint: start it .* `make engine`"):
        connect(f"unix://{tmp_path}/none")


def test_nobody_listens(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "s"))
    with pytest.raises(EngineError, match="nothing answers there"):
        connect(f"unix://{tmp_path}/s")


def test_no_permission_names_owner_and_group(tmp_path: Path) -> None:
    path = tmp_path / "s"
    path.touch(0o600)
    # root may do everything, so the refusal is made by hand, wrapped as requests does.
    error = ConnectionError("Connection aborted.", PermissionError(13, "Permission denied"))
    text = str(fault(f"unix://{path} (DOCKER_HOST)", error))
    assert f"(owner {path.owner()}, group {path.group()}, mode 0600)" in text
    assert "usermod" in text


@pytest.mark.parametrize("version", ["1.20", "1.40"])
def test_too_old(fake: FakeEngine, version: str) -> None:
    fake.version["ApiVersion"] = version
    with pytest.raises(EngineError, match=r"20\.10"):
        fake.connect()


def test_newest_is_fine(fake: FakeEngine) -> None:
    fake.version |= {"ApiVersion": "1.99", "MinAPIVersion": "1.60"}
    engine = fake.connect()
    assert engine.api_version == "1.99"
    engine.close()


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (500, b'{"message": "on fire"}', "answered 500: on fire"),
        (200, b"<html>", "cannot be reached"),
        (200, b"{}", "no Docker Engine"),
    ],
)
def test_no_engine_behind_the_socket(
    fake: FakeEngine, status: int, body: bytes, expected: str
) -> None:
    fake.refused["/version"] = (status, body)
    with pytest.raises(EngineError, match=expected):
        fake.connect()


def test_wrong_address() -> None:
    with pytest.raises(EngineError, match="gopher"):
        connect("gopher://engine.test")


@pytest.mark.parametrize(
    ("written", "what"),
    [
        ('{"auths": {"r.test": {"auth": "Zm9v"}}}', ": the login for r.test is damaged"),
        ('{"proxies": null}', ": proxies is no JSON object"),
        ("[]", " holds no JSON object"),
    ],
)
def test_a_damaged_configuration_of_docker_is_named(
    fake: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str, what: str
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    (tmp_path / "config.json").write_text(written)
    with pytest.raises(EngineError) as failed:
        fake.connect()
    assert str(failed.value) == (
        f"docker's configuration: {tmp_path}/config.json{what}\n  hint: mend it, or move it away"
    )


def test_an_ssh_server_that_hangs_up_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    # As outside of pytest, whose handlers would take what a last resort prints.
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up() -> None:
            with suppress(OSError):  # the test has ended
                while True:
                    server.accept()[0].close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        try:
            with pytest.raises(EngineError, match=r"ssh failed|closed the connection"):
                connect(f"ssh://me@127.0.0.1:{server.getsockname()[1]}")
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()
    assert capsys.readouterr().err == ""


def test_package_imports_nothing_slow() -> None:
    code = "import sys, imagekit.engine; sys.exit('docker' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
