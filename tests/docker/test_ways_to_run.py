"""The ways in which people start containers, once each: login and desktop come up in all.

`make soak` does the same many times over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from imagekit.container import SECRETS_FOLDER, STATE_FOLDER, Mount
from imagekit.engine.connection import Engine
from tests.docker.box import FOR_ANYBODY, FOR_ROOT, READ_ONLY, Box, created, started, volume_of
from tests.soak.ways import LEAST_CAPABILITIES, OFFLINE

pytestmark = pytest.mark.image

STRANGER = (1234, 1234)


@pytest.fixture
def home(engine: Engine, image: str) -> Iterator[str]:
    """An empty volume that belongs to the ids 1234:1234."""
    with volume_of(engine, image, *STRANGER) as name:
        yield name


def changed_outside(box: Box) -> list[str]:
    """What the container's own layer has that the image had not, home aside."""
    home = f"/home/{box.plan.user.name}"
    return [
        change["Path"] for change in box.container.diff() if not change["Path"].startswith(home)
    ]


def test_a_read_only_root(engine: Engine, image: str) -> None:
    with started(engine, image, **READ_ONLY, **FOR_ROOT) as box:
        box.come_up()
        box.ask("sshd-password")
        assert box.stage.execute(["touch", "/usr/here"])[0] != 0
        box.container.restart()
        box.come_up()


def test_a_read_only_root_of_a_stranger(engine: Engine, image: str, home: str) -> None:
    options = {**READ_ONLY, **FOR_ANYBODY, "user": "1234:1234", "owner": 1234}
    with started(engine, image, volumes={"/home/lab": home}, **options) as box:
        box.come_up()


def test_without_a_network(engine: Engine, image: str) -> None:
    with started(engine, image, network_mode="none") as box:
        box.await_health()
        assert box.say(OFFLINE).split() == ["RFB", "SSH-2.0", "healthy"]


def test_as_somebody_else(engine: Engine, image: str, home: str) -> None:
    options = {**FOR_ANYBODY, "user": "1234:1234", "owner": 1234}
    with started(engine, image, volumes={"/home/lab": home}, **options) as box:
        box.come_up()
        assert box.over_ssh("id -u; id -g").text.split() == ["1234", "1234"]
        assert box.over_ssh("id -un; echo ~; cd ~ && pwd").text.split() == [
            "lab",
            "/home/lab",
            "/home/lab",
        ]
        box.ask("sshd-password")
        box.over_ssh("touch ~/mine")
        assert box.say("stat -c %u:%g /home/lab/mine") == "1234:1234\n"
        # A process may end between its name and the question whose it was.
        every = "for one in /proc/[0-9]*; do stat -c %u $one 2> /dev/null || :; done"
        owners = box.say(every).split()
        assert set(owners) == {"1234"}


def test_with_the_least_capabilities(engine: Engine, image: str) -> None:
    """Those of docs/hardening.md; `make soak` looks for a smaller set."""
    options = {"cap_drop": ["ALL"], "cap_add": list(LEAST_CAPABILITIES)}
    with started(engine, image, **options) as box:
        box.come_up()
        box.ask("sshd-password")


def test_a_stranger_without_capabilities_and_new_privileges(
    engine: Engine, image: str, home: str
) -> None:
    nothing = {"cap_drop": ["ALL"], "security_opt": ["no-new-privileges"]}
    options = {**FOR_ANYBODY, **nothing, "user": "1234:1234", "owner": 1234}
    with started(engine, image, volumes={"/home/lab": home}, **options) as box:
        box.come_up()
        states = box.say("cat /proc/[0-9]*/status 2> /dev/null || true")
        sets = re.findall(r"Cap(?:Eff|Prm|Bnd):\s*([0-9a-f]+)", states)
        assert sets
        assert {int(value, 16) for value in sets} == {0}
        assert set(re.findall(r"NoNewPrivs:\s*(\d)", states)) == {"1"}


def test_the_owner_of_the_home_is_who_works_in_it(engine: Engine, image: str, home: str) -> None:
    with created(engine, image, volumes={"/home/lab": home}) as box:
        box.start()
        box.come_up()
        assert box.over_ssh("id -u; id -g").text.split() == ["1234", "1234"]
        box.over_ssh("touch ~/mine && mkdir ~/folder")
        assert box.say("stat -c %u:%g /home/lab/mine /home/lab/folder").split() == ["1234:1234"] * 2
        touched = changed_outside(box)
        # No walk over the image: neither the browser client nor the framework's environment,
        # nor anything else of the image, got a new owner and so a copy in this layer.
        assert [
            path for path in touched if path.startswith(("/opt", "/usr", "/var/lib/dpkg"))
        ] == []
        assert len(touched) < 60, touched


def test_ids_by_variables(engine: Engine, image: str) -> None:
    without_home = [Mount("", SECRETS_FOLDER), Mount("", STATE_FOLDER)]
    ids = {"PUID": "3456", "PGID": "3457"}
    with started(engine, image, mounts=without_home, environment=ids) as box:
        box.come_up()
        assert box.over_ssh("id -u; id -g").text.split() == ["3456", "3457"]
        box.over_ssh("touch ~/mine")
        assert box.say("stat -c %u:%g /home/lab/mine") == "3456:3457\n"
        assert [path for path in changed_outside(box) if path.startswith(("/opt", "/usr"))] == []


def test_an_empty_home_gets_its_skeleton(engine: Engine, image: str, home: str) -> None:
    with started(engine, image, volumes={"/home/lab": home}) as box:
        box.come_up()
        skeleton = set(box.say("ls -A /etc/skel").split())
        assert ".bashrc" in skeleton <= set(box.say("ls -A /home/lab").split())
        box.say("echo '# mine' > /home/lab/.bashrc")
        box.container.restart()
        box.come_up()
        assert box.say("cat /home/lab/.bashrc") == "# mine\n"


@pytest.mark.parametrize("ids", [{"PUID": "zhangsan"}, {"PGID": "users"}])
def test_ids_that_are_no_numbers_are_refused(
    engine: Engine, image: str, ids: dict[str, str]
) -> None:
    with created(engine, image, environment=ids) as box:
        box.start()
        assert box.container.wait(timeout=60)["StatusCode"] == 1
        assert "PUID and PGID are numbers" in box.container.logs().decode()


def test_ids_of_system_accounts_are_refused(engine: Engine, image: str) -> None:
    with created(engine, image, environment={"PUID": "33"}) as box:
        box.start()
        assert box.container.wait(timeout=60)["StatusCode"] == 1
        assert "system account" in box.container.logs().decode()
