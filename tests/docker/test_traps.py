"""What goes wrong in containers with a desktop and sshd, and does not here.

docs/traps.md numbers the traps and names, for each, its test. Most of them ask one
container, which was started with what provokes them.
"""

from __future__ import annotations

import io
import re
import shutil
import socket
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from imagekit.checks import ssh
from imagekit.engine.connection import Engine
from imagekit.names import SSH_PORT, WEB_PORT
from imagekit.wait import Deadline, NotYetError, until
from tests.docker.box import SECONDS, Box, OpenSsh, started, write_key
from tests.docker.support import await_health
from tests.required import missing

pytestmark = pytest.mark.image

AWKWARD = "a b#c \"d\" $e 'f' 中文"
VARIABLES = {
    "AWKWARD": AWKWARD,
    "UID": "1234",  # as in `-e UID=$(id -u)`; bash's own, which nobody may set
    # As Kubernetes gives to every container, for each of its services.
    **{f"SERVICE_{number}_SERVICE_HOST": "10.0.0.1" for number in range(300)},
}
TREE = {"读我.txt": "你好\n", "子目录/数据.bin": "x" * 100_000, "plain": ""}


@pytest.fixture(scope="module")
def box(engine: Engine, image: str) -> Iterator[Box]:
    with started(engine, image, environment=VARIABLES) as box:
        box.come_up()
        yield box


@pytest.fixture(scope="module")
def client(box: Box, tmp_path_factory: pytest.TempPathFactory) -> OpenSsh:
    return OpenSsh(box, write_key(box.key, tmp_path_factory.mktemp("key")))


@pytest.fixture(scope="module")
def settings(box: Box) -> dict[str, str]:
    """What sshd makes of its configuration."""
    text = box.say("/usr/sbin/sshd -T -f /run/imagekit/sshd_config", "root")
    return dict(line.partition(" ")[::2] for line in text.splitlines())


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, text in TREE.items():
        file = tmp_path / "树" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path / "树"


def is_whole(folder: Path) -> bool:
    return {name: (folder / name).read_text() for name in TREE} == TREE


# ---- ssh


def test_variables_arrive_whole_in_both_kinds_of_sessions(box: Box) -> None:
    """Traps 3, 4, 54: neither cut at a hash nor too many, and bash complains about none."""
    command = 'printf "%s\\n" "$AWKWARD"; env | grep -c _SERVICE_HOST='
    expected = f"{AWKWARD}\n300\n"
    assert box.over_ssh(command).text == expected
    assert box.over_ssh(f"bash -lc '{command}'").text == expected


def test_host_keys_are_the_containers_own(engine: Engine, image: str, box: Box) -> None:
    """Trap 5: none in the image, and two containers differ."""
    listed = engine.client.containers.run(
        image, ["find", "/etc/ssh", "/var/lib/imagekit", "-name", "ssh_host_*"], remove=True
    )
    assert listed == b""
    with started(engine, image) as other:
        assert fingerprint(other) != fingerprint(box)


def fingerprint(box: Box) -> str:
    with ssh.connect(box.subject().address(SSH_PORT), Deadline.after(SECONDS)) as transport:
        return ssh.host_key(transport).fingerprint


def test_sshd_runs_on_an_empty_run(box: Box) -> None:
    """Trap 6: /run is a tmpfs, and sshd's folder is made at start."""
    assert box.say("stat -f -c %T /run").strip() == "tmpfs"
    assert box.say("stat -c %U:%a /run/sshd").strip() == "root:755"


def test_a_login_does_not_hang_on_its_audit_id(box: Box, settings: dict[str, str]) -> None:
    """Traps 7, 8: pam_loginuid may fail, and nothing is logged to AUTHPRIV."""
    assert re.findall(
        r"^\s*session\s+(\w+)\s+pam_loginuid", box.say("cat /etc/pam.d/sshd"), re.M
    ) == ["optional"]
    assert settings["syslogfacility"] == "AUTH"


def test_root_is_refused_and_no_third_way_is_open(settings: dict[str, str]) -> None:
    assert settings["permitrootlogin"] == "no"
    assert settings["kbdinteractiveauthentication"] == "no"
    assert settings["permituserenvironment"] == "no"


