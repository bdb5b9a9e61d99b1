"""The card: how a person logs in."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import asdict, replace

import pytest

from imagekit.container import Secrets
from imagekit.run.card import card
from imagekit.run.person import Person

SECRETS = Secrets("ssh-pass", "desktop", "", "jupyter-token")


@pytest.fixture
def person() -> Callable[..., Person]:
    def made(
        bind: str = "127.0.0.1", ports: tuple[tuple[int, int], ...] = ((22, 6012), (80, 6018))
    ) -> Person:
        return Person("zhang", "id", "image", "running", "x", "lab", bind, ports, 6010)

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


def test_a_card_says_where_jupyter_is_and_its_token(person: MakePerson) -> None:
    shown = card(person(ports=((22, 6012), (8888, 6019))))
    assert shown.lines(SECRETS)[3:5] == (
        "  jupyter   http://127.0.0.1:6019/",
        "            token jupyter-token",
    )
    assert not any("token" in line for line in shown.lines())


def test_passwords_are_said_only_when_they_are_given(person: MakePerson) -> None:
    lines = card(person()).lines()
    assert not any(" password " in line for line in lines)
    assert "  passwords imagekit card zhang --passwords" in lines


@pytest.mark.parametrize(
    ("ports", "url", "ssh", "jupyter"),
    [
        (((22, 7012),), "", "ssh -p 7012 lab@10.0.0.5", ""),
        (((80, 7018),), "http://10.0.0.5:7018/", "", ""),
        (((8888, 7019),), "", "", "http://10.0.0.5:7019/"),
        ((), "", "", ""),
    ],
)
def test_a_card_holds_what_the_container_has(
    person: MakePerson, ports: tuple[tuple[int, int], ...], url: str, ssh: str, jupyter: str
) -> None:
    shown = card(person("10.0.0.5", ports))
    assert (shown.url, shown.ssh, shown.jupyter) == (url, ssh, jupyter)
    assert not shown.local_only
    assert not any("this host only" in line for line in shown.lines())


@pytest.mark.parametrize("bind", ["0.0.0.0", ""])  # noqa: S104
def test_on_all_addresses_the_hosts_name_is_said(person: MakePerson, bind: str) -> None:
    assert card(person(bind)).url == f"http://{socket.gethostname()}:6018/"


def test_a_card_as_json_has_the_documented_keys(person: MakePerson) -> None:
    keys = ["name", "profile", "state", "login", "url", "ssh", "keys_only", "jupyter", "vnc"]
    assert list(asdict(card(person()))) == [*keys, "local_only"]


def test_a_card_has_the_site_s_name_and_certificate(person: MakePerson) -> None:
    shown = card(replace(person(), host="gpu1.example.edu", tls=True))
    assert shown.url == "https://gpu1.example.edu:6018/"
    assert shown.ssh == "ssh -p 6012 lab@gpu1.example.edu"


def test_a_card_says_where_native_viewers_connect(person: MakePerson) -> None:
    shown = card(person(ports=((5900, 6010),)))
    assert shown.vnc == "127.0.0.1:6010"
    secrets = Secrets("", "", vnc_password="eightchr")
    assert "            password eightchr" in shown.lines(secrets)


def test_viewers_over_tls_want_the_account_and_its_password(person: MakePerson) -> None:
    """desktop.vnc: tls: the image asks for what ssh asks for, and reads no vnc_password."""
    shown = card(person(ports=((22, 6012), (5900, 6010))))
    assert shown.lines(Secrets("ssh-pass", ""))[1:5] == (
        "  ssh       ssh -p 6012 lab@127.0.0.1",
        "            password ssh-pass",
        "  vnc       127.0.0.1:6010",
        "            account lab, password ssh-pass",
    )


def test_ssh_that_takes_keys_only_has_no_password(person: MakePerson) -> None:
    shown = card(replace(person(ports=((22, 6012), (5900, 6010))), keys_only=True))
    assert shown.lines(Secrets("account-pass", ""))[1:4] == (
        "  ssh       ssh -p 6012 lab@127.0.0.1",
        "  vnc       127.0.0.1:6010",
        "            account lab, password account-pass",
    )


def test_the_password_of_root_stands_below_ssh(person: MakePerson) -> None:
    shown = card(person())
    assert shown.lines(replace(SECRETS, root_password="root-pass"))[3:6] == (
        "  ssh       ssh -p 6012 lab@127.0.0.1",
        "            password ssh-pass",
        "            root password root-pass",
    )
    assert not any("root" in line for line in shown.lines())
