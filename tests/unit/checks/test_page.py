from collections.abc import Callable
from typing import Any

import pytest

from imagekit.checks import entry
from imagekit.checks.check import CheckFailedError
from imagekit.checks.page import check_web
from imagekit.checks.subject import Subject
from imagekit.wait import Deadline

FIELD = '<input type="password">'
LISTING = (200, "text/html", "<title>Directory listing for /novnc/</title><li>core/")


@pytest.fixture
def ask(
    desktop_server: Callable[..., Any], fake_desktop: Any, subject: Callable[..., Subject]
) -> Callable[..., Any]:
    """Ask of a desktop with this behaviour; pages and headers are added to the usual ones."""

    def run(seconds: float = 30, **behaviour: Any) -> Any:
        fake = fake_desktop()
        changed = {
            name: {**getattr(fake, name), **behaviour.pop(name)}
            for name in ("pages", "headers")
            if name in behaviour
        }
        address = desktop_server(fake_desktop(**changed, **behaviour))
        return check_web(subject(web_at=address), Deadline.after(seconds))

    return run


def test_web_passes(ask: Any) -> None:
    assert ask() == {
        "title": "Our desktop",
        "modules": 2,
        "rfb": "003.008",
        "tls": ["localhost", "box", "127.0.0.1", "::1"],
    }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"/": (404, "text/html", "")}, "got 404"),
        ({"/": (200, "text/plain", "hello")}, "text/plain"),
        ({"/": LISTING}, "got a list of files"),
        ({"/": (200, "text/html", "<title></title>")}, "with a title"),
        ({"/": (200, "text/html", "<title>x</title>")}, "no field for a password"),
        ({"/": (200, "text/html", f"<title>x</title>{FIELD}")}, "loads /novnc/core/rfb.js"),
        ({"/novnc/core/rfb.js": (404, "text/html", "")}, "404 and text/html for the module"),
        ({"/novnc/core/rfb.js": (200, "text/plain", "")}, "200 and text/plain"),
        ({"/novnc/core/util/logging.js": (404, "text/html", "")}, "wanted by /novnc/core/rfb.js"),
        ({"/novnc/": LISTING}, "/novnc/ without a list"),
        ({"/novnc/core/": LISTING}, "/novnc/core/ without a list"),
    ],
)
def test_web_fails(ask: Any, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckFailedError, match=message):
        ask(pages=changes)


@pytest.mark.parametrize(
    ("behaviour", "message"),
    [
        ({"headers": {"Content-Security-Policy": ""}}, "content-security-policy with default-src"),
        ({"headers": {"X-Content-Type-Options": "x"}}, "x-content-type-options with nosniff"),
        ({"headers": {"Cache-Control": "max-age=9"}}, "cache-control with no-cache; got max-age=9"),
        ({"names": ("localhost",)}, "a certificate that names box"),
        ({"days": -2}, "a certificate that is good today; got one until 20"),
        ({"anyone": True}, r"refusal \(403\) of the WebSocket without a session; got an open one"),
        ({"any_origin": True}, "WebSocket from another site's page; got an open one"),
        ({"password": "another"}, "the front answers a password with 401"),
    ],
)
def test_web_fails_for_an_open_door(ask: Any, behaviour: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckFailedError, match=message):
        ask(**behaviour)


def test_a_front_that_breaks_off_is_asked_again(ask: Any) -> None:
    assert ask(broken_over_tls=2)["rfb"] == "003.008"


def test_a_front_that_breaks_each_connection_off_once_is_asked_again(
    ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entry, "_BREATH", 0.1)
    assert ask(every_other=True)["modules"] == 2


@pytest.mark.parametrize("behaviour", [{"healthy": False}, {"broken_upgrades": 1000}])
def test_web_fails_when_the_desktop_does_not_come_up(ask: Any, behaviour: dict[str, Any]) -> None:
    with pytest.raises(CheckFailedError, match=r"in time|timed out"):
        ask(seconds=0.5, **behaviour)
