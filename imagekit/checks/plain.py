"""What is asked of desktops and notebooks that know nothing of imagekit's front."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager

from imagekit.checks.check import AnswerError, CheckFailedError, CheckSkippedError, Data, asking
from imagekit.checks.entry import WRONG_PASSWORD, client, handshake, wanted
from imagekit.checks.front import WEBSOCKET, Session
from imagekit.checks.notebook import Notebook
from imagekit.checks.picture import await_picture
from imagekit.checks.rfb import Client, RefusedError
from imagekit.checks.subject import Subject
from imagekit.checks.transport import TcpStream, connect
from imagekit.checks.web import Answer, Browser, Page, is_listing, target
from imagekit.names import JUPYTER_PORT, VNC_PORT, WEB_PORT
from imagekit.wait import Deadline, NotYetError, until

_LOG = "the container's log"
_VNC = f"{_LOG}; the password that the image takes (--with env.NAME=@vnc_password)"
_TOKEN = f"{_LOG}; the token that the image takes (--with env.NAME=@jupyter_token)"
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_WRONG = "imagekit-wrong-token"
_NO_SESSION = Session("", "")


def check_vnc(subject: Subject, deadline: Deadline) -> Data:
    """Only the right password opens the desktop, and something is drawn on it.

    On the port of native viewers where it is told, and else over noVNC's usual WebSocket.
    """
    desktop = wanted(subject)
    password = subject.secrets.vnc_password
    with _viewer(subject, deadline) as viewer:
        handshake(viewer, _LOG, _VNC)
        with asking("the desktop with the password", _VNC):
            viewer.authenticate(password)
            screen = viewer.start()
        size = f"{screen.width}x{screen.height}"
        if desktop.geometry and size != desktop.geometry:
            raise CheckFailedError(f"a desktop of {desktop.geometry}", size, _LOG)
        frame = await_picture(viewer, deadline, _LOG)
    asked = "a refusal of a wrong desktop password"
    with _viewer(subject, deadline) as viewer, asking(asked, _LOG):
        handshake(viewer, _LOG, _VNC)
        try:
            viewer.authenticate(WRONG_PASSWORD)
        except RefusedError:
            pass
        else:
            raise CheckFailedError(asked, "a desktop", _LOG)
    return {
        "width": frame.width,
        "height": frame.height,
        "colours": frame.colours(),
        "name": screen.name,
        "over": "TCP" if _is_native(subject) else f"the WebSocket {WEBSOCKET}",
    }


def check_web(subject: Subject, deadline: Deadline) -> Data:
    """The page at / comes whole: HTML with a title, and every module that it loads."""
    wanted(subject)
    with asking("the page at /", _LOG):
        address = subject.address(WEB_PORT)
        browser = Browser(address, deadline)
        path, answer = _follow(browser, browser.await_answer("/"), {"localhost", address[0]})
    if answer.status != 200 or answer.type != "text/html" or is_listing(answer.text):
        got = "a list of files" if is_listing(answer.text) else f"{answer.status}, {answer.type}"
        raise CheckFailedError("the desktop's page at / (200, text/html)", got, _LOG)
    with asking("the page at /", _LOG):
        page = Page(answer.text)
    with asking("the page's JavaScript modules and all that they import", _LOG):
        modules = browser.load_modules(path, page.modules)
    return {"path": path, "title": page.title, "modules": len(modules)}


def check_jupyter(subject: Subject, deadline: Deadline) -> Data:
    """The page opens with the token, a wrong one opens nothing, and a kernel adds 1 and 1."""
    if not subject.plan.jupyter:
        raise CheckSkippedError("the plan has no Jupyter")
    base = subject.foreign.jupyter if subject.foreign else ""
    with asking("Jupyter", _LOG):
        address = subject.address(JUPYTER_PORT)
        server = Notebook(address, subject.secrets.jupyter_token, deadline, base)
        version = server.await_version()
        refused = server.request("GET", f"{base}/api/kernels", token=_WRONG).status
        allowed = server.request("GET", f"{base}/api/kernels").status
    if refused not in {401, 403}:
        raise CheckFailedError("a refusal of a wrong token", f"status {refused}", _LOG)
    if allowed != 200:
        raise CheckFailedError("the kernels with the token", f"status {allowed}", _TOKEN)
    with asking("a kernel's answer", _LOG):
        said = server.compute("print(1 + 1)").strip()
    if said != "2":
        raise CheckFailedError("'2' from a kernel", repr(said[-500:]), _LOG)
    return {"jupyter_server": version, "wrong_token": "refused"}


def _follow(browser: Browser, answer: Answer, hosts: Collection[str]) -> tuple[str, Answer]:
    """Where one redirect on the same server leads, and what is there.

    Raises:
        AnswerError: it leads to a server that has none of the ``hosts``' names.
    """
    if answer.status not in _REDIRECTS:
        return "/", answer
    location = answer.headers.get("location", "")
    found = target("http://localhost/", location)
    if found.hostname not in hosts:
        raise AnswerError(f"a redirect to another server, {location}")
    path = f"{found.path or '/'}{'?' * bool(found.query)}{found.query}"
    return path, browser.await_answer(path)


def _is_native(subject: Subject) -> bool:
    return subject.foreign is not None and VNC_PORT in subject.foreign.ports


@contextmanager
def _viewer(subject: Subject, deadline: Deadline) -> Iterator[Client]:
    """A client whose server has sent its banner."""
    if not _is_native(subject):
        with client(subject, _NO_SESSION, deadline) as viewer:
            yield viewer
        return

    def attempt() -> tuple[Client, ExitStack]:
        with ExitStack() as opened:
            connection = opened.enter_context(connect(address, deadline))
            viewer = Client(TcpStream(connection), deadline)
            try:
                viewer.read_banner()
            except (ConnectionError, EOFError) as error:
                raise NotYetError(str(error) or "the VNC server closes connections") from error
            return viewer, opened.pop_all()

    with asking("an RFB banner", _LOG):
        address = subject.address(VNC_PORT)
        viewer, opened = until(attempt, deadline)
    with opened:
        yield viewer
