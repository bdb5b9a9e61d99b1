"""Desktops and notebooks of others, against scripted servers."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from imagekit.checks import plain
from imagekit.checks.check import CheckFailedError, CheckSkippedError
from imagekit.checks.subject import Foreign, Subject
from imagekit.names import JUPYTER_PORT, VNC_PORT, WEB_PORT
from imagekit.plan.model import Plan
from imagekit.wait import Deadline

MakeSubject = Callable[..., Subject]
SOON = 10.0


def messages(connection: socket.socket) -> Callable[[], bytes]:
    """A client's messages one by one, as the WebSocket has them (RFC 6143, 7.1 to 7.5)."""
    stream = connection.makefile("rb")
    fixed = iter((12, 1, 16, 1))  # version, security type, response, shared

    def receive() -> bytes:
        if length := next(fixed, 0):
            return stream.read(length)
        kind = stream.read(1)
        if kind == b"\x02":
            head = stream.read(3)
            return kind + head + stream.read(4 * head[-1])
        return kind + stream.read({b"\x00": 19, b"\x03": 9}.get(kind, 0))

    return receive


@pytest.fixture
def vnc_server() -> Iterator[Callable[[Any], tuple[str, int]]]:
    """Start servers that speak plain RFB; the first connection is closed at once."""
    listeners: list[socket.socket] = []

    def serve(listener: socket.socket, fake: Any) -> None:
        first = True
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                if first:
                    first = False
                    continue
                try:
                    fake.speak(connection.sendall, messages(connection))
                except (OSError, AssertionError):
                    continue

    threads = []

    def start(fake: Any) -> tuple[str, int]:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        thread = threading.Thread(target=serve, args=(listener, fake), daemon=True)
        thread.start()
        threads.append(thread)
        host, port = listener.getsockname()
        return host, port

    yield start
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
    for thread in threads:
        thread.join(5)


def native(subject: Subject) -> Subject:
    return replace(subject, foreign=Foreign("/root", {VNC_PORT: VNC_PORT}))


def over_the_web(subject: Subject) -> Subject:
    return replace(subject, foreign=Foreign("/root", {WEB_PORT: WEB_PORT}))


def test_vnc_over_the_websocket(
    subject: MakeSubject, desktop_server: Any, fake_desktop: Any
) -> None:
    at = desktop_server(fake_desktop(vnc="vncview8", anyone=True))
    data = plain.check_vnc(over_the_web(subject(web_at=at)), Deadline.after(SOON))
    assert (data["width"], data["height"], data["name"]) == (64, 32, "桌面")
    assert data["over"] == "the WebSocket /websockify"


def test_vnc_on_the_native_port(subject: MakeSubject, vnc_server: Any, fake_desktop: Any) -> None:
    at = vnc_server(fake_desktop(vnc="vncview8"))
    data = plain.check_vnc(native(subject(vnc_at=at)), Deadline.after(SOON))
    assert data["over"] == "TCP"


@pytest.mark.parametrize(
    ("behaviour", "message"),
    [
        ({"vnc": "another1"}, "asked for the desktop with the password; got refused"),
        (
            {"types": (1,)},
            r"asked for a desktop that .* a password; got an offer of no .* 1\); look at .*--with",
        ),
        ({"types": (19,)}, r"asked for VNC authentication \(.* 2\); got security types 19; look"),
        ({"blank": True}, "asked for a picture of the desktop; got no"),
    ],
)
def test_a_desktop_that_disappoints(
    subject: MakeSubject,
    vnc_server: Any,
    fake_desktop: Any,
    behaviour: dict[str, Any],
    message: str,
) -> None:
    at = vnc_server(fake_desktop(**{"vnc": "vncview8", **behaviour}))
    with pytest.raises(CheckFailedError, match=f"^{message}"):
        plain.check_vnc(native(subject(vnc_at=at)), Deadline.after(2))


