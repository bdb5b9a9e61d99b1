"""The desktop: the picture behind the WebSocket, and the ways in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from imagekit.checks import vencrypt
from imagekit.checks.check import CheckFailedError, CheckSkippedError, Data, asking
from imagekit.checks.front import SESSION, WEBSOCKET, LoginRefusedError, Session, log_in
from imagekit.checks.rfb import (
    NO_AUTHENTICATION,
    VNC_AUTHENTICATION,
    Client,
    Frame,
    RefusedError,
    Screen,
)
from imagekit.checks.subject import Subject
from imagekit.checks.transport import TcpStream, UpgradeRefusedError, connect, websocket
from imagekit.checks.web import Browser
from imagekit.names import VNC_PORT, WEB_PORT
from imagekit.plan.model import Desktop
from imagekit.wait import Deadline, NotYetError, until

WEB_LOG = "the container's log, lines of nginx and of the bridge"
VNC_LOG = "the container's log, lines of Xtigervnc and of the desktop session"

# Other than any password that generate_secrets makes: those have no 0 and no O.
_WRONG_PASSWORD = "0O0O0O0O"  # noqa: S105 (what it says)

_FEWEST_COLOURS = 16
"""A screen on which nothing was drawn has one colour, or two (X's root weave)."""

_SERVER_ERROR = 500

# Exits with 0 where somebody listens.
_LISTENS = "import socket; socket.create_connection(('127.0.0.1', int(__import__('sys').argv[1])))"


def check_vnc(subject: Subject, deadline: Deadline) -> Data:
    """Only the right password opens the desktop, and something is drawn on it."""
    desktop = wanted(subject)
    session = open_session(subject, deadline)
    with client(subject, session, deadline) as viewer:
        screen = _join(viewer, session)
        size = f"{screen.width}x{screen.height}"
        if size != desktop.geometry:
            raise CheckFailedError(
                f"a desktop of {desktop.geometry}", size, "the geometry that Xtigervnc gets"
            )
        frame = _await_picture(viewer, deadline)
    _check_refusal(subject, deadline)
    return {
        "width": frame.width,
        "height": frame.height,
        "colours": frame.colours(),
        "name": screen.name,
        "native": _check_native(subject, desktop, deadline),
    }


@contextmanager
def entered(subject: Subject, deadline: Deadline) -> Iterator[Client]:
    """A client that has logged in to the desktop and joined it, as the browser does."""
    session = open_session(subject, deadline)
    with client(subject, session, deadline) as viewer:
        _join(viewer, session)
        yield viewer


def wanted(subject: Subject) -> Desktop:
    """The plan's desktop.

    Raises:
        CheckSkippedError: the plan has none.
    """
    if subject.plan.desktop is None:
        raise CheckSkippedError("the plan has no desktop")
    return subject.plan.desktop


def open_session(subject: Subject, deadline: Deadline) -> Session:
    """Log in with the generated password, as soon as the front is there.

    Raises:
        CheckFailedError: it is not in time, or does not take the password.
    """
    with asking(f"a session at {SESSION} with the generated password", WEB_LOG):
        browser = Browser(subject.address(WEB_PORT), deadline)
        browser.await_answer(SESSION)
        return log_in(browser, subject.secrets.desktop_password)


@contextmanager
def client(subject: Subject, session: Session, deadline: Deadline) -> Iterator[Client]:
    """An RFB client over the WebSocket whose server has sent its banner.

    The front is up before the X server: it then refuses the upgrade, or agrees and closes.
    """

    def attempt(address: tuple[str, int]) -> tuple[Client, ExitStack]:
        with ExitStack() as opened:
            try:
                stream = opened.enter_context(
                    websocket(address, WEBSOCKET, deadline, session.protocols)
                )
                viewer = Client(stream, deadline)
                viewer.read_banner()
            except (ConnectionError, EOFError) as error:
                raise NotYetError(str(error)) from error
            except UpgradeRefusedError as error:
                if error.status < _SERVER_ERROR:
                    raise
                raise NotYetError(str(error)) from error
            return viewer, opened.pop_all()

    with asking(f"an RFB banner over the WebSocket {WEBSOCKET}", f"{WEB_LOG}; {VNC_LOG}"):
        address = subject.address(WEB_PORT)
        viewer, opened = until(lambda: attempt(address), deadline)
    with opened:
        yield viewer


def _join(viewer: Client, session: Session) -> Screen:
    _handshake(viewer)
    with asking("the desktop with what the page was told", VNC_LOG):
        viewer.authenticate(session.vnc)
        return viewer.start()


def _handshake(viewer: Client) -> tuple[int, ...]:
    with asking("RFB security types", VNC_LOG):
        offered = viewer.handshake()
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
    return offered


def _check_refusal(subject: Subject, deadline: Deadline) -> None:
    """A wrong password is refused."""
    with asking("a refusal of a wrong desktop password", WEB_LOG):
        try:
            log_in(Browser(subject.address(WEB_PORT), deadline), _WRONG_PASSWORD)
        except LoginRefusedError as refused:
            if refused.status == 401:
                return
            raise
    raise CheckFailedError(
        "a refusal of a wrong desktop password", "a session", f"auth_basic of {SESSION} in nginx"
    )


def _await_picture(viewer: Client, deadline: Deadline) -> Frame:
    """The first frame on which something is drawn."""

    def attempt() -> Frame:
        frame = viewer.read_frame()
        if (colours := frame.colours()) < _FEWEST_COLOURS:
            raise NotYetError(f"a screen of {colours} colour(s), on which nothing is drawn")
        return frame

    with asking("a picture of the desktop", VNC_LOG):
        return until(attempt, deadline, pause=0.3)


def _check_native(subject: Subject, desktop: Desktop, deadline: Deadline) -> str:
    """The port of VNC's own viewers is as the plan says; how they get in."""
    if desktop.vnc == "tls":
        return _check_tls(subject, deadline)
    if desktop.vnc == "password":
        return _check_password(subject, deadline)
    with asking(f"an answer about port {VNC_PORT} in the container"):
        code, _ = subject.inside.execute(["python3", "-c", _LISTENS, str(VNC_PORT)])
    if code == 0:
        raise CheckFailedError(
            f"nobody on port {VNC_PORT} (desktop.vnc is off)",
            "a listener",
            "the -rfbport that Xtigervnc gets",
        )
    return "off"


def _check_tls(subject: Subject, deadline: Deadline) -> str:
    address, user = subject.address(VNC_PORT), subject.plan.user.name
    with asking(f"a login of {user} by VeNCrypt's X509Plain", f"{VNC_LOG}; PAM"):
        offer = vencrypt.login(address, user, subject.secrets.password, deadline)
        try:
            vencrypt.login(address, user, _WRONG_PASSWORD, deadline)
        except RefusedError:
            pass
        else:
            raise CheckFailedError(
                "a refusal of a wrong password over X509Plain", "a login", "/etc/pam.d/imagekit-vnc"
            )
    listed = {vencrypt.VENCRYPT, VNC_AUTHENTICATION}
    subtypes = {vencrypt.X509_PLAIN, vencrypt.TLS_PLAIN, VNC_AUTHENTICATION}
    if not set(offer.types) <= listed or not set(offer.subtypes) <= subtypes:
        raise CheckFailedError(
            "no security types for native viewers but those with TLS",
            f"{offer.types}, and of VeNCrypt {offer.subtypes}",
            "the -SecurityTypes that Xtigervnc gets",
        )
    return "tls"


def _check_password(subject: Subject, deadline: Deadline) -> str:
    with asking("a native viewer's login with the secret vnc_password", VNC_LOG):
        connection = connect(subject.address(VNC_PORT), deadline)
        with connection:
            viewer = Client(TcpStream(connection), deadline)
            offered = _handshake(viewer)
            viewer.authenticate(subject.secrets.vnc_password)
    if offered != (VNC_AUTHENTICATION,):
        raise CheckFailedError(
            "VNC authentication alone", f"{offered}", "the -SecurityTypes that Xtigervnc gets"
        )
    return "password"
