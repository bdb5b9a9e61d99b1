"""Bases from archives, from mmdebstrap, and from registries that need no asking."""

from __future__ import annotations

import io
import shutil
import socket
import tarfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from threading import Thread

import docker.errors
import pytest

from imagekit import archives, bases, build, catalogue, gc, names
from imagekit.bases import Base
from imagekit.context import Context, ContextFile
from imagekit.engine import bootstrap, buildkit, debootstrap, images
from imagekit.engine.connection import Engine
from imagekit.engine.pin import pin
from imagekit.errors import EngineError
from imagekit.events import ignore
from imagekit.plan.model import Os, Plan
from imagekit.site import Archive, Site
from tests.required import missing

DEBIAN = catalogue.os_releases()["debian12"]
PLAIN = Os(DEBIAN.id, DEBIAN.image, DEBIAN.suite)


@contextmanager
def removed(engine: Engine, *refs: str) -> Iterator[None]:
    try:
        yield
    finally:
        for ref in refs:
            with suppress(docker.errors.NotFound):
                engine.client.images.remove(ref, force=True)


def root(folder: Path) -> Archive:
    """An archive of a root that no one else has."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:xz") as archive:
        entry = tarfile.TarInfo("./etc/hello")
        content = uuid.uuid4().hex.encode()
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    file = folder / "root.tar.xz"
    file.write_bytes(out.getvalue())
    return Archive("debian12", str(file), sha256(out.getvalue()).hexdigest())


def test_a_base_is_made_of_an_archive_once(engine: Engine, tmp_path: Path) -> None:
    archive = root(tmp_path)
    site = Site(base_policy="archive", archives=(archive,))
    name = archives.reference(archive, bases.BOOTSTRAPPED)
    with removed(engine, name):
        made = bases.obtain(engine, PLAIN, site, fresh=False, on_event=ignore)
        assert made.reference == name
        found = images.find(engine, name)
        assert found is not None
        assert found.id == made.image_id
        assert found.labels == {archives.LABEL: archive.sha256, bases.BASE_LABEL: "debian12"}
        Path(archive.place).unlink()
        for fresh in (False, True):
            assert bases.obtain(engine, PLAIN, site, fresh=fresh, on_event=ignore) == made


def test_an_archive_with_another_checksum_leaves_no_image(engine: Engine, tmp_path: Path) -> None:
    real = root(tmp_path)
    wrong = Archive(real.release, real.place, sha256(b"another").hexdigest())
    site = Site(base_policy="archive", archives=(wrong,))
    with pytest.raises(EngineError, match=f"its sha256 is {real.sha256}, and not {wrong.sha256}"):
        bases.obtain(engine, PLAIN, site, fresh=False, on_event=ignore)
    assert images.find(engine, archives.reference(wrong, bases.BOOTSTRAPPED)) is None


@pytest.mark.image
def test_mmdebstrap_makes_a_base_with_debootstraps_packages(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which(debootstrap.MMDEBSTRAP) is None:
        missing("mmdebstrap", "mmdebstrap is not installed")
    monkeypatch.setattr(debootstrap, "PROGRAMS", (debootstrap.MMDEBSTRAP,))
    name = f"imagekit/ik-mmdebstrap:{uuid.uuid4().hex[:12]}"
    with removed(engine, name):
        made = bootstrap.bootstrap(engine, bases.recipe(DEBIAN, Site()), name)
        assert made.labels[bootstrap.ORIGIN_LABEL].startswith("sha256:")
        script = (
            "dpkg --audit && dpkg-query -W -f '${Package}\\n' && ls /var/lib/apt/lists /etc/apt/*"
        )
        said = engine.client.containers.run(name, ["sh", "-c", script], remove=True)
        packages = said.decode().split()
    assert {"apt", "bash", "usr-is-merged"} <= set(packages)
    assert not {"usrmerge", "perl-modules-5.36"} & set(packages)
    assert not any("InRelease" in name or "mmdebstrap" in name for name in packages)


@contextmanager
def listener() -> Iterator[tuple[str, list[object]]]:
    """A host of a registry that hangs up at once: its name, and who called."""
    callers: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up() -> None:
            with suppress(OSError):  # the end
                while True:
                    caller, address = server.accept()
                    callers.append(address)
                    caller.close()

        thread = Thread(target=hang_up, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}", callers
        server.shutdown(socket.SHUT_RDWR)
        thread.join(10)


def test_nobody_is_asked_about_a_base_that_is_there(
    engine: Engine, tiny_base: str, ssh_plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The registry's image may be a newer one by now, and its host out of reach."""
    there = images.demand(engine, tiny_base)
    with listener() as (host, callers):
        name = f"{host}/lab/debian:12"
        plan = replace(ssh_plan, profile="ik-bases", os=replace(ssh_plan.os, image=name))
        text = f"ARG BASE\nFROM ${{BASE}}\nLABEL {names.PLAN_LABEL}={plan.digest}\n"
        context = Context((ContextFile("Dockerfile", text.encode()),))
        monkeypatch.setattr(build, "render", lambda _: context)
        images.tag(engine, there.id, [name])
        pinned = pin(engine, name, there.id)
        with removed(engine, *{name, pinned}, *names.tags(plan)):
            built = build.build(engine, plan, Site(), build.Options(), ignore)
            assert built.base == Base(name, there.id)
            assert images.demand(engine, built.image_id).layers == there.layers
        assert callers == []


def test_a_name_to_build_on_goes_with_the_image_s_own(engine: Engine) -> None:
    if engine.store != "containerd":
        pytest.skip("the classic store needs no such name")
    name = f"registry.invalid/{uuid.uuid4().hex}:1"
    file = ContextFile("Dockerfile", f"FROM scratch\nLABEL unique={name}\n".encode())
    image = buildkit.build(engine, Context((file,)), tags=[name]).image_id
    pinned = pin(engine, name, image)

    def found() -> list[bool]:
        return [item.goes for item in gc.survey(engine, gc.Wanted()).items if item.id == image]

    with removed(engine, name, pinned):
        assert found() == []
        images.remove(engine, name)
        assert found() == [True]