def test_a_desktop_that_takes_any_password(
    subject: MakeSubject, vnc_server: Any, fake_desktop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = vnc_server(fake_desktop(vnc="vncview8"))
    monkeypatch.setattr(plain, "WRONG_PASSWORD", "vncview8")
    with pytest.raises(CheckFailedError, match="a refusal of a wrong desktop password; got a desk"):
        plain.check_vnc(native(subject(vnc_at=at)), Deadline.after(SOON))


def test_a_size_that_is_promised(
    subject: MakeSubject, vnc_server: Any, fake_desktop: Any, plan: Plan
) -> None:
    at = vnc_server(fake_desktop(vnc="vncview8", width=32))
    assert plan.desktop is not None
    with pytest.raises(CheckFailedError, match="a desktop of 64x32; got 32x32"):
        plain.check_vnc(native(subject(vnc_at=at)), Deadline.after(SOON))
    any_size = replace(plan, desktop=replace(plan.desktop, geometry=""))
    made = native(subject(vnc_at=at, the_plan=any_size))
    assert plain.check_vnc(made, Deadline.after(SOON))["width"] == 32


def test_nobody_listens(subject: MakeSubject) -> None:
    with pytest.raises(CheckFailedError, match="an RFB banner; got port 5900 is not published"):
        plain.check_vnc(native(subject()), Deadline.after(1))


def test_the_page(subject: MakeSubject, desktop_server: Any, fake_desktop: Any) -> None:
    at = desktop_server(fake_desktop(headers={}))
    data = plain.check_web(over_the_web(subject(web_at=at)), Deadline.after(SOON))
    assert data == {"path": "/", "title": "Our desktop", "modules": 2}


@pytest.mark.parametrize("every_other", [False, True])
def test_a_page_behind_a_redirect(
    subject: MakeSubject, desktop_server: Any, fake_desktop: Any, every_other: bool
) -> None:
    headers = {"Location": "vnc.html?path=websockify"}
    fake = fake_desktop(headers=headers, every_other=every_other)
    fake.pages["/vnc.html?path=websockify"] = fake.pages["/"]
    fake.pages["/"] = (302, "text/html", "")
    data = plain.check_web(over_the_web(subject(web_at=desktop_server(fake))), Deadline.after(SOON))
    assert (data["path"], data["modules"]) == ("/vnc.html?path=websockify", 2)


@pytest.mark.parametrize("whose", ["//localhost:6080", "http://127.0.0.1", ""])
def test_a_redirect_in_utf_8(
    subject: MakeSubject, desktop_server: Any, fake_desktop: Any, whose: str
) -> None:
    location = f"{whose}/桌".encode().decode("latin-1")
    fake = fake_desktop(headers={"Location": location})
    fake.pages["/%E6%A1%8C"] = fake.pages["/"]
    fake.pages["/"] = (302, "text/html", "")
    data = plain.check_web(over_the_web(subject(web_at=desktop_server(fake))), Deadline.after(SOON))
    assert (data["path"], data["modules"]) == ("/桌", 2)


@pytest.mark.parametrize(
    ("location", "message"),
    [
        (
            "https://sso.example.org/login",
            "a redirect to another server, https://sso.example.org/login",
        ),
        ("//[x", r"//\[x, which is no address"),
    ],
)
def test_a_redirect_that_leads_away(
    subject: MakeSubject, desktop_server: Any, fake_desktop: Any, location: str, message: str
) -> None:
    fake = fake_desktop(headers={"Location": location})
    fake.pages["/login"] = fake.pages["/"]
    fake.pages["/"] = (302, "text/html", "")
    made = over_the_web(subject(web_at=desktop_server(fake)))
    with pytest.raises(CheckFailedError, match=f"the page at /; got {message}"):
        plain.check_web(made, Deadline.after(SOON))


@pytest.mark.parametrize(
    ("page", "message"),
    [
        ((401, "text/html", ""), r"page at / \(200, text/html\); got 401, text/html"),
        ((200, "text/html", "<title>Index of /</title>"), "got a list of files"),
        (
            (200, "text/html", '<script type="module" src="/gone.js"></script>'),
            "JavaScript modules and all that they import; got 404",
        ),
        (
            (200, "text/html", '<script type="module" src="//[x"></script>'),
            r"JavaScript modules and all that they import; got //\[x, which is no address",
        ),
    ],
)
def test_a_page_that_disappoints(
    subject: MakeSubject,
    desktop_server: Any,
    fake_desktop: Any,
    page: tuple[int, str, str],
    message: str,
) -> None:
    fake = fake_desktop()
    fake.pages["/"] = page
    with pytest.raises(CheckFailedError, match=message):
        plain.check_web(over_the_web(subject(web_at=desktop_server(fake))), Deadline.after(SOON))


@pytest.fixture
def jupyter(subject: MakeSubject, plan: Plan) -> Callable[..., Subject]:
    def make(at: tuple[str, int]) -> Subject:
        made = subject(jupyter_at=at, the_plan=replace(plan, jupyter=True, desktop=None))
        return replace(made, foreign=Foreign("/home/jovyan", {JUPYTER_PORT: 8888}, "/jupyter"))

    return make


def test_a_notebook(jupyter: Callable[..., Subject], jupyter_server: Any) -> None:
    made = jupyter(jupyter_server(text="2\n", starting=1))
    assert plain.check_jupyter(made, Deadline.after(SOON)) == {
        "jupyter_server": "2.21.1",
        "wrong_token": "refused",
    }


@pytest.mark.parametrize(
    ("behaviour", "message"),
    [
        ({"token": "another"}, "the kernels with the token; got status 403; look at .*JUPYTER|--w"),
        ({"open_to_all": True}, "a refusal of a wrong token; got status 200"),
        ({"text": "3\n"}, "'2' from a kernel; got '3'"),
        ({"elsewhere": True}, "Jupyter; got status 404 and no version at /jupyter/api"),
    ],
)
def test_a_notebook_that_disappoints(
    jupyter: Callable[..., Subject], jupyter_server: Any, behaviour: dict[str, Any], message: str
) -> None:
    made = jupyter(jupyter_server(**{"text": "2\n", **behaviour}))
    with pytest.raises(CheckFailedError, match=message):
        plain.check_jupyter(made, Deadline.after(SOON))


def test_what_is_not_promised_is_not_asked(subject: MakeSubject, plan: Plan) -> None:
    bare = over_the_web(subject(the_plan=replace(plan, desktop=None)))
    for ask in (plain.check_vnc, plain.check_web, plain.check_jupyter):
        with pytest.raises(CheckSkippedError):
            ask(bare, Deadline.after(1))
