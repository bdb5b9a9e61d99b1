"""What engines' words about a registry mean; all of them were said by 20.10 or 28.5."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from imagekit.engine.refusals import refusal

REF = "reg.test:5000/lab/503:429"
URL = "http://reg.test:5000/v2/lab/503/manifests/429"


@pytest.mark.parametrize(
    "text",
    [
        "error parsing HTTP 429 response body: unexpected end of JSON input",
        "toomanyrequests: retry-after: 626.829µs, allowed: 44000/minute",
        f"unknown: unexpected status from HEAD request to {URL}: 429 Too Many Requests",
        "received unexpected HTTP status: 503 Service Unavailable",
    ],
)
def test_a_registry_that_has_too_much_to_do(text: str) -> None:
    error = refusal(REF, text)
    assert (error.transient, error.throttled, error.denied) == (True, True, False)
    assert error.exit_code == 4


@pytest.mark.parametrize(
    "text",
    [
        *(f"unexpected status from PUT request to {URL}: {s} Oh" for s in (408, 500, 502, 504)),
        f'Put "{URL}": EOF',
        f'failed commit on ref "layer-sha256:d404cf7-413d": failed to do request: Put "{URL}": EOF',
        'Get "https://reg.test/v2/": dial tcp: lookup reg.test on 10.0.0.1:53: no such host',
        'Get "https://reg.test/v2/": dial tcp 10.0.0.1:443: i/o timeout',
        'Get "https://reg.test/v2/": net/http: TLS handshake timeout',
        "read tcp 10.0.0.2:40312->10.0.0.1:443: read: connection reset by peer",
        'Get "http://127.0.0.1:403/v2/": dial tcp 127.0.0.1:403: connect: connection refused',
        "unknown: ",
    ],
)
def test_what_may_pass(text: str) -> None:
    error = refusal(REF, text)
    assert (error.transient, error.throttled, error.denied) == (True, False, False)


@pytest.mark.parametrize(
    "text",
    [
        "error parsing HTTP 404 response body: unexpected end of JSON input",
        f"unknown: unexpected status from POST request to {URL}: 413 Request Entity Too Large",
        f"manifest invalid: see {URL}",
        "tls: failed to verify certificate: x509: certificate signed by unknown authority",
    ],
)
def test_what_does_not_pass(text: str) -> None:
    error = refusal(REF, text)
    assert (error.transient, error.throttled, error.denied) == (False, False, False)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("x509: certificate signed by unknown authority", "certs.d/reg.test:5000/ca.crt"),
        ("http: server gave HTTP response to HTTPS client", "insecure-registries"),
    ],
)
def test_a_registry_of_ones_own(text: str, hint: str) -> None:
    (message,) = refusal(REF, f'Get "https://reg.test:5000/v2/": {text}').messages
    assert hint in message.hint


DENIED = (
    "no basic auth credentials",
    "unauthorized: authentication required",
    "denied: requested access to the resource is denied",
    "push access denied, repository does not exist or may require authorization",
    "authorization failed: no basic auth credentials",
    "error parsing HTTP 403 response body: unexpected end of JSON input",
    f"unknown: unexpected status from HEAD request to {URL}: 401 Unauthorized",
)


@pytest.mark.parametrize("text", DENIED)
def test_a_login_that_is_missing(text: str) -> None:
    error = refusal(REF, text)
    assert (error.transient, error.denied) == (False, True)
    (message,) = error.messages
    assert message.what.startswith("reg.test:5000 refuses, and nobody is logged in there: ")
    assert message.hint == "docker login reg.test:5000"
    assert refusal("lab/x:1", text).messages[0].hint == "docker login"


def test_a_login_that_is_not_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    auth = base64.b64encode(b"lee:sesame").decode()
    (tmp_path / "config.json").write_text(json.dumps({"auths": {"reg.test:5000": {"auth": auth}}}))
    (message,) = refusal(REF, DENIED[0]).messages
    assert message.what == f"reg.test:5000 refuses user lee: {DENIED[0]}"
    assert "sesame" not in str(message)


def test_an_engine_that_does_not_say_what_failed() -> None:
    said = str(refusal(REF, "unknown: "))
    assert said == (
        f"{REF}: the registry failed, and the engine does not say how (unknown:)\n"
        "  hint: the registry's log says it"
    )
