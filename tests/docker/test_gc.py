"""``imagekit gc`` on real engines: only what is left behind goes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import docker.errors
import pytest

from imagekit import gc, names
from imagekit.context import Context, ContextFile
from imagekit.engine import buildkit, images, inventory
from imagekit.engine.connection import Engine, connect
from imagekit.engine.images import ImageFacts
from imagekit.errors import EngineError
from imagekit.names import RUN_LABEL
from imagekit.run.person import PERSON_LABEL
from imagekit.wait import Deadline, NotYetError, until
from tests.docker.support import Cli
from tests.required import missing


def context_of(*lines: str) -> Context:
    """A context of a Dockerfile and a file that no other has."""
    dockerfile = "\n".join(("FROM scratch", "COPY data /data", *lines, ""))
    return Context(
        (ContextFile("Dockerfile", dockerfile.encode()), ContextFile("data", os.urandom(16)))
    )


@dataclass
class Shelf:
    """Images of a profile that nobody else has, and what else belongs to it."""

    engine: Engine
    profile: str = field(default_factory=lambda: f"ik-gc-{uuid.uuid4().hex[:8]}")

    def image(self, plan: str, *tags: str) -> ImageFacts:
        """One more image; it gets the names that a build gives."""
        digest = plan * 64
        labels = {names.PROFILE_LABEL: self.profile, names.PLAN_LABEL: digest}
        repository = f"{names.REPOSITORY}/{self.profile}"
        lines = [f'LABEL {key}="{value}"' for key, value in labels.items()]
        name = f"{repository}:latest"
        context = context_of(*lines, gc.LAST_STEP)
        made = buildkit.build(self.engine, context, tags=(name, f"{repository}:{digest[:12]}"))
        images.tag(self.engine, made.image_id, tags)
        found = images.find(self.engine, made.image_id)
        assert found is not None
        return found

    def container(self, image: str, **labels: str) -> str:
        """A container that was never started."""
        named = {key.replace("_", "."): value for key, value in labels.items()}
        made = self.engine.client.api.create_container(image, labels=named)
        return str(made["Id"])

    def survey(self, **wanted: float) -> gc.Survey:
        return gc.survey(self.engine, gc.Wanted(frozenset({self.profile}), **wanted))  # type: ignore[arg-type]

    def clear(self) -> None:
        api = self.engine.client.api
        for held in inventory.containers(self.engine):
            if held.labels.get(names.PROFILE_LABEL) == self.profile:
                api.remove_container(held.id, force=True, v=True)
        label = f"{names.PROFILE_LABEL}={self.profile}"
        # What was made from an image before the image itself.
        found = inventory.labelled_images(self.engine, label)
        for image in sorted(found, key=lambda image: image.created, reverse=True):
            with suppress(docker.errors.NotFound):
                api.remove_image(image.id, force=True)


@pytest.fixture
def shelf(engine: Engine) -> Iterator[Shelf]:
    shelf = Shelf(engine)
    yield shelf
    shelf.clear()


def going(survey: gc.Survey) -> dict[str, str]:
    """Ids of what goes, with the reasons."""
    return {item.id: item.reason for item in survey.items if item.goes}


def test_superseded_images_go_and_the_rest_stays(shelf: Shelf, cli: Cli) -> None:
    used, old, named, before, today = (
        shelf.image(plan, *tags)
        for plan, *tags in [
            ("a",),
            ("b",),
            ("c", f"ik-gc-own/{shelf.profile}:exam"),
            ("d",),
            ("e",),
        ]
    )
    shelf.container(used.id)

    shown = cli("gc", shelf.profile)
    assert "nothing removed; --yes removes these 1" in shown.stderr
    assert images.find(shelf.engine, old.id) is not None

    done = json.loads(cli("gc", shelf.profile, "--yes", "--json").stdout)
    assert done["version"] == 1
    assert {item["id"] for item in done["items"] if item["removed"]} == {old.id}
    assert len(done["items"]) == 5
    assert done["after"] is not None
    assert images.find(shelf.engine, old.id) is None
    for kept in (used, named, before, today):
        assert images.find(shelf.engine, kept.id) is not None
    again = cli("gc", shelf.profile, "--yes")
    assert "nothing to remove" in again.stdout


def test_what_was_built_for_a_look_goes_unless_it_is_looked_into(shelf: Shelf) -> None:
    def look(number: int) -> str:
        name = f"{names.REPOSITORY}/{shelf.profile}:{names.BEFORE}image-{number}"
        return buildkit.build(shelf.engine, context_of('CMD ["x"]'), tags=(name,)).image_id

    left, watched = look(1), look(2)
    holder = shelf.container(watched)
    found = shelf.survey()
    assert going(found) == {left: "was built for a look into a failure"}
    assert [error for _, error in gc.sweep(found.items)] == [""]
    assert images.find(shelf.engine, left) is None
    shelf.engine.client.api.remove_container(holder)
    assert set(going(shelf.survey())) == {watched}
    assert [error for _, error in gc.sweep(shelf.survey().items)] == [""]


def test_an_image_built_again_goes_without_a_name(shelf: Shelf) -> None:
    first, second = shelf.image("a"), shelf.image("a")
    found = shelf.survey()
    # The containerd store lets go of an image with its last name by itself.
    left = shelf.engine.store != "containerd"
    assert going(found) == ({first.id: "the same plan was built again"} if left else {})
    assert [error for _, error in gc.sweep(found.items)] == [""] * left
    assert images.find(shelf.engine, first.id) is None
    assert images.find(shelf.engine, second.id) is not None


def test_an_image_that_came_into_use_keeps_all_its_names(shelf: Shelf) -> None:
    old, *_ = (shelf.image(plan) for plan in "abc")
    found = shelf.survey()
    assert set(going(found)) == {old.id}
    shelf.container(old.id)
    assert [error for _, error in gc.sweep(found.items)] == ["a container uses it now"]
    after = images.find(shelf.engine, old.id)
    assert after is not None
    assert after.tags == (f"{names.REPOSITORY}/{shelf.profile}:{'a' * 12}",)


def test_an_image_that_the_engine_refuses_to_remove_gets_its_names_back(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, *_ = (shelf.image(plan) for plan in "abc")
    two = f"{names.REPOSITORY}/{shelf.profile}:{'a' * 12}-{'0' * 12}"
    images.tag(shelf.engine, old.id, [two])
    found = shelf.survey()
    # The container is made after the last look at containers, so that the engine itself
    # has to refuse.
    shelf.container(old.id)
    monkeypatch.setattr(inventory, "containers", lambda _engine: ())
    ((_, error),) = gc.sweep(found.items)
    assert "conflict" in error
    after = images.find(shelf.engine, old.id)
    assert after is not None
    assert len(after.tags) == 2


def test_only_old_containers_of_smoke_tests_go(shelf: Shelf) -> None:
    image = shelf.image("a")
    person = shelf.container(image.id, **{PERSON_LABEL: "nobody"})
    stray = shelf.container(image.id, **{RUN_LABEL: "0" * 32})
    assert going(shelf.survey()) == {}
    found = shelf.survey(run_seconds=-60)
    assert set(going(found)) == {stray}
    assert [error for _, error in gc.sweep(found.items)] == [""]
    left = {held.id for held in inventory.containers(shelf.engine)}
    assert person in left
    assert stray not in left


def test_what_people_make_of_our_images_is_theirs(shelf: Shelf) -> None:
    """A commit without a name has our labels, and is a person's work."""
    image = shelf.image("a")
    container = shelf.container(image.id)
    committed = shelf.engine.client.containers.get(container).commit()
    shelf.engine.client.api.remove_container(container)
    for plan in "bcd":
        shelf.image(plan)
    found = shelf.survey()
    reasons = {item.id: item.reason for item in found.items}
    assert reasons[str(committed.id)] == "somebody made it from an image of ours"
    assert reasons[image.id] == "somebody's image stands on it"
    assert [error for _, error in gc.sweep(found.items)] == [""]
    assert images.find(shelf.engine, str(committed.id)) is not None


