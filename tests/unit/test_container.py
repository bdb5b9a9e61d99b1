"""What a container is made of: docker-py's arguments, and the secrets that open it."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from dataclasses import replace

import pytest

from imagekit.container import (
    ContainerSpec,
    Mount,
    Port,
    Secrets,
    generate_secrets,
    of_plan,
)
from imagekit.plan.model import Plan


def test_a_plain_container_asks_for_nothing_dangerous() -> None:
    arguments = ContainerSpec("image").arguments()
    assert set(arguments) == {"labels", "mounts", "ports", "shm_size", "tmpfs", "log_config"}
    assert arguments["shm_size"] == 1 << 30
    assert arguments["tmpfs"] == {"/run": "mode=0755"}


def test_everything_that_is_asked_for_arrives() -> None:
    spec = ContainerSpec(
        image="image",
        name="n",
        hostname="h",
        ports=(Port(22, "127.0.0.1", 6012), Port(80, "0.0.0.0", 0)),  # noqa: S104
        mounts=(Mount("home", "/home/lab"), Mount("", "/var/lib/x")),
        labels=(("a", "b"),),
        restart="unless-stopped",
        log_bytes=3000,
    )
    arguments = spec.arguments()
    assert arguments["name"] == "n"
    assert arguments["hostname"] == "h"
    assert arguments["labels"] == {"a": "b"}
    assert arguments["ports"] == {"22/tcp": ("127.0.0.1", 6012), "80/tcp": ("0.0.0.0", None)}  # noqa: S104
    assert arguments["mounts"] == [
        {"Type": "volume", "Target": "/home/lab", "Source": "home"},
        {"Type": "volume", "Target": "/var/lib/x", "Source": ""},
    ]
    assert arguments["restart_policy"] == {"Name": "unless-stopped"}
    assert arguments["log_config"]["config"] == {"max-file": "3", "max-size": "1000"}


@pytest.mark.parametrize(
    ("gpus", "count", "ids"),
    [("all", -1, []), ("GPU-1", 0, ["GPU-1"]), ("GPU-1,GPU-2", 0, ["GPU-1", "GPU-2"])],
)
def test_gpus_become_a_device_request(gpus: str, count: int, ids: list[str]) -> None:
    request = ContainerSpec("image", gpus=gpus).arguments()["device_requests"][0]
    assert (request["Count"], request["DeviceIDs"]) == (count, ids)
    assert request["Capabilities"] == [["gpu"]]


def test_secrets_are_files_for_root_alone() -> None:
    secrets = Secrets("pass", "desk", "ssh-ed25519 AAAA a\n\n")
    with tarfile.open(fileobj=io.BytesIO(secrets.tar())) as archive:
        found = {
            member.name: (member.mode, member.uid, archive.extractfile(member).read())  # type: ignore[union-attr]
            for member in archive.getmembers()
        }
    assert found == {
        "password": (0o400, 0, b"pass\n"),
        "desktop_password": (0o400, 0, b"desk\n"),
        "authorized_keys": (0o400, 0, b"ssh-ed25519 AAAA a\n"),
    }


def test_empty_secrets_are_no_files() -> None:
    assert Secrets("", "", "").files() == {}


def test_secrets_are_not_shown_by_repr() -> None:
    assert "hunter" not in repr(Secrets("hunter2", "hunter3", "hunter4"))


def test_generated_passwords_differ_and_can_be_read_aloud() -> None:
    made = [generate_secrets("key") for _ in range(200)]
    assert len({secrets.password for secrets in made}) == 200
    assert {len(secrets.password) for secrets in made} == {16}
    assert {len(secrets.desktop_password) for secrets in made} == {16}
    assert {len(secrets.vnc_password) for secrets in made} == {8}  # all that VNC looks at
    assert {secrets.authorized_keys for secrets in made} == {"key"}
    used = set("".join(secrets.password + secrets.desktop_password for secrets in made))
    assert not used & set("0O1lI")
    assert "".join(sorted(used)).isalnum()


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("", {"password"}),
        ("sshd: {password: false}", set()),
        ("sshd: {root: password}", {"password", "root_password"}),
        ("sshd: {root: keys}", {"password"}),
        ("sshd: false", set()),
        ("desktop: true", {"password", "desktop_password"}),
        ("desktop: {vnc: password}", {"password", "desktop_password", "vnc_password"}),
        ("desktop: {vnc: tls}\nsshd: {password: false}", {"password", "desktop_password"}),
        ("desktop: {vnc: tls}\nsshd: false", {"password", "desktop_password"}),
        ("jupyter: true", {"password", "jupyter_token"}),
    ],
)
def test_a_container_is_given_what_its_image_reads(
    planned: Callable[[str], Plan], text: str, read: set[str]
) -> None:
    every = replace(generate_secrets("key"), tls_certificate="c", tls_key="k")
    given = of_plan(every, planned(text)).files()
    assert {*given} == read | {"authorized_keys", "tls_certificate", "tls_key"}
    assert {name: every.files()[name] for name in given} == given


def test_health_is_probed_as_the_image_says_unless_told_otherwise() -> None:
    assert "healthcheck" not in ContainerSpec("image").arguments()
    often = ContainerSpec("image", probe_seconds=1.5).arguments()["healthcheck"]
    # Without a test of its own it is the image's.
    assert often == {"interval": 1_500_000_000, "start_period": 1_000_000, "retries": 1}
