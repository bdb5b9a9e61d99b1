"""Which proxy builds go through, and who can reach it."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from imagekit import proxies, site
from imagekit.errors import EngineError, InputError
from imagekit.events import Event, Notice, ignore
from imagekit.proxies import Loopback
from imagekit.site import Site

REMOTE = "tcp://gpu1.example.edu:2376"
NO_ENGINE: Any = None
LOCAL = "unix:///var/run/docker.sock"


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process has no proxy."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.3.2.1", "127.1", "localhost", "LOCALHOST.", "proxy.localhost"),
        *("[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "me:secret@127.0.0.1"),  # noqa: S104
    ],
)
@pytest.mark.parametrize("scheme", ["http://", "socks5://", ""])
def test_a_loopback_is_recognised(monkeypatch: pytest.MonkeyPatch, host: str, scheme: str) -> None:
    monkeypatch.setenv("https_proxy", f"{scheme}{host}:7890/")
    (found,) = proxies.on_loopback(Site())
    assert found == Loopback("HTTPS_PROXY", f"{host.rpartition('@')[2]}:7890")


@pytest.mark.parametrize(
    "proxy",
    [
        *("http://proxy.example.edu:3128", "http://128.0.0.1:1", "http://10.0.0.1:7890"),
        *("http://[2001:db8::1]:3128", "http://localhost.example.edu:1", "http://[x", "http://"),
    ],
)
def test_other_proxies_are_not(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy)
    assert proxies.on_loopback(Site()) == ()
    proxies.check(Site(), REMOTE)
    assert proxies.network(NO_ENGINE, Site(), ignore) == ""


def test_what_is_reached_without_a_proxy_may_be_the_loopback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    assert proxies.on_loopback(Site(no_proxy="localhost")) == ()
    assert proxies.on_loopback(Site()) == ()


def test_a_sites_proxy_is_refused_at_its_place_for_an_engine_elsewhere(
    write: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")  # the site's own comes first
    write("site: 1\nproxy:\n  http: http://127.0.0.1:7890\n  https: http://localhost:7891")
    here = site.load("x.yaml")
    proxies.check(here, LOCAL)
    with pytest.raises(InputError) as refused:
        proxies.check(here, REMOTE)
    rest = (
        f" is on this host's loopback, which the engine at {REMOTE} does not share\n"
        "  hint: name the proxy by an address that the engine's host reaches, "
        "or build on this host"
    )
    assert [str(message) for message in refused.value.messages] == [
        f"x.yaml:3:9: proxy.http: 127.0.0.1:7890{rest}",
        f"x.yaml:4:10: proxy.https: localhost:7891{rest}",
    ]


def test_a_variable_is_refused_by_its_name_and_says_no_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("all_proxy", "socks5h://me:hunter2@127.0.0.1:1080")
    with pytest.raises(InputError) as refused:
        proxies.check(Site(), "ssh://gpu1.example.edu")
    assert str(refused.value).startswith("ALL_PROXY: 127.0.0.1:1080 is on this host's loopback")


def test_nothing_is_contacted_for_a_refusal(
    run_cli: Callable[..., Any], write: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://192.0.2.1:2375")  # TEST-NET-1: it would hang
    write("site: 1\nproxy: {http: 'http://127.0.0.1:7890'}", "site.yaml")
    ended = run_cli("build", "debian12-desktop")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("site.yaml:2:15: proxy.http: 127.0.0.1:7890 is on this host's")


def engine(**info: object) -> Any:
    return SimpleNamespace(where="here", client=SimpleNamespace(info=lambda: info))


AT_HOME = Site(http_proxy="http://127.0.0.1:7890")


def test_steps_share_the_network_of_an_engine_of_this_host() -> None:
    ordinary = engine(SecurityOptions=["name=seccomp"], OperatingSystem="Debian GNU/Linux 12")
    events: list[Event] = []
    assert proxies.network(ordinary, AT_HOME, events.append) == "host"
    text = "proxy 127.0.0.1:7890 is on this host's loopback: build steps use this host's network"
    assert events == [Notice(text)]


@pytest.mark.parametrize(
    ("info", "apart"),
    [
        ({"SecurityOptions": ["name=seccomp,profile=default", "name=rootless"]}, "a rootless"),
        ({"OperatingSystem": "Docker Desktop", "SecurityOptions": None}, "Docker Desktop"),
    ],
)
def test_an_engine_with_a_network_of_its_own_cannot_reach_it(
    info: dict[str, Any], apart: str
) -> None:
    with pytest.raises(EngineError, match=f"loopback, which {apart}.* does not share"):
        proxies.network(engine(**info), AT_HOME, ignore)
