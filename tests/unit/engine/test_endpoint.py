"""Which engine is meant."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from imagekit.engine.endpoint import DEFAULT_SOCKET, Tls, resolve
from imagekit.errors import EngineError


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration folder with the contexts ``far`` (TLS) and ``near``."""
    for name, host in (("far", "tcp://engine.test:2376"), ("near", "unix:///run/near.sock")):
        identity = hashlib.sha256(name.encode()).hexdigest()
        meta = tmp_path / "contexts" / "meta" / identity / "meta.json"
        meta.parent.mkdir(parents=True)
        meta.write_text(json.dumps({"Name": name, "Endpoints": {"docker": {"Host": host}}}))
    files = tmp_path / "contexts" / "tls" / hashlib.sha256(b"far").hexdigest() / "docker"
    files.mkdir(parents=True)
    for name in ("ca.pem", "cert.pem", "key.pem"):
        (files / name).touch()
    return tmp_path


def test_nothing_said_is_the_default_socket(tmp_path: Path) -> None:
    found = resolve(env={"DOCKER_CONFIG": str(tmp_path)})
    assert (found.url, found.found, found.tls) == (DEFAULT_SOCKET, "the default socket", None)


def test_an_address_goes_before_everything(config: Path) -> None:
    env = {"DOCKER_HOST": "unix:///b", "DOCKER_CONTEXT": "near", "DOCKER_CONFIG": str(config)}
    assert resolve("unix:///a", env).url == "unix:///a"
    assert resolve(env=env).url == "unix:///b"  # as the docker command line does
    del env["DOCKER_HOST"]
    found = resolve(env=env)
    assert (found.url, found.found) == (
        "unix:///run/near.sock",
        "docker context 'near', from DOCKER_CONTEXT",
    )


def test_a_contexts_name_may_be_asked_for(config: Path) -> None:
    env = {"DOCKER_HOST": "unix:///b", "DOCKER_CONFIG": str(config)}
    found = resolve("near", env)
    assert (found.url, found.found) == ("unix:///run/near.sock", "docker context 'near'")
    with pytest.raises(EngineError, match=r"^there is no docker context 'gone'"):
        resolve("gone", env)


def test_the_default_that_is_asked_for_overlooks_the_current_context(config: Path) -> None:
    (config / "config.json").write_text('{"currentContext": "far"}')
    env = {"DOCKER_CONTEXT": "near", "DOCKER_CONFIG": str(config)}
    assert resolve("default", env).url == DEFAULT_SOCKET
    assert resolve("default", {**env, "DOCKER_HOST": "unix:///b"}).url == "unix:///b"


def test_current_context_with_its_certificates(config: Path) -> None:
    (config / "config.json").write_text('{"currentContext": "far"}')
    found = resolve(env={"DOCKER_CONFIG": str(config)})
    assert found.url == "tcp://engine.test:2376"
    assert found.tls is not None
    assert found.tls.verify
    assert found.tls.key is not None


def test_default_context_is_the_default_socket(config: Path) -> None:
    (config / "config.json").write_text('{"currentContext": "default"}')
    assert resolve(env={"DOCKER_CONFIG": str(config)}).url == DEFAULT_SOCKET


def test_missing_context(config: Path) -> None:
    with pytest.raises(EngineError, match="there is no docker context 'gone'"):
        resolve(env={"DOCKER_CONTEXT": "gone", "DOCKER_CONFIG": str(config)})


@pytest.mark.parametrize("text", ["{", "[]"])
def test_broken_configuration_is_named(config: Path, text: str) -> None:
    (config / "config.json").write_text(text)
    with pytest.raises(EngineError, match=r"config\.json"):
        resolve(env={"DOCKER_CONFIG": str(config)})


def test_context_without_an_engine(config: Path) -> None:
    identity = hashlib.sha256(b"near").hexdigest()
    (config / "contexts" / "meta" / identity / "meta.json").write_text('{"Endpoints": {}}')
    with pytest.raises(EngineError, match="names no Docker Engine"):
        resolve(env={"DOCKER_CONTEXT": "near", "DOCKER_CONFIG": str(config)})


def test_tls_of_the_environment(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    env = {"DOCKER_HOST": "tcp://engine.test:2376", "DOCKER_CERT_PATH": str(tmp_path)}
    assert resolve(env=env).tls == Tls(verify=False, ca=tmp_path / "ca.pem")
    assert resolve(env={**env, "DOCKER_TLS_VERIFY": "1"}).tls == Tls(
        verify=True, ca=tmp_path / "ca.pem"
    )
    assert resolve(env={"DOCKER_HOST": "tcp://engine.test:2375"}).tls is None
    assert resolve(env={**env, "DOCKER_HOST": "unix:///a"}).tls is None
