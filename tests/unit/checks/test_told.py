from pathlib import Path

import pytest

from imagekit.checks.told import NOTHING, parse, variables
from imagekit.container import Secrets
from imagekit.errors import InputError


def test_nothing_is_told() -> None:
    assert parse(()) == NOTHING


def test_everything_is_told_and_the_last_word_counts(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("a b=c\n")
    told = parse(
        [
            "user=root",
            f"password-file={file}",
            "port.sshd=22",
            "port.sshd=2222",
            "port.web=6080",
            "env.VNC_PW=@vnc_password",
            "env.MODE=a=b",
            "env.VNC_PASSWORD=",
            "jupyter.path=/hub/",
            "command=/usr/sbin/sshd -D -o 'Banner none'",
        ]
    )
    assert told.user == "root"
    assert told.password == "a b=c"
    assert told.ports == ((22, 2222), (80, 6080))
    assert told.environment == (("VNC_PW", "@vnc_password"), ("MODE", "a=b"), ("VNC_PASSWORD", ""))
    assert told.jupyter == "/hub"
    assert told.command == ("/usr/sbin/sshd", "-D", "-o", "Banner none")
    assert "a b=c" not in repr(told)


def test_variables_get_the_secrets() -> None:
    told = parse(["env.A=@password", "env.B=plain", "env.C=@vnc_password"])
    assert variables(told, Secrets("one", "two", vnc_password="three")) == (
        ("A", "one"),
        ("B", "plain"),
        ("C", "three"),
    )


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("user", "not of the form KEY=VALUE"),
        ("user=", "not of the form KEY=VALUE"),
        ("usr=root", 'no key "usr"\n  hint: the keys are user, password-file,'),
        ("port.ssh=22", 'no service "ssh"\n  hint: they are sshd, web, vnc, jupyter'),
        ("port.web=0", 'no port "0"'),
        ("port.web=65536", 'no port "65536"'),
        ("port.web=８０", "no port"),
        ("env.1=x", "no variable's name"),
        ("env.X=@pass", 'no secret "@pass"\n  hint: the secrets are @password,'),
        ("jupyter.path=hub", "not a path"),
        ("command= ", "not a command: it has no words"),
        ("env.X", "not of the form KEY=VALUE"),
        ("command='", "not a command: No closing quotation"),
        ("password-file=/nowhere/none", "the file cannot be read: No such file"),
    ],
)
def test_what_is_wrong(text: str, what: str) -> None:
    with pytest.raises(InputError) as caught:
        parse([text])
    assert str(caught.value).startswith(f'--with "{text}": {what}')


def test_all_mistakes_are_said_at_once() -> None:
    with pytest.raises(InputError) as caught:
        parse(["a=1", "user=root", "b=2"])
    assert len(caught.value.messages) == 2


@pytest.mark.parametrize("content", [b"", b"  \t\n", b"one\ntwo\n", b"\xff\xfe"])
def test_a_file_without_a_password(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "password"
    file.write_bytes(content)
    with pytest.raises(InputError):
        parse([f"password-file={file}"])