# ---- build cache: on an engine of our own, as a cache is everybody's


@pytest.fixture
def own_engine(tmp_path: Path) -> Iterator[Engine]:
    """An engine beside the others, without a network, gone afterwards."""
    dockerd = shutil.which("dockerd")
    if dockerd is None or os.geteuid() != 0:
        missing("engine", "a private engine needs dockerd, and root")
    address = f"unix://{tmp_path}/s"
    # In a network of its own: an engine without a bridge begins by deleting `docker0`, whoever
    # uses it (moby, daemon/daemon_unix.go, removeDefaultBridgeInterface).
    command = [
        "unshare",
        "--net",
        dockerd,
        f"--host={address}",
        f"--data-root={tmp_path}/data",
        f"--exec-root={tmp_path}/run",
        f"--pidfile={tmp_path}/pid",
        "--containerd-namespace=imagekit-test",
        "--containerd-plugins-namespace=imagekit-test-plugins",
        "--bridge=none",
        "--iptables=false",
        "--ip6tables=false",
    ]
    log = (tmp_path / "log").open("wb")
    with log, subprocess.Popen(command, stdout=log, stderr=log) as process:

        def answering() -> Engine:
            assert process.poll() is None, (tmp_path / "log").read_text()
            try:
                return connect(address)
            except EngineError as error:
                raise NotYetError(str(error)) from error

        engine = until(answering, Deadline.after(60))
        yield engine
        engine.close()
        process.terminate()


def test_build_cache_over_the_cap_goes(own_engine: Engine) -> None:
    for number in range(4):
        data = os.urandom(5_000_000)
        files = (
            ContextFile("Dockerfile", f"FROM scratch\nCOPY data /{number}\n".encode()),
            ContextFile("data", data),
        )
        built = buildkit.build(own_engine, Context(files), tags=("x:latest",))
        own_engine.client.api.remove_image(built.image_id, force=True)
    cap = 12_000_000
    found = gc.survey(own_engine, gc.Wanted(cache_cap=cap))
    assert found.usage.cache > cap
    (item,) = [item for item in found.items if item.kind == "cache"]
    assert item.goes
    assert [error for _, error in gc.sweep(found.items)] == [""]
    after = inventory.usage(own_engine).cache
    assert 0 < after <= cap
    rest = gc.survey(own_engine, gc.Wanted(cache_cap=cap))
    assert not any(item.goes for item in rest.items)
