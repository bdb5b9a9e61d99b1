"""Other people's exceptions in our words."""

from __future__ import annotations

import socket
import ssl

import docker.errors
import paramiko
import pytest
import requests
import urllib3.exceptions

from imagekit.engine.faults import fault, in_words, is_timeout, shorten
from imagekit.errors import EngineError, InputError, Message


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (socket.gaierror(-2, "Name or service not known"), "the host's name is not known"),
        (ssl.SSLError(1, "certificate verify failed"), "TLS failed"),
        (paramiko.SSHException("no key"), "ssh failed: no key"),
        (requests.ReadTimeout("read timed out"), "did not answer in time"),
        (ConnectionResetError(104, "reset by peer"), "closed the connection"),
        (urllib3.exceptions.ProtocolError("broken"), "closed the connection: broken"),
        (docker.errors.DockerException("odd"), "cannot be reached: odd"),
    ],
)
def test_words(error: Exception, expected: str) -> None:
    wrapped = requests.ConnectionError(
        urllib3.exceptions.ProtocolError("Connection aborted.", error)
    )
    for each in (error, wrapped):
        text = str(fault("e", each))
        assert text.startswith("e: ")
    assert expected in str(fault("e", error))


def test_nobody_behind_an_ssh_address() -> None:
    refused = paramiko.ssh_exception.NoValidConnectionsError(
        {("192.0.2.1", 22): ConnectionRefusedError(111, "Connection refused")}
    )
    assert "e: nothing answers there\n  hint: `ssh HOST docker" in str(fault("e", refused))


@pytest.mark.parametrize(
    ("where", "hint"), [("ssh://h (DOCKER_HOST)", "`ssh HOST docker"), ("unix:///s", "its own log")]
)
def test_a_closed_connection_over_ssh_has_another_reason(where: str, hint: str) -> None:
    assert f"hint: {hint}" in str(fault(where, ConnectionResetError(104, "reset")))


def test_the_cause_is_found_however_it_is_wrapped() -> None:
    inner = FileNotFoundError(2, "No such file")
    wrapped = requests.ConnectionError(
        urllib3.exceptions.ProtocolError("Connection aborted.", inner)
    )
    outer = docker.errors.DockerException("Error while fetching server API version")
    outer.__cause__ = wrapped
    assert "there is no such socket" in str(fault("e", outer))


def test_time_outs_are_known() -> None:
    late = urllib3.exceptions.ReadTimeoutError(None, "/", "late")  # type: ignore[arg-type]
    assert is_timeout(requests.ConnectionError(late))
    assert not is_timeout(requests.ConnectionError("reset"))


def test_nothing_raw_gets_out() -> None:
    with pytest.raises(EngineError), in_words("e"):
        raise OSError("x")
    with pytest.raises(InputError), in_words("e"):
        raise InputError(Message("a", "b"))
    with pytest.raises(ZeroDivisionError), in_words("e"):
        raise ZeroDivisionError


def test_shorten() -> None:
    assert shorten("a\n  b") == "a b"
    assert shorten("x" * 50, 11) == "xxxx...xxxx"