def test_the_clients_language_is_not_taken(
    client: OpenSsh, settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trap 9: a locale that was not generated would make everything ASCII."""
    assert "acceptenv" not in settings
    monkeypatch.setenv("LANG", "de_DE.ISO-8859-1")
    monkeypatch.setenv("LC_ALL", "xx_XX")
    asked = client.run("ssh", "-oSendEnv=LANG LC_*", client.host, "locale charmap; echo 中文")
    assert asked == "UTF-8\n中文\n"


def test_files_are_copied_with_chinese_names(client: OpenSsh, tree: Path, tmp_path: Path) -> None:
    """By scp, sftp and rsync, there and back."""
    if shutil.which("rsync") is None:
        missing("rsync", "no rsync here")
    remote = f"{client.host}:"
    client.run("scp", "-r", str(tree), f"{remote}scp")
    client.run("scp", "-r", f"{remote}scp", str(tmp_path / "scp"))
    client.run(
        "sftp", "-b-", client.host, data=f"put -r {tree} sftp\nget -r sftp {tmp_path}/sftp\n"
    )
    client.run("rsync", "-a", f"{tree}/", f"{remote}rsync")
    client.run("rsync", "-a", f"{remote}rsync/", str(tmp_path / "rsync"))
    assert all(is_whole(tmp_path / way) for way in ("scp", "sftp", "rsync"))


def test_connections_are_forwarded(client: OpenSsh) -> None:
    """As VS Code Remote and jump hosts need it: `ssh -W` and `ssh -L`."""
    assert client.run("ssh", "-W", "127.0.0.1:22", client.host).startswith("SSH-2.0-")
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    forward = ("-N", "-L", f"127.0.0.1:{port}:127.0.0.1:22", client.host)
    tunnel = subprocess.Popen(["ssh", *client.options, *forward])

    def greeted() -> bytes:
        try:
            with socket.create_connection(("127.0.0.1", port), 5) as connection:
                return connection.recv(4)
        except ConnectionError as error:
            raise NotYetError(str(error)) from error

    try:
        assert until(greeted, Deadline.after(SECONDS)) == b"SSH-"
    finally:
        tunnel.terminate()
        tunnel.wait()


def test_what_editors_install_over_ssh_can_run(box: Box) -> None:
    """https://code.visualstudio.com/docs/remote/linux: glibc 2.28, libstdc++ 3.4.25, tar, bash."""
    version = re.findall(r"(\d+)\.(\d+)$", box.over_ssh("ldd --version").text.splitlines()[0])
    assert tuple(map(int, version[0])) >= (2, 28)
    library = box.over_ssh("ldconfig -p | grep -o '/.*libstdc++.so.6' | head -1").text.strip()
    assert box.over_ssh(f"grep -c GLIBCXX_3.4.25 {library}").text.strip() != "0"
    assert box.over_ssh("command -v bash tar gzip sh").code == 0


# ---- the desktop


def test_the_x_servers_lock_may_look_alive(box: Box) -> None:
    """Traps 1, 33, 39: after a kill, with a lock of a process that runs; and nothing is doubled."""
    configuration = "cat /run/imagekit/sshd_config /run/imagekit/supervisor.d/*"
    before = box.say(configuration, "root")
    box.container.kill()
    box.container.wait(timeout=30)
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as out:
        lock = tarfile.TarInfo("tmp/.X1-lock")
        lock.size, lock.mode = 11, 0o444
        out.addfile(lock, io.BytesIO(b"         1\n"))  # process 1 always runs
    box.container.put_archive("/", archive.getvalue())
    box.start()
    box.come_up()
    assert box.say("cat /tmp/.X1-lock").strip() != "1"
    assert box.say(configuration, "root") == before


@pytest.mark.parametrize("mounted", ["/tmp", "/tmp/.X11-unix", "/tmp/.X11-unix/X0"])  # noqa: S108
def test_the_x_server_of_the_host_is_left_alone(
    engine: Engine, image: str, tmp_path: Path, mounted: str
) -> None:
    """`-v /tmp/.X11-unix:/tmp/.X11-unix`, as graphics of the host's own screen are had."""
    sockets = tmp_path / ".X11-unix"
    sockets.mkdir()
    for folder in (tmp_path, sockets):
        folder.chmod(0o1777)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(sockets / "X0"))
    (tmp_path / ".X0-lock").write_text("         1\n")
    source = str(tmp_path) + mounted.removeprefix("/tmp")  # noqa: S108
    volumes = {source: {"bind": mounted, "mode": "rw"}}
    container = engine.client.containers.run(image, detach=True, volumes=volumes)
    try:
        await_health(container)
        container.kill()  # so that this container's own display is left behind
        container.wait(timeout=30)
        container.start()
        await_health(container)
        assert (sockets / "X0").is_socket()
        assert (tmp_path / ".X0-lock").exists()
        displays = container.exec_run(["ls", "/tmp/.X11-unix"]).output  # noqa: S108
        assert displays.split() == [b"X0", b"X1"]
    finally:
        container.remove(force=True, v=True)


