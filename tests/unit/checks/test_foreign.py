import io
import re
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from imagekit.checks import foreign
from imagekit.checks.check import Check, CheckSkippedError
from imagekit.checks.registry import CHECKS
from imagekit.checks.subject import Subject
from imagekit.checks.told import Told
from imagekit.checks.unhealthy import UNHEALTHY
from imagekit.container import Secrets, generate_secrets
from imagekit.errors import WorkFailedError
from imagekit.plan.model import Plan, Sshd
from imagekit.wait import Deadline

PASSWD = """\
root:x:0:0:root:/root:/bin/bash
broken line
jovyan:x:1000:100::/home/jovyan/:/bin/bash
app:x:999:999::/:/usr/sbin/nologin
"""
ROOT = foreign.Account("root", 0, 0, "/root")
JOVYAN = foreign.Account("jovyan", 1000, 100, "/home/jovyan/")


class FakeFiles:
    def __init__(self, **files: str) -> None:
        self.files = {name.replace("_", "/"): text.encode() for name, text in files.items()}
        self.unpacked: dict[str, tuple[bytes, int, int, int]] = {}

    def fetch(self, path: str) -> bytes:
        return self.files.get(path, b"")

    def put(self, archive: bytes) -> None:
        with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
            for member in opened:
                file = opened.extractfile(member)
                data = file.read() if file else b""
                self.unpacked[member.name] = (data, member.mode, member.uid, member.gid)


def named(plan: Plan, name: str) -> Plan:
    return replace(plan, user=replace(plan.user, name=name))


@pytest.mark.parametrize(
    ("wanted", "own", "expected"),
    [
        ("", "", ROOT),
        ("", "1000", JOVYAN),
        ("", "jovyan:users", JOVYAN),
        ("", "0:0", ROOT),
        ("root", "jovyan", ROOT),
        # Made by the image when it starts.
        ("lab", "", foreign.Account("lab", 1000, 1000, "/home/lab")),
    ],
)
def test_the_account_that_logs_in(
    plan: Plan, wanted: str, own: str, expected: foreign.Account
) -> None:
    files = FakeFiles(_etc_passwd=PASSWD)
    assert foreign.account(files, "x", named(plan, wanted), own) == expected


def test_an_image_without_accounts(plan: Plan) -> None:
    assert foreign.account(FakeFiles(), "x", named(plan, ""), "") == ROOT
    with pytest.raises(WorkFailedError, match="x: the image runs as the id 4711, which has no"):
        foreign.account(FakeFiles(_etc_passwd=PASSWD), "x", named(plan, ""), "4711")


def test_the_key_gets_in_beside_others() -> None:
    files = FakeFiles()
    files.files["/home/jovyan/.ssh/authorized_keys"] = b"ssh-rsa old\n"
    foreign.let_in(files, JOVYAN, "ssh-ed25519 new")
    assert files.unpacked == {
        "home/jovyan/.ssh": (b"", 0o700, 1000, 100),
        "home/jovyan/.ssh/authorized_keys": (
            b"ssh-rsa old\nssh-ed25519 new\n",
            0o600,
            1000,
            100,
        ),
        "root/.ssh": (b"", 0o700, 0, 0),
        "root/.ssh/authorized_keys": (b"ssh-ed25519 new\n", 0o600, 0, 0),
    }


def test_a_home_at_the_root() -> None:
    files = FakeFiles()
    foreign.let_in(files, foreign.Account("app", 999, 999, "/"), "key")
    assert ".ssh/authorized_keys" in files.unpacked


@pytest.mark.parametrize(
    ("told", "who", "password", "root_password"),
    [
        (Told(), JOVYAN, "", ""),
        (Told(password="given"), JOVYAN, "given", ""),
        (Told(password="root"), ROOT, "root", "root"),
        (Told(environment=(("P", "@password"),)), JOVYAN, "p", ""),
        (Told(environment=(("P_FILE", "/run/secrets/password"),)), JOVYAN, "p", ""),
        (Told(environment=(("R", "@root_password"),)), JOVYAN, "", "r"),
    ],
)
def test_passwords_that_somebody_knows(
    told: Told, who: foreign.Account, password: str, root_password: str
) -> None:
    secrets = Secrets("p", "d", root_password="r")
    known = foreign.known(secrets, who, told)
    assert (known.password, known.root_password) == (password, root_password)
    assert known.desktop_password == "d"


