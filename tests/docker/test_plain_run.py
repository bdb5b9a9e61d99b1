"""The image without imagekit: plain `docker run`, as the tutorials have it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from docker.models.containers import Container

from imagekit.checks import rfb
from imagekit.checks.front import SESSION, WEBSOCKET, LoginRefusedError, log_in
from imagekit.checks.transport import websocket
from imagekit.checks.web import Browser
from imagekit.container import STATE_FOLDER
from imagekit.engine.connection import Engine
from imagekit.wait import Deadline, NotYetError, until
from tests.docker.support import await_health

pytestmark = pytest.mark.image

Run = Callable[..., Container]
SECONDS = 60.0


@pytest.fixture
def run(engine: Engine, image: str) -> Iterator[Run]:
    """`docker run -d -p …:80 -e …`; removed afterwards."""
    started: list[Container] = []

    def go(secrets: Path | None = None, **environment: str) -> Container:
        folders = {str(secrets): {"bind": "/run/secrets", "mode": "ro"}} if secrets else {}
        container = engine.client.containers.run(
            image,
            detach=True,
            ports={"80/tcp": ("127.0.0.1", None)},
            environment=environment,
            volumes=folders,
        )
        started.append(container)
        await_health(container)
        return container

    yield go
    for container in started:
        container.remove(force=True, v=True)


def opens(container: Container, password: str, *, tls: bool = False) -> bool:
    """Whether a password opens the desktop, the way browsers use it."""
    address, deadline = address_of(container), Deadline.after(SECONDS)
    try:
        session = log_in(Browser(address, deadline, tls=tls), password)
    except LoginRefusedError:
        return False
    with websocket(address, WEBSOCKET, deadline, session.protocols) as stream:
        client = rfb.Client(stream, deadline)
        client.handshake()
        client.authenticate(session.vnc)
        return True


def address_of(container: Container) -> tuple[str, int]:
    container.reload()
    return "127.0.0.1", int(container.ports["80/tcp"][0]["HostPort"])


def test_the_tutorials_variable_is_the_password_and_warned_about(run: Run) -> None:
    container = run(VNC_PASSWORD="12345678")
    assert opens(container, "12345678")
    assert opens(container, "12345678", tls=True)
    assert not opens(container, "87654321")
    log = container.logs().decode()
    assert "VNC_PASSWORD can be read by everyone" in log
    assert "12345678" not in log


def test_passwords_are_made_and_said_once(run: Run) -> None:
    container = run()
    log = container.logs().decode()
    (desktop,) = re.findall(r"desktop password, shown this once: (\S{16})", log)
    assert len(re.findall(r"ssh password of lab, shown this once: (\S{16})", log)) == 1
    assert opens(container, desktop)
    container.restart()
    await_health(container)
    assert opens(container, desktop)
    assert container.logs().decode().count("shown this once") == 2


@pytest.mark.parametrize("file", ["/run/secrets/desktop-pasword", "/etc"])
def test_a_secrets_file_that_is_not_there_ends_the_start(
    engine: Engine, image: str, file: str
) -> None:
    """Not there, or the folder that Docker makes of what was not there on the host."""
    named = {"DESKTOP_PASSWORD_FILE": file}
    container = engine.client.containers.run(image, detach=True, environment=named)
    try:
        assert container.wait(timeout=SECONDS)["StatusCode"] == 1
        log = container.logs().decode()
        assert f"DESKTOP_PASSWORD_FILE names {file}, which is no file" in log
        assert "shown this once" not in log
    finally:
        container.remove(force=True, v=True)


def test_a_secrets_file_may_be_empty(run: Run) -> None:
    log = run(DESKTOP_PASSWORD_FILE="/dev/null", TLS_KEY_FILE="").logs().decode()
    assert "desktop password, shown this once" in log


@pytest.mark.parametrize("password", ["1234", "x" * 256, "密码 \"quoted\" \\ $HOME 'é' 😀: %s"])
def test_passwords_of_any_length_and_alphabet_open_it(run: Run, password: str) -> None:
    container = run(VNC_PASSWORD=password)
    assert opens(container, password)
    assert not opens(container, password[:-1])


def test_another_password_ends_the_session(engine: Engine, image: str) -> None:
    """Tokens are kept over restarts, in the volume that keeps the container's state."""
    tokens = []
    volume = engine.client.volumes.create()
    try:
        for password in ("first", "first", "second"):
            container = engine.client.containers.run(
                image,
                detach=True,
                ports={"80/tcp": ("127.0.0.1", None)},
                environment={"VNC_PASSWORD": password},
                volumes={volume.name: {"bind": STATE_FOLDER, "mode": "rw"}},
            )
            try:
                await_health(container)
                browser = Browser(address_of(container), Deadline.after(SECONDS))
                tokens.append(log_in(browser, password).token)
                known = {"Authorization": f"Bearer {tokens[0]}"}
                assert browser.get(SESSION, known).status == (401 if password == "second" else 200)
            finally:
                container.remove(force=True, v=True)
    finally:
        volume.remove()
    assert tokens[0] == tokens[1] != tokens[2]


