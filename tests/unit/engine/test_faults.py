"""Other people's exceptions in our words."""

from __future__ import annotations

import errno
import os
import socket
import ssl

import docker.errors
import paramiko
import pytest
import requests
import urllib3.exceptions

from imagekit.engine.faults import disk_full, fault, in_words, is_timeout, shorten
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


def connecting(reason: OSError) -> requests.ConnectionError:
    """What requests makes of a TCP connection that does not come about."""
    try:
        try:
            raise reason
        except OSError as error:
            failed = urllib3.exceptions.NewConnectionError(
                urllib3.connection.HTTPConnection("e.test"), f"no connection: {error}"
            )
            raise failed from error
    except urllib3.exceptions.NewConnectionError as error:
        url = "/v1.41/build?buildargs=%7B%22HTTP_PROXY%22%3A%22http%3A%2F%2Fme%3Ahush%40p%22%7D"
        pool = urllib3.connectionpool.HTTPConnectionPool("e.test")
        return requests.ConnectionError(urllib3.exceptions.MaxRetryError(pool, url, error))


def test_a_connection_that_does_not_come_about_is_no_time_out() -> None:
    """urllib3's error for it is a kind of its time-out."""
    refused = connecting(ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"))
    assert not is_timeout(refused)
    assert "e: nothing answers there" in str(fault("e", refused))
    # Nothing was asked yet, so that nobody else is late.
    late = urllib3.exceptions.ConnectTimeoutError(None, "timed out")
    assert not is_timeout(requests.ConnectTimeout(late))
    assert "e: the engine did not answer in time" in str(fault("e", requests.ConnectTimeout(late)))


@pytest.mark.parametrize("number", [errno.EHOSTUNREACH, errno.ENETUNREACH])
def test_a_host_that_cannot_be_reached(number: int) -> None:
    assert str(fault("e", connecting(OSError(number, os.strerror(number))))) == (
        f"e: the engine's host cannot be reached: {os.strerror(number)}\n  hint: check DOCKER_HOST"
    )


def test_the_address_of_a_request_is_in_no_message() -> None:
    """That of a build has the proxy with its password."""
    full = connecting(OSError(errno.EMFILE, "Too many open files"))
    assert str(fault("e", full)) == "e: the engine cannot be reached: Too many open files"
    odd = requests.exceptions.InvalidURL("bad: http://e/build?buildargs=me%3Ahush now")
    assert str(fault("e", odd)) == "e: the engine cannot be reached: bad: http://e/build?… now"


def test_nothing_raw_gets_out() -> None:
    with pytest.raises(EngineError), in_words("e"):
        raise OSError("x")
    with pytest.raises(InputError), in_words("e"):
        raise InputError(Message("a", "b"))
    with pytest.raises(ZeroDivisionError), in_words("e"):
        raise ZeroDivisionError


def test_a_full_disk_says_what_to_do() -> None:
    assert disk_full("write /x: no space left on device").endswith(
        "shows what uses it, docker builder prune removes what BuildKit keeps"
    )
    assert disk_full("write /x: permission denied") == ""


def test_shorten() -> None:
    assert shorten("a\n  b") == "a b"
    assert shorten("x" * 50, 11) == "xxxx...xxxx"
