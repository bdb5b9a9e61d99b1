"""`card`: what is said of a person's container, on an engine that has one."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from imagekit.container import Secrets
from imagekit.engine import connection
from imagekit.run import person as people

PORTS = ((22, 6012), (80, 6018), (8888, 6019))
SECRETS = {
    "password": "ssh-pass",
    "desktop_password": "desktop",
    "jupyter_token": "jupyter-token",
    "vnc_password": "vnc-pass",
    "root_password": "root-pass",
}

RunCli = Callable[..., Any]


@pytest.fixture
def has(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Give zhang a container with some ports and secrets."""

    def give(ports: tuple[tuple[int, int], ...], secrets: dict[str, str]) -> None:
        person = people.Person(
            "zhang", "id", "image", "running", "x", "lab", "127.0.0.1", ports, 6010
        )
        given = {"password": "", "desktop_password": "", **secrets}
        monkeypatch.setattr(connection, "connect", lambda _address: None)
        monkeypatch.setattr(people, "must_find", lambda *_: person)
        monkeypatch.setattr(people, "read_secrets", lambda *_: Secrets(**given))

    return give


def test_json_has_every_way_in(has: Callable[..., None], run_cli: RunCli) -> None:
    has(PORTS, SECRETS)
    said = json.loads(run_cli("card", "zhang", "--json").out)
    assert said == {
        "version": 1,
        "name": "zhang",
        "profile": "x",
        "state": "running",
        "login": "lab",
        "url": "http://127.0.0.1:6018/",
        "ssh": "ssh -p 6012 lab@127.0.0.1",
        "keys_only": False,
        "jupyter": "http://127.0.0.1:6019/",
        "vnc": "",
        "local_only": True,
    }
    assert json.loads(run_cli("card", "zhang", "--json", "--passwords").out) == {**said, **SECRETS}


def test_the_token_is_said_with_the_passwords_only(
    has: Callable[..., None], run_cli: RunCli
) -> None:
    has(PORTS, SECRETS)
    assert "jupyter-token" not in run_cli("card", "zhang").out
    assert "token jupyter-token\n" in run_cli("card", "zhang", "--passwords").out


def test_a_container_without_jupyter_and_its_token(
    has: Callable[..., None], run_cli: RunCli
) -> None:
    has(PORTS[:2], {"password": "ssh-pass"})
    assert "jupyter" not in run_cli("card", "zhang", "--passwords").out
    said = json.loads(run_cli("card", "zhang", "--json", "--passwords").out)
    assert (said["jupyter"], said["jupyter_token"]) == ("", "")