def test_variables_that_many_images_know() -> None:
    assert dict(foreign.with_conventions(Told()).environment) == {
        "JUPYTER_TOKEN": "@jupyter_token",
        "VNC_PASSWORD": "@vnc_password",
    }
    told = Told(environment=(("VNC_PASSWORD", "1234"),))
    assert dict(foreign.with_conventions(told).environment)["VNC_PASSWORD"] == "1234"


def test_ports_of_the_services(plan: Plan) -> None:
    assert foreign.ports(plan, Told()) == {22: 22, 80: 80}
    told = Told(ports=((22, 2222), (5900, 5901)))
    assert foreign.ports(plan, told) == {22: 2222, 80: 80, 5900: 5901}


def test_root_has_to_get_in_where_it_is_the_account(plan: Plan) -> None:
    without = foreign.adapted(plan, ROOT, Secrets("", ""), by_profile=True)
    assert without.sshd == Sshd(password=True, root="keys")
    assert (without.user.name, without.user.uid, without.user.sudo) == ("root", 1000, False)
    secrets = Secrets("root", "", root_password="root")
    with_password = foreign.adapted(plan, ROOT, secrets, by_profile=False)
    assert with_password.sshd == Sshd(password=True, root="password")
    assert with_password.user.uid == 0
    assert foreign.adapted(replace(plan, sshd=None), ROOT, secrets, by_profile=False).sshd is None


def test_the_promise_on_root_stays_for_others(plan: Plan) -> None:
    adapted = foreign.adapted(plan, JOVYAN, Secrets("", ""), by_profile=True)
    assert adapted.sshd == plan.sshd
    assert adapted.python is None


def reason(check: Check, subject: Subject) -> str:
    with pytest.raises(CheckSkippedError) as caught:
        check.ask(subject, Deadline.after(5))
    return caught.value.reason


def check(name: str) -> Check:
    return next(check for check in CHECKS if check.name == name)


def test_what_is_imagekits_own_is_not_asked(plan: Plan, subject: Any) -> None:
    for name, said in (("input", "imagekit's own"), ("conda", "imagekit's own")):
        assert said in reason(foreign.otherwise(check(name), plan, generate_secrets()), subject())


def test_the_page_names_what_is_not_asked() -> None:
    page = (Path(__file__).parents[3] / "docs" / "foreign-images.md").read_text("utf-8")
    (row,) = (line for line in page.splitlines() if line.startswith("|") and "skipped: " in line)
    named = re.findall(r"`([a-z-]+)`", row.split("|")[1])
    assert set(named) == {*foreign._NOT_ASKED, UNHEALTHY}


def test_a_password_that_nobody_knows_is_not_tried(plan: Plan, subject: Any) -> None:
    unknown = Secrets("", "")
    asked = foreign.otherwise(check("sshd-password"), plan, unknown)
    assert "--with password-file=FILE" in reason(asked, subject())
    known = Secrets("p", "")
    assert foreign.otherwise(check("sshd-password"), plan, known) == check("sshd-password")
    lets_root_in = replace(plan, sshd=Sshd(password=True, root="password"))
    asked = foreign.otherwise(check("sshd-root"), lets_root_in, known)
    assert "root's password" in reason(asked, subject())
    both = Secrets("p", "", root_password="r")
    assert foreign.otherwise(check("sshd-root"), lets_root_in, both) == check("sshd-root")


def test_everything_else_is_asked_with_the_same_patience(plan: Plan) -> None:
    for each in CHECKS:
        adapted = foreign.otherwise(each, plan, generate_secrets())
        assert (adapted.name, adapted.limit, adapted.uses) == (each.name, each.limit, each.uses)
