from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from imagekit.checks.check import CheckFailedError, CheckSkippedError
from imagekit.checks.desktop import check_vnc, check_web
from imagekit.checks.subject import Subject
from imagekit.wait import Deadline

LISTING = (200, "text/html", "<title>Directory listing for /novnc/</title><li>core/")


@pytest.fixture
def ask(
    desktop_server: Callable[..., Any], fake_desktop: Any, subject: Callable[..., Subject]
) -> Callable[..., Any]:
    """Ask a check of a desktop with this behaviour."""

    def run(check: Any, seconds: float = 5, **behaviour: Any) -> Any:
        fake = fake_desktop(**behaviour)
        return check(subject(web_at=desktop_server(fake)), Deadline.after(seconds))

    return run


def pages_with(fake_desktop: Any, **changes: Any) -> dict[str, Any]:
    return {**fake_desktop().pages, **changes}


def test_vnc_passes(ask: Any) -> None:
    data = ask(check_vnc)
    assert data == {"width": 64, "height": 32, "colours": 64 * 32, "name": "桌面"}


def test_vnc_waits_for_the_x_server_behind_the_web_server(ask: Any) -> None:
    assert ask(check_vnc, broken_upgrades=2)["width"] == 64


@pytest.mark.parametrize(
    ("behaviour", "message"),
    [
        ({"types": (2, 1)}, "no authentication"),
        ({"types": (19,)}, "security types 19"),
        ({"password": "another1"}, "generated password; got refused: Authentication failed"),
        ({"any_password": True}, "got an open desktop"),
        ({"width": 65}, "a desktop of 64x32; got 65x32"),
    ],
)
def test_vnc_fails(ask: Any, behaviour: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckFailedError, match=message) as caught:
        ask(check_vnc, **behaviour)
    assert "Batt3ry5" not in str(caught.value)


def test_vnc_fails_when_nothing_is_drawn(ask: Any) -> None:
    with pytest.raises(CheckFailedError, match=r"1 colour.*nothing is drawn"):
        ask(check_vnc, seconds=0.8, blank=True)


def test_vnc_fails_when_nothing_comes_up(ask: Any) -> None:
    with pytest.raises(CheckFailedError, match=r"RFB banner.*in time"):
        ask(check_vnc, seconds=0.3, broken_upgrades=1000)


def test_web_passes(ask: Any) -> None:
    assert ask(check_web) == {"title": "Our desktop", "modules": 2, "rfb": "003.008"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"/": (404, "text/html", "")}, "got 404"),
        ({"/": (200, "text/plain", "hello")}, "text/plain"),
        ({"/": LISTING}, "got a list of files"),
        ({"/": (200, "text/html", "<title></title>")}, "with a title"),
        ({"/": (200, "text/html", "<title>x</title>")}, "loads /novnc/core/rfb.js"),
        ({"/novnc/core/rfb.js": (404, "text/html", "")}, "404 and text/html for the module"),
        ({"/novnc/core/rfb.js": (200, "text/plain", "")}, "200 and text/plain"),
        ({"/novnc/core/util/logging.js": (404, "text/html", "")}, "wanted by /novnc/core/rfb.js"),
        ({"/novnc/": LISTING}, "/novnc/ without a list"),
        ({"/novnc/core/": LISTING}, "/novnc/core/ without a list"),
    ],
)
def test_web_fails(ask: Any, fake_desktop: Any, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckFailedError, match=message):
        ask(check_web, pages=pages_with(fake_desktop, **changes))


def test_web_fails_when_the_websocket_leads_nowhere(ask: Any) -> None:
    with pytest.raises(CheckFailedError, match="RFB banner"):
        ask(check_web, seconds=0.5, broken_upgrades=1000)


@pytest.mark.parametrize("check", [check_vnc, check_web])
def test_skipped_without_a_desktop(check: Any, subject: Any, plan: Any) -> None:
    with pytest.raises(CheckSkippedError, match="no desktop"):
        check(subject(the_plan=replace(plan, desktop=None)), Deadline.after(1))


@pytest.mark.parametrize("check", [check_vnc, check_web])
def test_fails_when_the_port_is_not_published(check: Any, subject: Any) -> None:
    with pytest.raises(CheckFailedError, match="port 80 is not published"):
        check(subject(), Deadline.after(1))
