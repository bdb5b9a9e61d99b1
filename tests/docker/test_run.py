"""`imagekit run`, `card` and `rm`: one person's container from first login to removal."""

from __future__ import annotations

import http.client
import json
import os
import shlex
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from imagekit.engine.connection import Engine
from imagekit.run import person as people
from tests.docker.support import PROFILE, Cli

PERSON = "ik-test"
CONTAINER = f"imagekit-{PERSON}"


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("key") / "id_ed25519"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(file)], check=True)
    return file


@pytest.fixture(scope="module")
def card(engine: Engine, cli: Cli, image: str, key: Path) -> Iterator[dict[str, Any]]:
    cli("run", PROFILE, "--name", PERSON, "--key", f"{key}.pub")
    loaded: dict[str, Any] = json.loads(cli("card", PERSON, "--passwords", "--json").stdout)
    yield loaded
    cli("rm", PERSON, "--purge", "--yes", PERSON)
    volumes = [volume.name for volume in engine.client.volumes.list()]
    assert not [name for name in volumes if name.startswith(CONTAINER)]


def ssh(card: dict[str, Any], command: str, *options: str, **env: str) -> str:
    """The printed line, as OpenSSH's own client runs it; a new container has a new host key."""
    line = shlex.split(card["ssh"])
    no_memory = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
    done = subprocess.run(
        [line[0], *no_memory, "-o", "LogLevel=ERROR", *options, *line[1:], command],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **env},
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def with_key(key: Path) -> tuple[str, ...]:
    return ("-i", str(key), "-o", "IdentitiesOnly=yes", "-o", "PasswordAuthentication=no")


def test_openssh_logs_in_with_the_key(card: dict[str, Any], key: Path) -> None:
    assert ssh(card, "id -un; locale charmap; date +%z", *with_key(key)) == "lab\nUTF-8\n+0800\n"


def test_openssh_logs_in_with_the_password(card: dict[str, Any], tmp_path: Path) -> None:
    ask = tmp_path / "ask"
    ask.write_text('#!/bin/sh\necho "$IK_PASSWORD"\n')
    ask.chmod(0o700)
    options = ("-o", "PubkeyAuthentication=no", "-o", "NumberOfPasswordPrompts=1")
    said = {"SSH_ASKPASS": str(ask), "SSH_ASKPASS_REQUIRE": "force"}
    assert ssh(card, "sudo -n id -u", *options, **said, IK_PASSWORD=card["password"]) == "0\n"


def test_passwords_stand_nowhere_but_in_their_volume(engine: Engine, card: dict[str, Any]) -> None:
    container = engine.client.containers.get(CONTAINER)
    secrets = [card["password"], card["desktop_password"]]
    inspected = json.dumps(container.attrs)
    logged = container.logs().decode()
    _, processes = container.exec_run(["sh", "-c", "cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline"])
    # All files of the container itself; volumes are not part of its layers.
    _, found = container.exec_run(
        ["sh", "-c", "grep -rlFf /run/secrets/password / --one-file-system 2>/dev/null || true"]
    )
    for secret in secrets:
        assert secret not in inspected
        assert secret not in logged
        assert secret not in processes.decode(errors="replace")
    assert found.decode() == ""
    # Nor in the form in which VNC keeps it: what is written below /run is no layer's.
    changed = [change["Path"] for change in container.diff()]
    assert [path for path in changed if path.startswith("/run/imagekit")] == []


def test_running_again_keeps_the_container(engine: Engine, cli: Cli, card: dict[str, Any]) -> None:
    before = engine.client.containers.get(CONTAINER).id
    again = cli("run", PROFILE, "--name", PERSON)
    assert engine.client.containers.get(CONTAINER).id == before
    assert card["url"] in again.stdout
    assert card["password"] not in again.stdout + again.stderr


def test_a_stopped_container_is_started(engine: Engine, cli: Cli, card: dict[str, Any]) -> None:
    engine.client.containers.get(CONTAINER).kill()
    cli("run", PROFILE, "--name", PERSON)
    assert engine.client.containers.get(CONTAINER).status == "running"


def test_a_stopped_container_is_started_when_its_profile_is_another_by_now(
    engine: Engine, cli: Cli, card: dict[str, Any], key: Path
) -> None:
    engine.client.containers.get(CONTAINER).kill()
    changed = ("--set", "description=never built")
    again = cli("run", PROFILE, "--name", PERSON, "--key", f"{key}.pub", *changed)
    assert engine.client.containers.get(CONTAINER).status == "running"
    assert "--key and --gpus count for a new one" in again.stderr
    assert "which is not built yet" in again.stderr


