import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from imagekit.checks import entry
from imagekit.checks.check import CheckFailedError, CheckSkippedError
from imagekit.checks.page import check_web
from imagekit.checks.subject import Subject
from imagekit.checks.vnc import check_vnc
from imagekit.wait import Deadline


@pytest.fixture
def ask(
    desktop_server: Callable[..., Any], fake_desktop: Any, subject: Callable[..., Subject]
) -> Callable[..., Any]:
    """Ask of a desktop with this behaviour."""

    def run(seconds: float = 5, subject_with: Any = None, **behaviour: Any) -> Any:
        address = desktop_server(fake_desktop(**behaviour))
        asked = subject(web_at=address, **(subject_with or {}))
        return check_vnc(asked, Deadline.after(seconds))

    return run


def test_vnc_passes(ask: Any) -> None:
    data = ask()
    seen = {"width": 64, "height": 32, "colours": 64 * 32, "name": "桌面", "native": "off"}
    assert data == seen


def test_vnc_waits_for_the_x_server_behind_the_front(ask: Any) -> None:
    assert ask(broken_upgrades=2)["width"] == 64


def test_vnc_asks_a_front_again_that_breaks_each_connection_off_once(
    ask: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(entry, "_BREATH", 0.1)
    assert ask(every_other=True)["width"] == 64


@pytest.mark.parametrize(
    ("behaviour", "message"),
    [
        ({"types": (2, 1)}, "no authentication"),
        ({"types": (19,)}, "security types 19"),
        ({"password": "another1"}, "the front answers a password with 401"),
        ({"vnc": "another1"}, "refused: Authentication failed"),
        ({"told": "密码"}, "a session whose password is none of VNC's"),
        ({"any_password": True}, "a refusal of a wrong desktop password; got a session"),
        ({"any_vnc": True}, "a wrong password by the X server; got a login"),
        ({"width": 65}, "a desktop of 64x32; got 65x32"),
    ],
)
def test_vnc_fails(ask: Any, behaviour: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckFailedError, match=message) as caught:
        ask(**behaviour)
    assert "Batt3ry5" not in str(caught.value)


def test_vnc_fails_when_nothing_is_drawn(ask: Any) -> None:
    with pytest.raises(CheckFailedError, match=r"1 colour.*nothing is drawn"):
        ask(seconds=0.8, blank=True)


def test_vnc_fails_when_nothing_comes_up(ask: Any) -> None:
    with pytest.raises(CheckFailedError, match=r"RFB banner.*(in time|timed out)"):
        ask(seconds=0.3, broken_upgrades=1000)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((0, "imagekit:[5900]"), r"no port but the loopback's \(.* off\); got one on port 5900"),
        ((0, "a warning\nimagekit:[5901, 5905]"), "got one on port 5901, 5905"),
        ((1, "Traceback: no /proc"), "got exit code 1 and 'Traceback: no /proc'"),
        ((0, "imagekit:[]a warning"), r"got exit code 0 and 'imagekit:\[\]a warning'"),
    ],
)
def test_vnc_fails_when_a_native_port_is_open_unasked(
    ask: Any, fake_inside: Any, answer: tuple[int, str], message: str
) -> None:
    inside = fake_inside(answers={"/usr/bin/python3": answer})
    with pytest.raises(CheckFailedError, match=message):
        ask(subject_with={"inside": inside})


def test_vnc_waits_where_others_logged_in_too_often(ask: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(entry, "_BREATH", 0.1)
    assert ask(too_many=1)["width"] == 64


@pytest.fixture
def native(fake_desktop: Any, fake_inside: Any, ask: Any, plan: Any) -> Any:
    """Ask of a desktop whose native port speaks plain RFB with this behaviour."""
    listeners = []
    threads = []

    def run(mode: str, ports: str = "imagekit:[5900]", **behaviour: Any) -> Any:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        fake = fake_desktop(**behaviour)

        def serve() -> None:
            try:
                connection, _ = listener.accept()
            except OSError:  # the test is over, and nobody came
                return
            with connection, suppress(OSError):  # the client may leave in the middle
                fake.speak(connection.sendall, lambda: connection.recv(1 << 16))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        threads.append(thread)
        the_plan = replace(plan, desktop=replace(plan.desktop, vnc=mode))
        inside = fake_inside(answers={"/usr/bin/python3": (0, ports)})
        there = {"the_plan": the_plan, "vnc_at": listener.getsockname(), "inside": inside}
        return ask(subject_with=there)

    yield run
    # Not closed while a thread waits for it: the number would be another file's soon.
    for listener, thread in zip(listeners, threads, strict=True):
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)
        listener.close()


def test_native_viewers_get_in_with_the_password(native: Any) -> None:
    assert native("password", vnc="vncview8")["native"] == "password"


@pytest.mark.parametrize(
    ("mode", "behaviour", "message"),
    [
        ("password", {"vnc": "another1"}, "refused: Authentication failed"),
        ("password", {"vnc": "vncview8", "types": (2, 19)}, "VNC authentication alone"),
        ("password", {"vnc": "vncview8", "types": (2, 1)}, "no authentication"),
        (
            "password",
            {"ports": "imagekit:[5905]"},
            r"on port 5900 \(.* password\); got one on port 5905",
        ),
        ("tls", {"vnc": "vncview8"}, "no VeNCrypt among the security types"),
    ],
)
def test_native_viewers_are_let_in_as_planned_only(
    native: Any, mode: str, behaviour: dict[str, Any], message: str
) -> None:
    with pytest.raises(CheckFailedError, match=message):
        native(mode, **behaviour)


@pytest.mark.parametrize("check", [check_vnc, check_web])
def test_skipped_without_a_desktop(check: Any, subject: Any, plan: Any) -> None:
    with pytest.raises(CheckSkippedError, match="no desktop"):
        check(subject(the_plan=replace(plan, desktop=None)), Deadline.after(1))


@pytest.mark.parametrize("check", [check_vnc, check_web])
def test_fails_when_the_port_is_not_published(check: Any, subject: Any) -> None:
    with pytest.raises(CheckFailedError, match="port 80 is not published"):
        check(subject(), Deadline.after(1))
