"""Files from addresses: through the site's proxy, with its certificates, kept by content."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

import requests
import urllib3.exceptions
from requests.adapters import HTTPAdapter
from requests.utils import get_netrc_auth, should_bypass_proxies

from imagekit import atomic, home, proxies
from imagekit.engine.faults import shorten
from imagekit.errors import Message, NetworkError
from imagekit.events import Emit, StepProgress, step
from imagekit.site import Site

_TIMEOUT = 60.0  # seconds for a connection, and without a byte
_TRIES = 4  # a connection that breaks is made again, and goes on where it broke
_CHUNK = 1 << 18  # bytes
_MAX_SMALL = 4 << 20  # bytes
_KINDS = ("http", "https", "all")  # of proxies
_BROKEN = (requests.ConnectionError, urllib3.exceptions.ProtocolError)
_START = re.compile(r"bytes (\d+)-")  # Content-Range, RFC 9110, section 14.4


def small(url: str, site: Site) -> bytes:
    """A file of at most 4 MiB.

    Raises:
        NetworkError: it is larger, or cannot be had.
    """
    with (
        _session(site, url) as session,
        _in_words(url),
        session.get(url, stream=True, timeout=_TIMEOUT) as response,
    ):
        _demand_ok(url, response)
        data: bytes = response.raw.read(_MAX_SMALL + 1)
    if len(data) > _MAX_SMALL:
        raise NetworkError(Message(url, f"is larger than {_MAX_SMALL >> 20} MiB"))
    return data


def kept(url: str, sha256: str, site: Site, on_event: Emit) -> Path:
    """A file of the user's cache folder with the content that ``sha256`` (hex) names.

    It is fetched when it is not there. Its name is the checksum, so nothing in the cache is
    ever out of date; whoever reads it checks it.

    Raises:
        NetworkError: it cannot be had, or is another.
        OSError: it cannot be written.
    """
    file = home.cache() / "archives" / sha256
    if file.is_file():
        return file
    file.parent.mkdir(parents=True, exist_ok=True)
    with step(f"fetch {url}", on_event), atomic.written(file) as target:
        _fetch(url, site, target, on_event)
        _demand_checksum(url, target, sha256)
    return file


def _fetch(url: str, site: Site, target: IO[bytes], on_event: Emit) -> None:
    """Write what is at ``url``; a connection that breaks is made again at once."""
    with _session(site, url) as session, _in_words(url):
        for tries_left in reversed(range(_TRIES)):
            try:
                _go_on(session, url, target, on_event)
                break
            except _BROKEN:
                if not tries_left:
                    raise


def _demand_checksum(url: str, target: IO[bytes], sha256: str) -> None:
    digest = hashlib.sha256()
    target.seek(0)
    while chunk := target.read(_CHUNK):
        digest.update(chunk)
    if (found := digest.hexdigest()) != sha256:
        what = f"its sha256 is {found}, and not {sha256}"
        raise NetworkError(Message(url, what, "check the sha256, and who answers there"))


def _go_on(session: requests.Session, url: str, target: IO[bytes], on_event: Emit) -> None:
    """Write what ``target`` lacks of a file; all of it from a server that knows no ranges."""
    there = target.tell()
    headers = {"Range": f"bytes={there}-"} if there else {}
    with session.get(url, headers=headers, stream=True, timeout=_TIMEOUT) as response:
        _demand_ok(url, response)
        start = _START.match(response.headers.get("Content-Range", ""))
        if there and not (response.status_code == requests.codes.partial and start):
            target.seek(0)
            target.truncate()
        total = target.tell() + int(response.headers.get("Content-Length") or 0)
        # As it is: requests would unpack what a server calls an encoding.
        for chunk in response.raw.stream(_CHUNK, decode_content=False):
            target.write(chunk)
            on_event(StepProgress(f"fetch {url}", url, target.tell(), total))


def _demand_ok(url: str, response: requests.Response) -> None:
    if not response.ok:
        what = f"the server answers {response.status_code} {response.reason}"
        raise NetworkError(Message(url, what, "check the address"))


@contextmanager
def _session(site: Site, url: str) -> Iterator[requests.Session]:
    """A session that goes as builds do: by the site's proxy, or the one of the environment."""
    with requests.Session() as session, tempfile.NamedTemporaryFile(suffix=".pem") as bundle:
        # requests prefers REQUESTS_CA_BUNDLE to what the session says (psf/requests issue
        # 3829), so what it would read from the environment is read here.
        session.trust_env = False
        session.auth = get_netrc_auth(url)
        way = _Way(proxies.environment(site))
        session.mount("http://", way)
        session.mount("https://", way)
        if site.ca_certificates:
            # Beside those that requests trusts itself, and not in their place.
            bundle.write(
                Path(requests.utils.DEFAULT_CA_BUNDLE_PATH).read_bytes()
                + b"\n"
                + site.ca_certificates
            )
            bundle.flush()
            session.verify = bundle.name
        else:
            named = (os.environ.get(name) for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"))
            session.verify = next(filter(None, named), True)
        session.headers["Accept-Encoding"] = "identity"
        yield session


class _Way(HTTPAdapter):
    """Sends each request, those of redirections too, by the proxy that its address needs."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """``environment`` names proxies as programs read them."""
        super().__init__()
        self._environment = environment

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> Any:
        named = {kind: self._environment.get(f"{kind}_proxy", "") for kind in _KINDS}
        direct = should_bypass_proxies(
            str(request.url), no_proxy=self._environment.get("no_proxy", "")
        )
        kwargs["proxies"] = {} if direct else {kind: way for kind, way in named.items() if way}
        return super().send(request, *args, **kwargs)


@contextmanager
def _in_words(url: str) -> Iterator[None]:
    """Turn what goes wrong on the way into a NetworkError.

    Raises:
        NetworkError: instead of what requests and urllib3 raise.
    """
    hint = f"check the way to {urlsplit(url).netloc}"
    try:
        yield
    except requests.exceptions.SSLError as error:
        hint = "a proxy's own CA certificate goes into the site's ca_certificates"
        raise NetworkError(
            Message(url, f"its certificate is not trusted: {error}", hint)
        ) from error
    except (requests.Timeout, urllib3.exceptions.TimeoutError) as error:
        raise NetworkError(Message(url, f"no answer for {_TIMEOUT:g} s", hint)) from error
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise NetworkError(
            Message(url, f"cannot be fetched: {shorten(str(error))}", hint)
        ) from error
