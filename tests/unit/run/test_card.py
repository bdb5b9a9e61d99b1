"""The card: how a person logs in."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import asdict

import pytest

from imagekit.container import Secrets
from imagekit.plan.model import Plan
from imagekit.run.card import card
from imagekit.run.person import Person

SECRETS = Secrets("ssh-pass", "desktop", "")


@pytest.fixture
def person(planned: Callable[[str], Plan]) -> Callable[..., Person]:
    def made(
        bind: str = "127.0.0.1", ports: tuple[tuple[int, int], ...] = ((22, 6012), (80, 6018))
    ) -> Person:
        plan = planned("user: {name: lab}")
        return Person("zhang", "id", "image", "running", plan, bind, ports, 6010)

    return made


MakePerson = Callable[..., Person]


def test_a_card_says_address_command_and_passwords(person: MakePerson) -> None:
    assert card(person()).lines(SECRETS) == (
        "zhang · x · running",
        "  desktop   http://127.0.0.1:6018/",
        "            password desktop",
        "  ssh       ssh -p 6012 lab@127.0.0.1",
        "            password ssh-pass",
        "  reachable from this host only; `run: {bind: …}` in site.yaml opens it",
    )


def test_passwords_are_said_only_when_they_are_given(person: MakePerson) -> None:
    lines = card(person()).lines()
    assert not any(" password " in line for line in lines)
    assert "  passwords imagekit card zhang --passwords" in lines


@pytest.mark.parametrize(
    ("ports", "url", "ssh"),
    [
        (((22, 7012),), "", "ssh -p 7012 lab@10.0.0.5"),
        (((80, 7018),), "http://10.0.0.5:7018/", ""),
        ((), "", ""),
    ],
)
def test_a_card_holds_what_the_container_has(
    person: MakePerson, ports: tuple[tuple[int, int], ...], url: str, ssh: str
) -> None:
    shown = card(person("10.0.0.5", ports))
    assert (shown.url, shown.ssh, shown.local_only) == (url, ssh, False)
    assert not any("this host only" in line for line in shown.lines())


@pytest.mark.parametrize("bind", ["0.0.0.0", ""])  # noqa: S104
def test_on_all_addresses_the_hosts_name_is_said(person: MakePerson, bind: str) -> None:
    assert card(person(bind)).url == f"http://{socket.gethostname()}:6018/"


def test_a_card_as_json_has_the_documented_keys(person: MakePerson) -> None:
    assert list(asdict(card(person()))) == ["name", "profile", "state", "url", "ssh", "local_only"]
