"""The ways into the desktop: a password becomes a session, a session an RFB connection."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from imagekit.checks.check import CheckFailedError, CheckSkippedError, asking
from imagekit.checks.front import SESSION, WEBSOCKET, LoginRefusedError, Session, log_in
from imagekit.checks.rfb import NO_AUTHENTICATION, VNC_AUTHENTICATION, Client, Screen
from imagekit.checks.subject import Subject
from imagekit.checks.transport import UpgradeRefusedError, websocket
from imagekit.checks.web import Browser
from imagekit.names import WEB_PORT
from imagekit.plan.model import Desktop
from imagekit.wait import Deadline, NotYetError, until

WEB_LOG = "the container's log, lines of nginx and of the bridge"
VNC_LOG = "the container's log, lines of Xtigervnc and of the desktop session"

# Other than any password that generate_secrets makes: those have no 0 and no O.
WRONG_PASSWORD = "0O0O0O0O"  # noqa: S105 (what it says)

_SERVER_ERROR = 500
_TOO_MANY = 429
_BREATH = 2.0
"""Seconds between two logins where there were too many: the front lets one pass every two."""


@contextmanager
def joined(
    subject: Subject, deadline: Deadline, extensions: Sequence[int] = ()
) -> Iterator[Client]:
    """A client that has logged in to the desktop and joined it, as the browser does.

    Args:
        subject: whose desktop.
        deadline: for all that the client does.
        extensions: pseudo-encodings of RFB that it asks for.
    """
    session = open_session(subject, deadline)
    with client(subject, session, deadline) as viewer:
        join(viewer, session, extensions)
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

    def attempt() -> Session:
        try:
            return log_in(browser, subject.secrets.desktop_password)
        except ConnectionError as error:
            raise NotYetError(f"the web server closes connections ({error})") from error
        except LoginRefusedError as refused:
            # The logins of all checks count together.
            if refused.status == _TOO_MANY:
                raise NotYetError(str(refused)) from refused
            raise

    with asking(f"a session at {SESSION} with the generated password", WEB_LOG):
        browser = Browser(subject.address(WEB_PORT), deadline)
        browser.await_answer(SESSION)
        return until(attempt, deadline, pause=_BREATH)


@contextmanager
def client(
    subject: Subject, session: Session, deadline: Deadline, *, tls: bool = False
) -> Iterator[Client]:
    """An RFB client over the WebSocket whose server has sent its banner.

    The front is up before the X server: it then refuses the upgrade, or agrees and closes.
    """

    def attempt(address: tuple[str, int]) -> tuple[Client, ExitStack]:
        with ExitStack() as opened:
            try:
                stream = opened.enter_context(
                    websocket(address, WEBSOCKET, deadline, session.protocols, tls=tls)
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

    asked = f"an RFB banner over the WebSocket {WEBSOCKET}{' with TLS' if tls else ''}"
    with asking(asked, f"{WEB_LOG}; {VNC_LOG}"):
        address = subject.address(WEB_PORT)
        viewer, opened = until(lambda: attempt(address), deadline)
    with opened:
        yield viewer


def join(viewer: Client, session: Session, extensions: Sequence[int] = ()) -> Screen:
    """Authenticate with what the page was told, and join the desktop beside others."""
    handshake(viewer)
    with asking("the desktop with what the page was told", VNC_LOG):
        viewer.authenticate(session.vnc)
        return viewer.start(extensions)


def handshake(
    viewer: Client, look_at: str = VNC_LOG, cause: str = "the -SecurityTypes that Xtigervnc gets"
) -> tuple[int, ...]:
    """The security types that are offered: VNC authentication must be, none at all not.

    Args:
        viewer: one whose server has sent its banner.
        look_at: where it is seen why nothing is offered.
        cause: where it is said what is offered.
    """
    with asking("RFB security types", look_at):
        offered = viewer.handshake()
    listed = ", ".join(map(str, offered))
    if NO_AUTHENTICATION in offered:
        raise CheckFailedError(
            "a desktop that asks for a password",
            f"an offer of no authentication (RFB security types {listed})",
            cause,
        )
    if VNC_AUTHENTICATION not in offered:
        raise CheckFailedError(
            f"VNC authentication (RFB security type {VNC_AUTHENTICATION})",
            f"security types {listed}",
            cause,
        )
    return offered
