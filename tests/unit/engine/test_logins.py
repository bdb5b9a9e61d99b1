"""Logins from docker's configuration and from credential helpers."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from imagekit.engine import logins
from imagekit.errors import NetworkError

REF = "reg.test:5000/lab/x:1"
HELPER = """#!/bin/sh
read -r host
[ "$host" = reg.test:5000 ] || { echo "credentials not found in native keychain"; exit 1; }
printf '{"ServerURL": "%s", "Username": "%s", "Secret": "sesame"}' "$host" "$HELPER_USER"
"""


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration that names a credential helper, which is not there yet."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("HELPER_USER", "lee")
    (tmp_path / "config.json").write_text(json.dumps({"credHelpers": {"reg.test:5000": "lab"}}))
    return tmp_path


@pytest.fixture
def helper(config: Path) -> None:
    program = config / "docker-credential-lab"
    program.write_text(HELPER)
    program.chmod(0o755)


def sent(ref: str) -> object:
    return json.loads(base64.urlsafe_b64decode(logins.header(ref)["X-Registry-Auth"]))


def test_a_helpers_login(helper: None) -> None:
    assert sent(REF) == {
        "serveraddress": "reg.test:5000",
        "username": "lee",
        "password": "sesame",
    }
    assert logins.user(REF) == "lee"


def test_a_helpers_token(helper: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HELPER_USER", "<token>")
    assert sent(REF) == {"serveraddress": "reg.test:5000", "identitytoken": "sesame"}
    assert logins.user(REF) == "(identity token)"


def test_no_login(helper: None) -> None:
    assert sent("elsewhere.test/x") == {}
    assert logins.user("elsewhere.test/x") == ""


def test_a_helper_that_is_not_there() -> None:
    with pytest.raises(NetworkError, match=r"(?s)reg.test:5000: .*cannot be read.*credHelpers"):
        logins.header(REF)


@pytest.mark.parametrize("said", ["sesame", "[]", '{"Password": "sesame"}'])
def test_a_helper_that_says_something_else(helper: None, config: Path, said: str) -> None:
    (config / "docker-credential-lab").write_text(f"#!/bin/sh\necho '{said}'\n")
    with pytest.raises(NetworkError) as failed:
        logins.header(REF)
    assert str(failed.value).startswith(
        "reg.test:5000: the stored login cannot be read: docker-credential-lab answers with no "
        "login\n  hint: look at "
    )


@pytest.mark.parametrize(
    ("written", "what"),
    [
        ('{"auths": {"a.test": {}, "r.test": {"auth": ""}}}', ": the login for r.test is damaged"),
        ('{"auths": {"r.test": {"auth": "Zm9v"}}}', ": the login for r.test is damaged"),
        ('{"auths": {"r.test": {"auth": 5}}}', ": the login for r.test is damaged"),
        ('{"auths": {"r.test": "x"}}', ": the login for r.test is damaged"),
        ('{"auths": ["r.test"]}', ": auths is no JSON object"),
        ('{"credHelpers": ["lab"]}', ": credHelpers is no JSON object"),
        ('{"credsStore": 5}', ": credsStore is no text"),
        ("[]", " holds no JSON object"),
    ],
)
def test_a_damaged_configuration_is_named(config: Path, written: str, what: str) -> None:
    (config / "config.json").write_text(written)
    with pytest.raises(NetworkError) as failed:
        logins.header(REF)
    assert f"cannot be read: {config}/config.json{what}\n  hint: " in str(failed.value)
