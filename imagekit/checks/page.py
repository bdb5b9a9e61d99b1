"""The desktop's page and its front: what is served, to whom, and over what."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Mapping, Sequence
from functools import partial

from cryptography import x509

from imagekit.checks.check import CheckFailedError, Data, asking
from imagekit.checks.entry import VNC_LOG, WEB_LOG, client, open_session, wanted
from imagekit.checks.front import HEALTH, SESSION, WEBSOCKET, Session
from imagekit.checks.subject import Subject
from imagekit.checks.transport import NO_HEADERS, UpgradeRefusedError, websocket
from imagekit.checks.web import Answer, Browser, Page, is_listing
from imagekit.names import WEB_PORT
from imagekit.wait import Deadline, NotYetError, until

RFB_MODULE = "/novnc/core/rfb.js"
_LISTABLE = ("/novnc", "/novnc/", "/novnc/core", "/novnc/core/")
_FOREIGN = {"Origin": "http://another.example"}

# Header, and what its value has to hold, in lower case.
_SAFE = (
    ("content-security-policy", "default-src 'none'"),
    ("content-security-policy", "frame-ancestors 'self'"),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cache-control", "no-cache"),
)
_PAGE = "/opt/imagekit/web/htdocs/index.html"
_CERTIFICATE = "/usr/lib/imagekit/certificate"
_LOCATIONS = "/etc/imagekit/front/locations.conf"


def check_web(subject: Subject, deadline: Deadline) -> Data:
    """The page comes whole and safe, by HTTP and TLS, and only its session gets through."""
    wanted(subject)
    with asking("the page at /", WEB_LOG):
        browser = Browser(subject.address(WEB_PORT), deadline)
        page, modules = _check_page(browser, browser.await_answer("/"))
    _check_health(browser, deadline)
    names = _check_tls(subject, deadline)
    with asking(f"a refusal at {SESSION} without a password", WEB_LOG):
        status = browser.await_answer(SESSION).status
    if status != 401:
        raise CheckFailedError(f"401 at {SESSION} without a password", str(status), _LOCATIONS)
    session = open_session(subject, deadline)
    with client(subject, session, deadline) as viewer, asking("an RFB banner", VNC_LOG):
        banner = viewer.read_banner()
    _check_secure_websocket(subject, session, deadline)
    _check_strangers(subject, session, deadline)
    return {"title": page.title, "modules": modules, "rfb": banner, "tls": names}


def _check_page(browser: Browser, answer: Answer) -> tuple[Page, int]:
    if answer.status != 200 or answer.type != "text/html" or is_listing(answer.text):
        got = "a list of files" if is_listing(answer.text) else f"{answer.status}, {answer.type}"
        raise CheckFailedError("the desktop's page at / (200, text/html)", got, WEB_LOG)
    page = Page(answer.text)
    if not page.title:
        raise CheckFailedError("a page at / with a title", "none", _PAGE)
    if not page.asks:
        raise CheckFailedError("a page at / with a login", "no field for a password", _PAGE)
    for name, part in _SAFE:
        if part not in (value := answer.headers.get(name, "")).lower():
            got = value or "no such header"
            raise CheckFailedError(f"{name} with {part}", got, "/etc/imagekit/front/headers.conf")
    with asking("the page's JavaScript modules and all that they import", WEB_LOG):
        modules = browser.load_modules("/", page.modules)
    if RFB_MODULE not in modules:
        got = f"{len(modules)} other modules"
        raise CheckFailedError(f"a page at / that loads {RFB_MODULE}", got, _PAGE)
    for folder in _LISTABLE:
        with asking(f"{folder} without a list of files", WEB_LOG):
            listing = browser.await_answer(folder)
        if listing.status == 200:
            got = "one" if is_listing(listing.text) else "200"
            raise CheckFailedError(f"{folder} without a list of files", got, _LOCATIONS)
    return page, len(modules)


def _check_health(browser: Browser, deadline: Deadline) -> None:
    def attempt() -> None:
        if (status := browser.await_answer(HEALTH).status) != 200:
            raise NotYetError(f"{status} at {HEALTH}")

    with asking(f"200 at {HEALTH} without a login", f"{WEB_LOG}; {VNC_LOG}"):
        until(attempt, deadline)


def _check_tls(subject: Subject, deadline: Deadline) -> list[str]:
    """TLS on the same port, with a certificate that names the container; its names."""
    with asking("the container's name"):
        _, hostname = subject.inside.execute(["hostname"])
    browser = Browser(subject.address(WEB_PORT), deadline, tls=True)
    with asking("the page by https on the port of http", WEB_LOG):
        status = browser.await_answer("/").status
        certificate = browser.certificate()
    if status != 200:
        raise CheckFailedError("200 at / by https", str(status), WEB_LOG)
    named = _names(certificate)
    due = {"localhost", "127.0.0.1", "::1", hostname.strip()}
    if missing := due - set(named):
        raise CheckFailedError(
            f"a certificate that names {', '.join(sorted(missing))}",
            f"one for {', '.join(named) or 'nobody'}",
            _CERTIFICATE,
        )
    if (end := _end(certificate)) < datetime.datetime.now(datetime.timezone.utc):
        raise CheckFailedError("a certificate that is good today", f"one until {end}", _CERTIFICATE)
    return named


def _end(certificate: x509.Certificate) -> datetime.datetime:
    """In UTC; ``not_valid_after_utc`` is there since cryptography 42."""
    aware = getattr(certificate, "not_valid_after_utc", None)
    return aware or certificate.not_valid_after.replace(tzinfo=datetime.timezone.utc)


def _names(certificate: x509.Certificate) -> list[str]:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    names = extension.value.get_values_for_type(x509.DNSName)
    addresses = extension.value.get_values_for_type(x509.IPAddress)
    return [*names, *(str(ipaddress.ip_interface(address).ip) for address in addresses)]


def _check_secure_websocket(subject: Subject, session: Session, deadline: Deadline) -> None:
    """A page that came by https may open no WebSocket but one over TLS."""
    with client(subject, session, deadline, tls=True):
        pass


def _check_strangers(subject: Subject, session: Session, deadline: Deadline) -> None:
    """The WebSocket opens for nobody without the token, and for no other site's page."""
    address = subject.address(WEB_PORT)
    attempts: tuple[tuple[str, Sequence[str], Mapping[str, str]], ...] = (
        ("without a session", ("binary",), NO_HEADERS),
        ("with another token", ("binary", f"imagekit.{session.token[::-1]}"), NO_HEADERS),
        ("from another site's page", session.protocols, _FOREIGN),
    )
    for how, protocols, headers in attempts:
        asked = f"a refusal (403) of the WebSocket {how}"

        def attempt(protocols: Sequence[str], headers: Mapping[str, str]) -> str:
            try:
                with websocket(address, WEBSOCKET, deadline, protocols, headers):
                    return "an open one"
            except UpgradeRefusedError as refused:
                return str(refused.status)
            # A busy front may break a connection off, which is no answer.
            except ConnectionError as error:
                raise NotYetError(str(error)) from error

        with asking(asked, _LOCATIONS):
            got = until(partial(attempt, protocols, headers), deadline)
        if got != "403":
            raise CheckFailedError(asked, got, _LOCATIONS)