def test_nothing_of_an_earlier_session_stays_in_tmp(box: Box) -> None:
    """Buses, agents and session managers make a socket at every start, under random names."""
    named = "ls -d /tmp/dbus-* /tmp/ssh-* /tmp/.xfsm-* 2> /dev/null; true"
    box.come_up()
    before = set(box.say(named).split())
    assert any("dbus" in name for name in before)
    box.container.kill()
    box.container.wait(timeout=30)
    box.start()
    box.come_up()
    after = set(box.say(named).split())
    assert not before & after


def test_shared_memory_is_large_enough_for_browsers(box: Box) -> None:
    """Trap 13."""
    size = box.say("df --block-size=1 --output=size /dev/shm").split()[1]
    assert int(size) >= 1 << 30


def test_nothing_locks_asks_or_blanks(box: Box) -> None:
    """Traps 15, 16, 22, 29 to 31: no locker, screen saver, keyring, polkit agent."""
    unwanted = (
        "colord gnome-keyring light-locker lxpolkit policykit-1 polkitd xfce4-power-manager "
        "xfce4-screensaver xscreensaver x11vnc novnc websockify"
    )
    listed = box.say(
        f"dpkg-query -W -f '${{Package}} ${{Status}}\\n' {unwanted} 2> /dev/null || true"
    )
    assert [line for line in listed.splitlines() if line.endswith(" installed")] == []


def test_the_session_has_a_bus_and_the_users_home(box: Box) -> None:
    """Traps 32, 37: the first process of the session says so."""
    script = r"""
        for process in /proc/[0-9]*; do
            grep -qx xfce4-session "$process/comm" && tr '\0' '\n' < "$process/environ"
        done; true"""
    variables = dict(
        line.split("=", 1) for line in box.say(script, "lab").splitlines() if "=" in line
    )
    assert variables["DBUS_SESSION_BUS_ADDRESS"].startswith("unix:")
    assert variables["HOME"] == "/home/lab"
    assert variables["USER"] == variables["LOGNAME"] == "lab"


def test_nobody_listens_who_need_not(box: Box) -> None:
    """Traps 48, 52, 53: the X server is called directly and has no port for X or VNC."""
    table = box.say("cat /proc/net/tcp /proc/net/tcp6")
    ports = {int(port, 16) for port in re.findall(r":([0-9A-F]{4}) [0-9A-F]+:0000 0A ", table)}
    assert ports - {22, 80, 443} == set(), ports
    names = box.say("cat /proc/[0-9]*/comm 2> /dev/null || :").splitlines()
    assert "Xtigervnc" in names
    assert not {"perl", "vncserver"} & set(names)
    assert ".vnc" not in box.say("ls -A /home/lab").split()


# ---- processes


def test_process_one_passes_signals_on(box: Box) -> None:
    """Trap 38."""
    assert box.say("cat /proc/1/comm").strip() in {"tini", "dumb-init"}


def test_threads_start(box: Box) -> None:
    """Trap 44: an engine that answers clone3 with EPERM (before 20.10.10) breaks them."""
    script = "import threading as t; a = t.Thread(target=print, args=('up',)); a.start(); a.join()"
    assert box.say(f'python3 -c "{script}"') == "up\n"


# ---- the page


def test_the_browser_asks_again_for_what_may_be_old(box: Box) -> None:
    """Trap 28."""
    host, port = box.subject().address(WEB_PORT)
    for path in ("/", "/novnc/core/rfb.js"):
        with urlopen(f"http://{host}:{port}{path}", timeout=10) as answer:
            assert answer.headers["Cache-Control"] in {"no-cache", "no-store"}, path


def test_an_idle_desktop_is_pinged(box: Box) -> None:
    """Trap 27: well before the front gives up, or any proxy that waits a minute."""
    ping = re.search(r"^PING_SECONDS = (\d+)$", box.say("cat /usr/lib/imagekit/bridge"), re.M)
    configuration = box.say("cat /etc/imagekit/front/locations.conf")
    patience = re.search(r"proxy_read_timeout (\d+)s", configuration)
    assert ping
    assert patience
    assert 2 * int(ping[1]) <= min(60, int(patience[1]))