def test_a_container_of_a_committed_image_is_nobodys(
    engine: Engine, cli: Cli, card: dict[str, Any]
) -> None:
    own = engine.client.containers.get(CONTAINER)
    copy = own.commit("ik-backup")
    backup = engine.client.containers.run(copy.id, ["sleep", "infinity"], detach=True)
    try:
        assert people.PERSON_LABEL in backup.labels
        (person,) = people.everyone(engine, PERSON)
        assert person.container == own.id
    finally:
        backup.remove(force=True, v=True)
        engine.client.images.remove(copy.id, force=True)


def test_a_home_that_stayed_can_be_purged_later(engine: Engine, cli: Cli, image: str) -> None:
    person = f"{PERSON}-gone"
    cli("run", PROFILE, "--name", person)
    cli("rm", person)
    kept = {f"imagekit-{person}-home", f"imagekit-{person}-state"}
    assert kept <= {volume.name for volume in engine.client.volumes.list()}
    purged = cli("rm", person, "--purge", "--yes", person)
    assert "had no container; removed for good" in purged.stdout
    assert not kept & {volume.name for volume in engine.client.volumes.list()}
    assert cli("rm", person, "--purge", "--yes", person, check=False).returncode == 1


def test_home_and_host_key_outlive_the_container(
    engine: Engine, cli: Cli, card: dict[str, Any], key: Path
) -> None:
    ssh(card, "echo 你好 > ~/kept.txt", *with_key(key))
    host_key = ssh(
        card, "cat /var/lib/imagekit/ssh/ssh_host_ed25519_key.pub || true", *with_key(key)
    )
    cli("rm", PERSON)
    assert not engine.client.containers.list(all=True, filters={"name": CONTAINER})
    cli("run", PROFILE, "--name", PERSON, "--key", f"{key}.pub")
    after = json.loads(cli("card", PERSON, "--passwords", "--json").stdout)
    assert ssh(after, "cat ~/kept.txt", *with_key(key)) == "你好\n"
    again = "cat /var/lib/imagekit/ssh/ssh_host_ed25519_key.pub || true"
    assert ssh(after, again, *with_key(key)) == host_key
    assert after["password"] != card["password"]


def test_two_people_get_two_blocks_of_ports(cli: Cli, card: dict[str, Any]) -> None:
    other = f"{PERSON}-2"
    cli("run", PROFILE, "--name", other)
    try:
        second = json.loads(cli("card", other, "--json").stdout)
        assert second["url"] != card["url"]
        assert "password" not in second
    finally:
        cli("rm", other, "--purge", "--yes", other)


def test_the_limits_and_the_policy_are_set(engine: Engine, card: dict[str, Any]) -> None:
    host = engine.client.containers.get(CONTAINER).attrs["HostConfig"]
    assert host["ShmSize"] == 1 << 30
    assert host["RestartPolicy"]["Name"] == "unless-stopped"
    assert {binding[0]["HostIp"] for binding in host["PortBindings"].values()} == {"127.0.0.1"}
    assert not host["Privileged"]


def test_a_home_is_not_deleted_by_mistake(cli: Cli, card: dict[str, Any]) -> None:
    refused = cli("rm", PERSON, "--purge", check=False)
    assert refused.returncode == 2
    assert f"--yes {PERSON}" in refused.stderr


def test_a_person_without_a_container(cli: Cli, card: dict[str, Any]) -> None:
    asked = cli("card", "nobody-here", check=False)
    assert asked.returncode == 1
    assert "nobody-here" in asked.stderr


def test_the_site_s_certificate_and_name_are_used(cli: Cli, image: str, tmp_path: Path) -> None:
    command = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=DNS:localhost"]
    files = ["-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "certificate.pem")]
    subprocess.run(["openssl", *command.split(), *names, *files], check=True, capture_output=True)
    site = tmp_path / "site.yaml"
    tls = "{certificate: certificate.pem, key: key.pem}"
    site.write_text(f"site: 1\nrun:\n  host: localhost\n  tls: {tls}\n")
    person = f"{PERSON}-tls"
    cli("run", PROFILE, "--name", person, "--site", str(site))
    try:
        shown = json.loads(cli("card", person, "--json").stdout)
        port = urlsplit(shown["url"]).port
        assert shown["url"] == f"https://localhost:{port}/"
        trusting = ssl.create_default_context(cafile=tmp_path / "certificate.pem")
        secure = http.client.HTTPSConnection("localhost", port, timeout=30, context=trusting)
        with closing(secure):
            secure.request("GET", "/")
            assert secure.getresponse().status == 200
        plain = http.client.HTTPConnection("localhost", port, timeout=30)
        with closing(plain):
            plain.request("GET", "/", headers={"Host": f"localhost:{port}"})
            assert plain.getresponse().headers["Location"] == shown["url"]
    finally:
        cli("rm", person, "--purge", "--yes", person)
