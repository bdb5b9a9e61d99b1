"""What a browser would fetch: a page, its ES modules, and theirs.

Sources: the JavaScript content types are those of the WHATWG's MIME Sniffing Standard
(https://mimesniff.spec.whatwg.org/#javascript-mime-type); a browser refuses a module of
any other (https://html.spec.whatwg.org/multipage/webappapis.html#fetch-a-single-module-script).
"""

from __future__ import annotations

import http.client
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from cryptography import x509

from imagekit.checks.check import AnswerError
from imagekit.checks.transport import NO_HEADERS, connect, secured
from imagekit.wait import Deadline, NotYetError, T, until

JAVASCRIPT_TYPES = frozenset({"text/javascript", "application/javascript"})

_LARGEST_BODY = 8 << 20
_MOST_MODULES = 300
# What an address may hold as it is (RFC 3986); of all else a browser sends the bytes' numbers.
_SAFE = "!#$%&'()*+,/:;=?@[]~"
# `import … from "./x.js"`, `export … from "./x.js"`, `import "./x.js"`, `import("./x.js")`.
# Only paths count: text in comments and strings seldom looks like one.
_IMPORT = re.compile(
    r"""(?:\bfrom|\bimport|\bimport\s*\()\s*["']((?:\.{0,2}/)[^"'\s]+)["']""", re.VERBOSE
)


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer.

    Attributes:
        status: the status code.
        type: the content type without its parameters.
        text: the body.
        headers: names in lower case to values.
    """

    status: int
    type: str
    text: str
    headers: Mapping[str, str] = field(default_factory=dict)


class Browser:
    """GET requests to one server, each with what is left of the deadline.

    With ``tls`` they go over TLS, and any certificate is taken.
    """

    def __init__(self, address: tuple[str, int], deadline: Deadline, *, tls: bool = False) -> None:
        self._address = address
        self._deadline = deadline
        self._tls = tls

    def get(self, path: str, headers: Mapping[str, str] = NO_HEADERS) -> Answer:
        """One request; redirects are not followed.

        Args:
            path: as people write it, or as it is sent.
            headers: beside the usual ones.

        Raises:
            OSError: the server cannot be reached, or it did not answer in time.
            AnswerError: what came back is not HTTP, or too much.
        """
        # A connection each: a server may close it after an answer, and a request on it
        # would then fail for no fault of the image.
        connection = http.client.HTTPConnection(*self._address)
        connection.sock = connect(self._address, self._deadline)
        try:
            connection.sock.settimeout(self._deadline.timeout())
            if self._tls:
                connection.sock = secured(connection.sock)
            sent = quote(path, safe=_SAFE)
            connection.request("GET", sent, headers={"Host": "localhost", **headers})
            response = connection.getresponse()
            body = response.read(_LARGEST_BODY + 1)
            kind = response.headers.get_content_type()
            got = {name.lower(): _text(value) for name, value in response.headers.items()}
        except http.client.HTTPException as error:
            if isinstance(error, ConnectionError):
                raise
            raise AnswerError(f"no HTTP at {path}: {error!r}") from error
        finally:
            connection.close()
        if len(body) > _LARGEST_BODY:
            raise AnswerError(f"more than {_LARGEST_BODY} bytes at {path}")
        return Answer(response.status, kind, body.decode(errors="replace"), got)

    def certificate(self) -> x509.Certificate:
        """The server's own certificate, however often the connection breaks before it comes.

        Raises:
            OSError: the server cannot be reached, or TLS does not come about.
        """

        def attempt() -> bytes:
            with connect(self._address, self._deadline) as plain:
                plain.settimeout(self._deadline.timeout())
                with secured(plain) as secure:
                    return secure.getpeercert(binary_form=True) or b""

        return x509.load_der_x509_certificate(self._persistently(attempt))

    def await_answer(self, path: str) -> Answer:
        """The first answer, however often the connection breaks until the server is up.

        Raises:
            OSError: there was none in time.
            AnswerError: as for ``get``.
        """
        return self._persistently(lambda: self.get(path))

    def _persistently(self, ask: Callable[[], T]) -> T:
        """What comes of asking, again where a connection breaks off, which is no answer."""

        def attempt() -> T:
            try:
                return ask()
            except ConnectionError as error:
                raise NotYetError(f"the web server closes connections ({error})") from error

        return until(attempt, self._deadline)

    def load_modules(self, base: str, roots: frozenset[str]) -> dict[str, str]:
        """Fetch modules and all that they import, as a browser does.

        Args:
            base: path of the page.
            roots: what the page loads, relative to ``base`` or absolute.

        Returns:
            The path of every module and its text.

        Raises:
            AnswerError: one is missing, of another content type, or from another server.
            OSError: as for ``get``.
        """
        texts: dict[str, str] = {}
        waiting = [(_resolve(base, root), base) for root in sorted(roots)]
        while waiting:
            path, wanted_by = waiting.pop()
            if path in texts:
                continue
            if len(texts) >= _MOST_MODULES:
                raise AnswerError(f"more than {_MOST_MODULES} modules")
            answer = self.await_answer(path)
            got = f"{answer.status} and {answer.type}"
            if answer.status != 200 or answer.type not in JAVASCRIPT_TYPES:
                raise AnswerError(f"{got} for the module {path}, wanted by {wanted_by}")
            texts[path] = answer.text
            waiting += [(_resolve(path, name), path) for name in _IMPORT.findall(answer.text)]
        return texts


class Page(HTMLParser):
    """A page's title, its login and the modules that it loads.

    Attributes:
        title: the title's text, stripped.
        asks: whether it has a field for a password.
        modules: the ``src`` of its module scripts and what its inline ones import.
    """

    def __init__(self, text: str) -> None:
        """Read it.

        Raises:
            AnswerError: it cannot be read.
        """
        super().__init__()
        self._inside = ""
        self.title = ""
        self.asks = False
        self.modules: frozenset[str] = frozenset()
        try:
            self.feed(text)
            self.close()
        except AssertionError as error:  # of a declaration that HTMLParser does not know
            raise AnswerError(f"no HTML: {error}") from error
        self.title = self.title.strip()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """See ``HTMLParser``."""
        values = dict(attrs)
        self.asks |= tag == "input" and values.get("type") == "password"
        is_module = tag == "script" and values.get("type") == "module"
        self._inside = tag if tag == "title" or is_module else ""
        if is_module and (source := values.get("src")):
            self.modules |= {source}

    def handle_endtag(self, tag: str) -> None:
        """See ``HTMLParser``."""
        if tag == self._inside:
            self._inside = ""

    def handle_data(self, data: str) -> None:
        """See ``HTMLParser``."""
        if self._inside == "title":
            self.title += data
        elif self._inside == "script":
            self.modules |= frozenset(_IMPORT.findall(data))


def is_listing(text: str) -> bool:
    """Whether a page is a web server's list of a folder's files."""
    return bool(re.search(r"directory listing|<title>\s*index of", text, re.IGNORECASE))


def target(base: str, reference: str) -> SplitResult:
    """Where a reference leads.

    Args:
        base: the address of what holds it.
        reference: relative to ``base`` or absolute.

    Raises:
        AnswerError: it is no address.
    """
    try:
        return urlsplit(urljoin(base, reference))
    except ValueError as error:
        raise AnswerError(f"{reference}, which is no address") from error


def _resolve(base: str, reference: str) -> str:
    found = target(f"http://image{base}", reference)
    if found.netloc != "image":
        raise AnswerError(f"a module from another server, {reference}, wanted by {base}")
    return f"{found.path}?{found.query}" if found.query else found.path


def _text(header: str) -> str:
    """A header's value, which http.client has read as ISO 8859-1, and is mostly UTF-8."""
    return header.encode("latin-1", "replace").decode(errors="replace")
