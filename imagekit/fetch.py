"""Files from addresses: through the site's proxy, with its certificates."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import requests
import urllib3.exceptions
from requests.utils import should_bypass_proxies

from imagekit.engine.faults import shorten
from imagekit.errors import Message, NetworkError
from imagekit.site import Site

_TIMEOUT = 60.0  # seconds for a connection, and without a byte
_MAX_SMALL = 4 << 20  # bytes


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


def _demand_ok(url: str, response: requests.Response) -> None:
    if not response.ok:
        what = f"the server answers {response.status_code} {response.reason}"
        raise NetworkError(Message(url, what, "check the address"))


@contextmanager
def _session(site: Site, url: str) -> Iterator[requests.Session]:
    """A session that goes as builds do: by the site's proxy, or the one of the environment."""
    with requests.Session() as session, tempfile.NamedTemporaryFile(suffix=".pem") as bundle:
        if site.ca_certificates:
            # Beside those that requests trusts itself, and not in their place.
            bundle.write(
                Path(requests.utils.DEFAULT_CA_BUNDLE_PATH).read_bytes()
                + b"\n"
                + site.ca_certificates
            )
            bundle.flush()
            session.verify = bundle.name
        if site.http_proxy or site.https_proxy:
            session.trust_env = False
            if not should_bypass_proxies(url, no_proxy=site.no_proxy):
                session.proxies = {"http": site.http_proxy, "https": site.https_proxy}
        session.headers["Accept-Encoding"] = "identity"
        yield session


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
