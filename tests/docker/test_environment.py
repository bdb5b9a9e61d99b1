"""One environment everywhere, whatever the user's shell, and the user may add to it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from imagekit.checks import ssh
from imagekit.container import SECRETS_FOLDER, ContainerSpec, Mount, Port, generate_secrets
from imagekit.engine.connection import Engine
from imagekit.names import SSH_PORT
from imagekit.plan.model import Plan, Python
from imagekit.wait import Deadline
from tests.docker.support import Builder

pytestmark = pytest.mark.image

PYTHON = Python("3.11", "os", "/opt/venv", "", (), (), (), "", (), (), ())

# A package made on the spot, so that no index is needed; it has a file for a new folder right
# below the environment's own, too.
INSTALL = """
cd "$(mktemp -d)" && python - <<'CODE' && pip install --quiet --no-index ./*.whl && python -c '
import tiny; print(tiny.__file__)' && cat /opt/venv/fresh/file && pip uninstall --quiet --yes tiny
import zipfile
with zipfile.ZipFile("tiny-1.0-py3-none-any.whl", "w") as wheel:
    wheel.writestr("tiny.py", "")
    wheel.writestr("tiny-1.0.data/data/fresh/file", "fresh")
    about = "tiny-1.0.dist-info/"
    wheel.writestr(about + "METADATA", "Metadata-Version: 2.1\\nName: tiny\\nVersion: 1.0\\n")
    wheel.writestr(about + "WHEEL", "Wheel-Version: 1.0\\nTag: py3-none-any\\n")
    wheel.writestr(about + "RECORD", "")
CODE
"""


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_every_session_has_the_same_environment(
    builder: Builder, ssh_plan: Plan, shell: str
) -> None:
    plan = replace(
        ssh_plan,
        profile=f"ik-{shell}",
        python=PYTHON,
        user=replace(ssh_plan.user, shell=shell),
        apt=(*ssh_plan.apt, ("user", (shell,))),
        env=(("COURSE", 'a "b" $c #d'),),
    )
    data = builder.check(builder.image(plan), "environment")["environment"]
    assert data["sessions"] == 4
    assert data["python"] == "/opt/venv/bin/python"


@pytest.mark.parametrize("ids", [{}, {"PUID": "2345", "PGID": "2345"}], ids=["own", "remapped"])
def test_the_user_installs_into_the_environment(
    engine: Engine, builder: Builder, ssh_plan: Plan, ids: dict[str, str]
) -> None:
    image = builder.image(replace(ssh_plan, profile="ik-venv", python=PYTHON))
    key = ssh.new_key()
    secrets = generate_secrets(ssh.public_line(key))
    spec = ContainerSpec(
        image,
        ports=(Port(SSH_PORT, "127.0.0.1", 0),),
        mounts=(Mount("", SECRETS_FOLDER),),
        environment=tuple(ids.items()),
    )
    arguments = spec.arguments()
    # A home that belongs to nobody yet, as a new volume of an empty folder does.
    arguments["tmpfs"]["/home/lab"] = ""
    container = engine.client.containers.create(image, **arguments)
    try:
        container.put_archive(SECRETS_FOLDER, secrets.tar())
        container.start()
        container.reload()
        port = int(container.ports[f"{SSH_PORT}/tcp"][0]["HostPort"])
        with ssh.connect(("127.0.0.1", port), Deadline.after(60)) as transport:
            assert ssh.try_key(transport, "lab", key)
            output = ssh.run(transport, f"id -u; {INSTALL}", Deadline.after(60))
    finally:
        container.remove(v=True, force=True)
    expected = [ids.get("PUID", "1000"), "/opt/venv/lib/python3.11/site-packages/tiny.py", "fresh"]
    assert (output.text.split(), output.code) == (expected, 0)
