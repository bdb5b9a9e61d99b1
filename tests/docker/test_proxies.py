"""Builds through a proxy on this host's loopback."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from imagekit import proxies
from imagekit.context import Context, ContextFile
from imagekit.engine import buildkit
from imagekit.engine.connection import Engine
from imagekit.events import ignore
from imagekit.site import Site


class Proxy(BaseHTTPRequestHandler):
    """Answers every request itself, so that a build sees who it went through."""

    def do_GET(self) -> None:
        body = f"the proxy has {self.path}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def proxy() -> Iterator[str]:
    """A proxy that listens on this host's loopback alone."""
    listening = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{listening.server_port}"
    listening.shutdown()
    thread.join()
    listening.server_close()


# apt's own way of fetching, which reads http_proxy as every program in a build does.
FETCH = "/usr/lib/apt/apt-helper download-file http://nowhere.invalid/{name} /fetched"


def test_a_proxy_on_the_loopback_is_reached(engine: Engine, tiny_base: str, proxy: str) -> None:
    name = uuid.uuid4().hex
    dockerfile = (
        f"FROM {tiny_base}\nRUN {FETCH.format(name=name)} && grep -q {name} /fetched\nRUN :\n"
    )
    context = Context((ContextFile("Dockerfile", dockerfile.encode()),))
    site = Site(http_proxy=proxy)
    network = proxies.network(engine, site, ignore)
    built = buildkit.build(engine, context, build_args=proxies.environment(site), network=network)
    history = engine.client.images.get(built.image_id).history()
    engine.client.images.remove(built.image_id)
    assert proxy not in str(history)


def test_the_hosts_network_is_part_of_a_steps_cache_key(engine: Engine, tiny_base: str) -> None:
    dockerfile = f"FROM {tiny_base}\nRUN : {uuid.uuid4().hex}\n"
    context = Context((ContextFile("Dockerfile", dockerfile.encode()),))
    cached, made = [], set()
    for network in ("host", "host", ""):
        built = buildkit.build(engine, context, network=network)
        made.add(built.image_id)
        cached.append(next(step.cached for step in built.steps if "RUN" in step.name))
    for image in made:
        engine.client.images.remove(image)
    assert cached == [False, True, False]