def test_a_certificate_of_the_labs_own_is_served_and_plain_http_leads_to_it(
    run: Run, tmp_path: Path
) -> None:
    make_certificate(tmp_path, "lab.example.edu")
    container = run(secrets=tmp_path)
    address, deadline = address_of(container), Deadline.after(SECONDS)
    plain = Browser(address, deadline)
    answer = plain.get("/session")
    assert (answer.status, answer.headers["location"]) == (307, "https://localhost/session")
    assert plain.get("/healthz").status == 200
    subject = Browser(address, deadline, tls=True).certificate().subject.rfc4514_string()
    assert subject == "CN=lab.example.edu"


def test_a_certificate_without_its_key_ends_the_start(
    engine: Engine, image: str, tmp_path: Path
) -> None:
    make_certificate(tmp_path, "lab.example.edu")
    other = tmp_path / "other"
    other.mkdir()
    make_certificate(other, "other.example.edu")
    (other / "tls_key").replace(tmp_path / "tls_key")
    volumes = {str(tmp_path): {"bind": "/run/secrets", "mode": "ro"}}
    container = engine.client.containers.run(image, detach=True, volumes=volumes)
    try:
        assert container.wait(timeout=SECONDS)["StatusCode"] == 1
        assert "tls_certificate and tls_key do not belong together" in container.logs().decode()
    finally:
        container.remove(force=True, v=True)


def test_the_certificate_names_what_it_is_told(run: Run) -> None:
    container = run(IMAGEKIT_NAMES="lab.example.edu 10.1.2.3 2001:db8::1")
    names = "DNS:lab.example.edu,IP:10.1.2.3,IP:2001:db8::1"
    kept = container.exec_run(["cat", f"{STATE_FOLDER}/tls/names"]).output.decode()
    assert kept.strip().endswith(names)
    container.restart()
    await_health(container)
    made = ["grep", "-c", "BEGIN", f"{STATE_FOLDER}/tls/certificate.pem"]
    assert container.exec_run(made).output == b"1\n"


def make_certificate(folder: Path, name: str) -> None:
    """tls_certificate and tls_key, as a lab's authority would hand them out."""
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}"),
            *("-keyout", str(folder / "tls_key"), "-out", str(folder / "tls_certificate")),
        ],
        check=True,
        capture_output=True,
    )


def test_probes_of_the_health_lock_nobody_out(run: Run) -> None:
    """TigerVNC takes each connection for a failed login until it is one, and counts to five."""
    container = run(VNC_PASSWORD="1234")
    for _ in range(12):
        assert container.exec_run(["/usr/lib/imagekit/health"]).exit_code == 0
    assert opens(container, "1234")


def test_the_front_comes_back_when_its_processes_are_killed(run: Run) -> None:
    """A killed master of nginx's leaves a worker behind, which keeps the port."""
    container = run(VNC_PASSWORD="1234")
    read = ["cat", "/run/imagekit/front/nginx.pid"]
    master = container.exec_run(read).output.decode().strip()
    kill = f"kill -9 {master} $(pgrep -f '[u]sr/lib/imagekit/bridge')"
    assert container.exec_run(["sh", "-c", kill]).exit_code == 0

    def another_master() -> None:
        if container.exec_run(read).output.decode().strip() in {master, ""}:
            raise NotYetError("the same master, or none")

    until(another_master, Deadline.after(SECONDS))
    await_health(container)
    assert opens(container, "1234")


def test_sessions_get_variables_but_no_secrets(run: Run) -> None:
    container = run(GREETING='你好 "world" $x #1', API_TOKEN="hidden", VNC_PASSWORD="12345678")
    command = "exec env -i HOME=/home/lab bash -lc 'echo $GREETING; env'"
    code, output = container.exec_run(["sh", "-c", command], user="lab")
    text = output.decode()
    assert code == 0
    assert text.splitlines()[0] == '你好 "world" $x #1'
    assert "LANG=zh_CN.UTF-8" in text
    assert "hidden" not in text
    assert "12345678" not in text


def test_a_command_runs_instead_of_the_services(engine: Engine, image: str) -> None:
    assert engine.client.containers.run(image, ["id", "-un"], remove=True) == b"root\n"
