"""The proxy that builds go through: which it is, and whether build steps can reach it."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from imagekit.engine.connection import Engine, runs_apart
from imagekit.errors import EngineError, InputError, Message
from imagekit.events import Emit, Notice
from imagekit.site import Site

# Arguments that BuildKit knows without an ARG line and keeps out of the cache key
# (https://docs.docker.com/reference/dockerfile/#predefined-args).
_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "ALL_PROXY", "NO_PROXY")
_SITE_KEYS = {"HTTP_PROXY": "http", "HTTPS_PROXY": "https"}
_NO_PROXY = "NO_PROXY"

HOST_NETWORK = "host"
"""BuildKit's name of the network in which a step's loopback is the engine's host's."""


@dataclass(frozen=True, slots=True)
class Loopback:
    """A proxy that listens on this host's loopback.

    Attributes:
        where: the variable, or the place and key in the site file.
        address: host and port, without whoever logs in.
    """

    where: str
    address: str


def environment(site: Site) -> dict[str, str]:
    """The site's proxy, or this process's, in the spellings that programs read."""
    return {
        spelling: value
        for name, value in _named(site).items()
        if value
        for spelling in (name, name.lower())
    }


def on_loopback(site: Site) -> tuple[Loopback, ...]:
    """The proxies that only programs in this host's own network reach."""
    return tuple(_found(site))


def check(site: Site, engine_url: str) -> None:
    """Refuse a proxy on this host's loopback for an engine that may be elsewhere.

    Args:
        site: names the proxy; without one this process's environment does.
        engine_url: the engine's address. Nothing is asked of it.

    Raises:
        InputError: a step of that engine cannot reach the proxy.
    """
    found = on_loopback(site)
    if found and not engine_url.startswith("unix://"):
        hint = "name the proxy by an address that the engine's host reaches, or build on this host"
        raise InputError(
            Message(
                one.where,
                f"{one.address} is on this host's loopback, which the engine at {engine_url} "
                "does not share",
                hint,
            )
            for one in found
        )


def network(engine: Engine, site: Site, on_event: Emit) -> str:
    """The network that build steps need: ``HOST_NETWORK``, or empty for the engine's own.

    Raises:
        EngineError: a proxy on this host's loopback is out of this engine's reach.
    """
    found = on_loopback(site)
    if not found:
        return ""
    if apart := runs_apart(engine):
        hint = "let the proxy listen on an address of this host's network, and name that"
        raise EngineError(
            Message(
                one.where,
                f"{one.address} is on this host's loopback, which {apart} does not share",
                hint,
            )
            for one in found
        )
    addresses = ", ".join(dict.fromkeys(one.address for one in found))
    what = "is on this host's loopback: build steps use this host's network"
    on_event(Notice(f"proxy {addresses} {what}"))
    return HOST_NETWORK


def _named(site: Site) -> dict[str, str]:
    named = {
        "HTTP_PROXY": site.http_proxy,
        "HTTPS_PROXY": site.https_proxy,
        _NO_PROXY: site.no_proxy,
    }
    if any(named.values()):
        return named
    return {name: os.environ.get(name) or os.environ.get(name.lower()) or "" for name in _VARIABLES}


def _found(site: Site) -> Iterator[Loopback]:
    of_site = bool(site.http_proxy or site.https_proxy or site.no_proxy)
    for name, value in _named(site).items():
        if name == _NO_PROXY or not value:
            continue
        host, address = _host(value)
        if _is_loopback(host):
            key = _SITE_KEYS.get(name, "")
            where = f"{site.where('proxy', key)}: proxy.{key}" if of_site else name
            yield Loopback(where, address)


def _host(proxy: str) -> tuple[str, str]:
    """A proxy's host, and the host with its port; empty for what is no address."""
    try:
        parts = urlsplit(proxy if "://" in proxy else f"//{proxy}")
        return parts.hostname or "", parts.netloc.rpartition("@")[2]
    except ValueError:  # brackets that are no IPv6 address
        return "", ""


def _is_loopback(host: str) -> bool:
    """Whether a host is the one that asks; no name is looked up.

    ``localhost`` and names below it are always loopback (RFC 6761, section 6.3), and an
    unspecified address connects to the same host.
    """
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        try:
            address = ipaddress.IPv4Address(socket.inet_aton(name))  # 127.1, as programs read it
        except OSError:
            return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    found = mapped or address
    return found.is_loopback or found.is_unspecified
