"""The desktop: the picture behind the WebSocket, and the page in front of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from imagekit.checks.check import CheckFailedError, CheckSkippedError, Data, asking
from imagekit.checks.rfb import NO_AUTHENTICATION, VNC_AUTHENTICATION, Client, Frame, RefusedError
from imagekit.checks.subject import Subject
from imagekit.checks.transport import websocket
from imagekit.checks.web import Browser, Page, is_listing
from imagekit.names import WEB_PORT
from imagekit.plan.model import Desktop
from imagekit.wait import Deadline, NotYetError, until

WEBSOCKET = "/websockify"
RFB_MODULE = "/novnc/core/rfb.js"
_LISTABLE = ("/novnc/", "/novnc/core/")

WEB_LOG = "the container's log, lines of websockify"
VNC_LOG = "the container's log, lines of Xtigervnc and of the desktop session"

# Other than any password that generate_secrets makes: those have no 0 and no O.
_WRONG_PASSWORD = "0O0O0O0O"  # noqa: S105 (what it says)

_FEWEST_COLOURS = 16
"""A screen on which nothing was drawn has one colour, or two (X's root weave)."""


def check_vnc(subject: Subject, deadline: Deadline) -> Data:
    """Only the right password opens the desktop, and something is drawn on it."""
    desktop = _wanted(subject)
    with _client(subject, deadline) as client:
        _handshake(client)
        with asking("the desktop with the generated password", VNC_LOG):
            client.authenticate(subject.secrets.desktop_password)
            screen = client.start()
        size = f"{screen.width}x{screen.height}"
        if size != desktop.geometry:
            raise CheckFailedError(
                f"a desktop of {desktop.geometry}", size, "the geometry that Xtigervnc gets"
            )
        frame = _await_picture(client, deadline)
    _check_refusal(subject, deadline)
    return {
        "width": frame.width,
        "height": frame.height,
        "colours": frame.colours(),
        "name": screen.name,
    }


def check_web(subject: Subject, deadline: Deadline) -> Data:
    """The page comes with all its modules, lists no folder, and reaches the desktop."""
    _wanted(subject)
    with asking("the page at /", WEB_LOG):
        browser = Browser(subject.address(WEB_PORT), deadline)
        answer = browser.await_answer("/")
    page = Page(answer.text)
    if answer.status != 200 or answer.type != "text/html" or is_listing(answer.text):
        got = "a list of files" if is_listing(answer.text) else f"{answer.status}, {answer.type}"
        raise CheckFailedError("the desktop's page at / (200, text/html)", got, WEB_LOG)
    if not page.title:
        raise CheckFailedError("a page at / with a title", "none", "the page's own file")
    with asking("the page's JavaScript modules and all that they import", WEB_LOG):
        modules = browser.load_modules("/", page.modules)
    if RFB_MODULE not in modules:
        raise CheckFailedError(
            f"a page at / that loads {RFB_MODULE}",
            f"{len(modules)} other modules",
            "the page's own file",
        )
    for folder in _LISTABLE:
        with asking(f"{folder} without a list of files", WEB_LOG):
            listing = browser.get(folder)
        if listing.status == 200 and is_listing(listing.text):
            raise CheckFailedError(
                f"{folder} without a list of files", "one", "the web server's --file-only"
            )
    with _client(subject, deadline) as client, asking("an RFB banner at /websockify", VNC_LOG):
        banner = client.read_banner()
    return {"title": page.title, "modules": len(modules), "rfb": banner}


def _wanted(subject: Subject) -> Desktop:
    if subject.plan.desktop is None:
        raise CheckSkippedError("the plan has no desktop")
    return subject.plan.desktop


@contextmanager
def _client(subject: Subject, deadline: Deadline) -> Iterator[Client]:
    """An RFB client over the WebSocket whose server has sent its banner.

    The web server is up before the X server: it then agrees to the upgrade and closes,
    or it is not there at all.
    """

    def attempt(address: tuple[str, int]) -> tuple[Client, ExitStack]:
        with ExitStack() as opened:
            try:
                stream = opened.enter_context(websocket(address, WEBSOCKET, deadline))
                client = Client(stream, deadline)
                client.read_banner()
            except (ConnectionError, EOFError) as error:
                raise NotYetError(str(error)) from error
            return client, opened.pop_all()

    with asking(f"an RFB banner over the WebSocket {WEBSOCKET}", f"{WEB_LOG}; {VNC_LOG}"):
        address = subject.address(WEB_PORT)
        client, opened = until(lambda: attempt(address), deadline)
    with opened:
        yield client


def _handshake(client: Client) -> None:
    with asking("RFB security types", VNC_LOG):
        offered = client.handshake()
    listed = ", ".join(map(str, offered))
    if NO_AUTHENTICATION in offered:
        raise CheckFailedError(
            "a desktop that asks for a password",
            f"an offer of no authentication (RFB security types {listed})",
            "the -SecurityTypes that Xtigervnc gets",
        )
    if VNC_AUTHENTICATION not in offered:
        raise CheckFailedError(
            f"VNC authentication (RFB security type {VNC_AUTHENTICATION})",
            f"security types {listed}",
            "the -SecurityTypes that Xtigervnc gets",
        )


def _check_refusal(subject: Subject, deadline: Deadline) -> None:
    """A wrong password is refused; asked last, as each refusal counts towards a lock-out."""
    with _client(subject, deadline) as client:
        _handshake(client)
        with asking("a refusal of a wrong desktop password", VNC_LOG):
            try:
                client.authenticate(_WRONG_PASSWORD)
            except RefusedError:
                return
    raise CheckFailedError(
        "a refusal of a wrong desktop password",
        "an open desktop",
        "the file that Xtigervnc gets as -rfbauth",
    )


def _await_picture(client: Client, deadline: Deadline) -> Frame:
    """The first frame on which something is drawn."""

    def attempt() -> Frame:
        frame = client.read_frame()
        if (colours := frame.colours()) < _FEWEST_COLOURS:
            raise NotYetError(f"a screen of {colours} colour(s), on which nothing is drawn")
        return frame

    with asking("a picture of the desktop", VNC_LOG):
        return until(attempt, deadline, pause=0.3)
