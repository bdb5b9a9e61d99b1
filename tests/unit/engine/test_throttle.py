"""How long a registry wants to be left alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from imagekit.engine.throttle import wait_wanted


class Busy(HTTPServer):
    """A registry that says when to come back."""

    status = 429
    value: str | None = None


class _Handler(BaseHTTPRequestHandler):
    server: Busy

    def do_GET(self) -> None:
        assert self.path == "/v2/"
        self.send_response(self.server.status)
        if self.server.value is not None:
            self.send_header("Retry-After", self.server.value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def busy() -> Iterator[Busy]:
    with Busy(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def host(busy: Busy) -> str:
    return f"127.0.0.1:{busy.server_address[1]}"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("toomanyrequests: retry-after: 626.829µs, allowed: 44000/minute", 626.829e-6),
        ("too many requests, Retry after 3 s", 3.0),
        ("429: retry-after: 2m", 120.0),
        ("429: retry-after: 1m30s", 90.0),
        ("retry after 10 milliseconds.", 0.01),
        ("retry after 2 minutes", 120.0),
        ("Retry-After: 7", 7.0),
    ],
)
def test_what_the_message_says_needs_no_request(text: str, seconds: float) -> None:
    assert wait_wanted("nobody.invalid", text) == pytest.approx(seconds)


def test_what_counts_something_else_is_no_time(busy: Busy) -> None:
    busy.value = "7"
    assert wait_wanted(host(busy), "retry after 5 more requests") == 7.0


@pytest.mark.parametrize(
    ("value", "seconds"), [("7", 7.0), ("-1", 0.0), ("soon", 0.0), ("²", 0.0), (None, 0.0)]
)
def test_the_registrys_header(busy: Busy, value: str | None, seconds: float) -> None:
    busy.value = value if value != "²" else "\xb2"
    assert wait_wanted(host(busy), "toomanyrequests") == seconds


def test_a_date(busy: Busy) -> None:
    later = datetime.now(timezone.utc) + timedelta(seconds=90)
    busy.value = format_datetime(later, usegmt=True)
    assert 80 < wait_wanted(host(busy), "429") <= 90
    busy.value = format_datetime(later - timedelta(days=1), usegmt=True)
    assert wait_wanted(host(busy), "429") == 0.0


def test_a_registry_that_has_time_for_us(busy: Busy) -> None:
    busy.status, busy.value = 401, "7"
    assert wait_wanted(host(busy), "429") == 0.0


def test_a_registry_that_only_the_engine_reaches() -> None:
    assert wait_wanted("127.0.0.1:1", "429") == 0.0
