"""Folders of whoever runs imagekit, an account without a home among them."""

from __future__ import annotations

import pwd
from pathlib import Path

import pytest

from imagekit import home
from imagekit.engine import endpoint
from tests.unit.conftest import RunCli


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """No HOME, and a user id that /etc/passwd does not have, as `docker run --user` gives."""

    def unknown(uid: int) -> None:
        raise KeyError(uid)

    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)


def test_folders_are_where_xdg_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/zhang")
    monkeypatch.setenv("XDG_CONFIG_HOME", "")
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/cache/zhang")
    assert home.config() == Path("/home/zhang/.config/imagekit")
    assert home.cache() == Path("/var/cache/zhang/imagekit")


@pytest.mark.usefixtures("homeless")
def test_an_account_without_a_home_has_nothing_there(monkeypatch: pytest.MonkeyPatch) -> None:
    assert home.config() == Path("/nonexistent/.config/imagekit")
    assert endpoint.resolve("", {}).url == endpoint.DEFAULT_SOCKET
    assert endpoint.resolve("", {"DOCKER_HOST": "tcp://h:1", "DOCKER_TLS": "1"}).tls is not None


def test_an_account_without_a_home_can_look(
    run_cli: RunCli, request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue("homeless")  # after the fixtures that set these variables
    ended = run_cli("list", "--names")
    assert ended.code == 0, ended.err
    assert "debian12-desktop\n" in ended.out
