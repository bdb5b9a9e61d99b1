"""Blocks of ten ports, one a person."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Callable, Iterator

import pytest

from imagekit.container import Port
from imagekit.plan.model import Plan
from imagekit.run import ports


@pytest.mark.parametrize(
    ("text", "published"),
    [
        ("desktop: true", (Port(22, "127.0.0.1", 6012), Port(80, "127.0.0.1", 6018))),
        ("desktop: false", (Port(22, "127.0.0.1", 6012),)),
        ("desktop: true\nsshd: false", (Port(80, "127.0.0.1", 6018),)),
        ("sshd: false", ()),
        ("sshd: false\njupyter: true", (Port(8888, "127.0.0.1", 6019),)),
    ],
)
def test_services_are_published_at_their_places_in_the_block(
    planned: Callable[[str], Plan], text: str, published: tuple[Port, ...]
) -> None:
    assert ports.published(planned(text), "127.0.0.1", 6010) == published


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """Ports that this host listens on."""
    listening: set[int] = set()
    monkeypatch.setattr(ports, "_is_free", lambda _, port: port not in listening)
    return listening


def first(count: int, blocks: Iterator[int]) -> list[int]:
    return list(itertools.islice(blocks, count))


def test_blocks_are_handed_out_upwards(busy: set[int]) -> None:
    assert first(3, ports.free_blocks(6010, (), "127.0.0.1")) == [6010, 6020, 6030]


def test_blocks_that_someone_has_are_left_out(busy: set[int]) -> None:
    assert first(2, ports.free_blocks(6010, {6010, 6030}, "127.0.0.1")) == [6020, 6040]


@pytest.mark.parametrize("port", [6012, 6018, 6019])
def test_blocks_with_a_port_in_use_are_left_out(busy: set[int], port: int) -> None:
    busy.add(port)
    assert first(1, ports.free_blocks(6010, (), "127.0.0.1")) == [6020]


def test_blocks_end_where_ports_end(busy: set[int]) -> None:
    assert list(ports.free_blocks(65_500, (), "127.0.0.1")) == [65_500, 65_510, 65_520]


def test_a_port_that_somebody_listens_on_is_not_free() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        assert not ports._is_free("127.0.0.1", port)
        assert not ports._is_free("0.0.0.0", port)  # noqa: S104
    assert ports._is_free("127.0.0.1", port)


def test_an_address_of_another_host_says_nothing() -> None:
    assert ports._is_free("192.0.2.1", 6012)  # RFC 5737: nobody's
