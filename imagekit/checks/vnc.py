"""The X server as viewers meet it: who gets in, what they see, and on which ports."""

from __future__ import annotations

from imagekit.checks import vencrypt
from imagekit.checks.answer import PYTHON, answered
from imagekit.checks.check import CheckFailedError, Data, asking
from imagekit.checks.entry import (
    VNC_LOG,
    WEB_LOG,
    WRONG_PASSWORD,
    client,
    handshake,
    join,
    open_session,
    wanted,
)
from imagekit.checks.front import SESSION, LoginRefusedError, Session, log_in
from imagekit.checks.picture import await_picture
from imagekit.checks.rfb import VNC_AUTHENTICATION, Client, RefusedError
from imagekit.checks.subject import Subject
from imagekit.checks.transport import TcpStream, connect
from imagekit.checks.web import Browser
from imagekit.names import VNC_PORT, WEB_PORT
from imagekit.plan.model import Desktop
from imagekit.wait import Deadline, NotYetError, until

_SECURITY_TYPES = "the -SecurityTypes that Xtigervnc gets"

# The ports on which the X server listens beyond the loopback, as its account may see them:
# https://docs.kernel.org/networking/proc_net_tcp.html (0A is LISTEN, addresses are in hex).
_PORTS = r"""
import json, os
mine = set()
for pid in filter(str.isdigit, os.listdir("/proc")):
    try:
        if open(f"/proc/{pid}/comm").read().strip() not in ("Xtigervnc", "Xvnc"):
            continue
        for number in os.listdir(f"/proc/{pid}/fd"):
            mine.add(os.readlink(f"/proc/{pid}/fd/{number}"))
    except OSError:
        continue
ports = set()
for name in ("/proc/net/tcp", "/proc/net/tcp6"):
    try:
        lines = open(name).read().splitlines()[1:]
    except OSError:
        continue
    for line in lines:
        words = line.split()
        address, port = words[1].split(":")
        loopback = address in ("0100007F", "0" * 24 + "01000000")
        if words[3] == "0A" and f"socket:[{words[9]}]" in mine and not loopback:
            ports.add(int(port, 16))
print("imagekit:" + json.dumps(sorted(ports)))
"""


def check_vnc(subject: Subject, deadline: Deadline) -> Data:
    """Only the right password opens the desktop, and something is drawn on it."""
    desktop = wanted(subject)
    session = open_session(subject, deadline)
    with client(subject, session, deadline) as viewer:
        screen = join(viewer, session)
        size = f"{screen.width}x{screen.height}"
        if size != desktop.geometry:
            raise CheckFailedError(
                f"a desktop of {desktop.geometry}", size, "the geometry that Xtigervnc gets"
            )
        frame = await_picture(viewer, deadline, VNC_LOG)
    _check_refusal_of_the_front(subject, deadline)
    _check_refusal_of_the_server(subject, session, deadline)
    return {
        "width": frame.width,
        "height": frame.height,
        "colours": frame.colours(),
        "name": screen.name,
        "native": _check_native(subject, desktop, deadline),
    }


def _check_refusal_of_the_front(subject: Subject, deadline: Deadline) -> None:
    asked = "a refusal of a wrong desktop password"

    def is_refused() -> bool:
        try:
            log_in(Browser(subject.address(WEB_PORT), deadline), WRONG_PASSWORD)
        except ConnectionError as error:
            raise NotYetError(f"the web server closes connections ({error})") from error
        except LoginRefusedError as refused:
            if refused.status in {401, 429}:  # 429: so many logins that none is looked at
                return True
            raise
        return False

    with asking(asked, WEB_LOG):
        refused = until(is_refused, deadline)
    if not refused:
        raise CheckFailedError(asked, "a session", f"auth_basic of {SESSION} in nginx")


def _check_refusal_of_the_server(subject: Subject, session: Session, deadline: Deadline) -> None:
    """Who has the front's token alone does not get to the screen."""
    with (
        client(subject, session, deadline) as viewer,
        asking("a refusal of a wrong password by the X server", VNC_LOG),
    ):
        handshake(viewer)
        try:
            viewer.authenticate(WRONG_PASSWORD)
        except RefusedError:
            return
    raise CheckFailedError(
        "a refusal of a wrong password by the X server", "a login", "-rfbauth of Xtigervnc"
    )


def _check_native(subject: Subject, desktop: Desktop, deadline: Deadline) -> str:
    """The port of VNC's own viewers is as the plan says; how they get in."""
    _check_ports(subject, desktop, deadline)
    if desktop.vnc == "tls":
        return _check_tls(subject, deadline)
    if desktop.vnc == "password":
        return _check_password(subject, deadline)
    return "off"


def _check_ports(subject: Subject, desktop: Desktop, deadline: Deadline) -> None:
    due = [] if desktop.vnc == "off" else [VNC_PORT]
    asked = f"an X server that listens on {_listed(due)} (desktop.vnc is {desktop.vnc})"
    with asking(asked):
        code, text = subject.inside.execute(
            [PYTHON, "-c", _PORTS], user=subject.plan.user.name, timeout=deadline.timeout()
        )
        found = answered(code, text)
    if found != due:
        got = f"one on {_listed(found)}"
        raise CheckFailedError(asked, got, "the -rfbport that Xtigervnc gets")


def _listed(ports: list[int]) -> str:
    return f"port {', '.join(map(str, ports))}" if ports else "no port but the loopback's"


def _check_tls(subject: Subject, deadline: Deadline) -> str:
    address, user = subject.address(VNC_PORT), subject.plan.user.name
    with asking(f"a login of {user} by VeNCrypt's X509Plain", f"{VNC_LOG}; PAM"):
        offer = vencrypt.login(address, user, subject.secrets.password, deadline)
        try:
            vencrypt.login(address, user, WRONG_PASSWORD, deadline)
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
            _SECURITY_TYPES,
        )
    return "tls"


def _check_password(subject: Subject, deadline: Deadline) -> str:
    with asking("a native viewer's login with the secret vnc_password", VNC_LOG):
        connection = connect(subject.address(VNC_PORT), deadline)
        with connection:
            viewer = Client(TcpStream(connection), deadline)
            offered = handshake(viewer)
            viewer.authenticate(subject.secrets.vnc_password)
    if offered != (VNC_AUTHENTICATION,):
        raise CheckFailedError("VNC authentication alone", f"{offered}", _SECURITY_TYPES)
    return "password"
