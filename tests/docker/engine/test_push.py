"""Pushing to a real registry, through a real engine, with everything that goes wrong."""

from __future__ import annotations

import base64
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from imagekit import profile
from imagekit.context import Context, ContextFile
from imagekit.engine import distribution, images
from imagekit.engine.buildkit import build
from imagekit.engine.connection import Engine
from imagekit.engine.patience import PATIENCE, Patience
from imagekit.engine.upload import upload
from imagekit.errors import NetworkError
from imagekit.events import Event, Notice, ignore
from imagekit.names import labels, tags
from imagekit.plan.resolve import resolve
from imagekit.push import Pushed, push
from imagekit.site import Site
from imagekit.targets import wanted
from imagekit.wait import Deadline, NotYetError, until
from tests.docker.registry import Fault, FaultProxy, fault_proxy, registry

USER, PASSWORD = "lab", "not-in-any-message"
AT_ONCE = Patience(pauses=(0.01,) * 4)


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with registry(tmp_path_factory.mktemp("registry")) as port:
        yield port


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with registry(tmp_path_factory.mktemp("private"), (USER, PASSWORD)) as port:
        yield f"127.0.0.1:{port}"


@pytest.fixture
def proxy(port: int) -> Iterator[FaultProxy]:
    with fault_proxy(port) as proxy:
        yield proxy


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No login of this host."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    return tmp_path


def archive() -> bytes:
    """A root folder that nobody has seen before."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as tar:
        content = uuid.uuid4().bytes * 10_000
        entry = tarfile.TarInfo("file")
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    return whole.getvalue()


@pytest.fixture
def image(engine: Engine) -> Iterator[images.ImageFacts]:
    """A small image that is not in any registry; all its names are removed."""
    made = images.import_root(engine, [archive()], f"imagekit-test/{uuid.uuid4().hex}:1")
    yield made
    engine.client.images.remove(made.id, force=True)


def pushed(
    engine: Engine,
    image: images.ImageFacts,
    *where: str,
    patience: Patience = PATIENCE,
    into: list[Pushed] | None = None,
) -> list[Pushed]:
    """What a push claims; ``into`` has it also when the push fails."""
    done = [] if into is None else into
    for each in push(engine, image, wanted(where, ""), Site(), ignore, patience=patience):
        done.append(each)
    return done


def test_every_name_is_at_the_registry_and_the_fixed_one_came_first(
    engine: Engine, image: images.ImageFacts, proxy: FaultProxy
) -> None:
    repository = f"{proxy.host}/lab/{uuid.uuid4().hex}"
    done = pushed(engine, image, repository, f"{repository}:{{date}}")
    fixed = image.id.removeprefix("sha256:")[:12]
    assert [each.reference.rpartition(":")[2] for each in done][:2] == [fixed, "latest"]
    assert len({each.digest for each in done}) == 1
    for each in done:
        assert distribution.digest(engine, each.reference) == each.digest
    written = [path for method, path, _ in proxy.asked if method == "PUT" and "manifests" in path]
    assert written[0].endswith(f"/{fixed}")


def test_what_is_there_is_not_sent_again(
    engine: Engine, image: images.ImageFacts, proxy: FaultProxy
) -> None:
    repository = f"{proxy.host}/lab/{uuid.uuid4().hex}"
    first = pushed(engine, image, repository)
    proxy.asked.clear()
    second = pushed(engine, image, repository)
    assert [each.sent for each in second] == [False, False]
    assert [each.digest for each in second] == [each.digest for each in first]
    assert not proxy.count("PUT|POST|PATCH", "")


def test_the_fixed_tag_is_never_overwritten(
    engine: Engine, image: images.ImageFacts, proxy: FaultProxy
) -> None:
    other = images.import_root(engine, [archive()], f"imagekit-test/{uuid.uuid4().hex}:1")
    repository = f"{proxy.host}/lab/{uuid.uuid4().hex}"
    fixed = f"{repository}:{image.id.removeprefix('sha256:')[:12]}"
    try:
        there = pushed(engine, other, f"{repository}:x")[0].digest
        images.tag(engine, other.id, [fixed])
        assert upload(engine, fixed, ignore, idle=60) == there
    finally:
        engine.client.images.remove(other.id, force=True)
    with pytest.raises(NetworkError, match="the tag holds another image"):
        pushed(engine, image, repository)
    assert distribution.digest(engine, fixed) == there
    assert distribution.digest(engine, f"{repository}:latest") == ""
    # The classic store had to fetch it to know; nothing of it stays.
    assert images.find(engine, f"{repository}@{there}") is None


def test_an_image_that_another_engine_pushed_is_known_again(
    engine: Engine, image: images.ImageFacts, proxy: FaultProxy
) -> None:
    repository = f"{proxy.host}/lab/{uuid.uuid4().hex}"
    (first, _) = pushed(engine, image, repository)
    # Forget that it was pushed, as an engine that got it by `docker load` never knew.
    keep = image.tags[0]
    whole = b"".join(engine.client.api.get_image(keep))
    engine.client.images.remove(image.id, force=True)
    (loaded,) = engine.client.images.load(whole)
    again = images.find(engine, keep)
    assert again is not None
    assert loaded.id == again.id == image.id
    (second, _) = pushed(engine, again, repository)
    assert second == Pushed(first.reference, first.digest, sent=False)


MANIFEST, BLOB = "/manifests/", "/blobs/uploads/"
TRANSIENT = [
    Fault("PUT", MANIFEST, 429, 3),
    Fault("PUT", MANIFEST, 503, 3),
    *(Fault("PUT", MANIFEST, status, 1) for status in (408, 500, 502, 504)),
    Fault("PUT", MANIFEST, "cut", 2),
    Fault("HEAD", MANIFEST, 503, 2),
    Fault("POST", BLOB, 429, 3),
]


@pytest.mark.parametrize("fault", TRANSIENT, ids=lambda f: f"{f.method}-{f.action}x{f.times}")
def test_what_fails_for_the_moment_is_tried_again(
    engine: Engine, image: images.ImageFacts, proxy: FaultProxy, fault: Fault
) -> None:
    fault = replace(fault)  # it counts down
    proxy.faults.append(fault)
    for each in pushed(engine, image, f"{proxy.host}/lab/{uuid.uuid4().hex}:1", patience=AT_ONCE):
        assert distribution.digest(engine, each.reference) == each.digest
    assert fault.times == 0


def test_a_cut_upload_is_tried_again(
    engine: Engine, image: images.ImageFacts, proxy: FaultProxy
) -> None:
    proxy.faults.append(Fault("PUT|PATCH", BLOB, "cut", 1))
    done = pushed(engine, image, f"{proxy.host}/lab/{uuid.uuid4().hex}:1", patience=AT_ONCE)
    assert distribution.digest(engine, done[-1].reference) == done[-1].digest


def test_retry_after_is_waited_for(
    engine: Engine, image: images.ImageFacts, proxy: FaultProxy
) -> None:
    proxy.busy_for = 2
    events: list[Event] = []
    targets = wanted([f"{proxy.host}/lab/{uuid.uuid4().hex}:1"], "")
    done = list(push(engine, image, targets, Site(), events.append, patience=AT_ONCE))
    assert distribution.digest(engine, done[-1].reference) == done[-1].digest
    (notice,) = (event.text for event in events if isinstance(event, Notice))
    assert notice.endswith("try 2 of 5 in 2 s")


FINAL = [
    (Fault("PUT", MANIFEST, 503, 99), "503"),
    (Fault("PUT", MANIFEST, 429, 99), "429|toomanyrequests"),
    (Fault("PUT", MANIFEST, 403, 99), "nobody is logged in"),
    # Engine 28 with overlay2 keeps the status to itself.
    (Fault("PUT", MANIFEST, 404, 99), "404|the engine does not say how"),
    (Fault("PUT", MANIFEST, 418, 99), "418|the engine does not say how"),
    (Fault("PUT", MANIFEST, "cut", 99), "EOF"),
    (Fault("PUT", MANIFEST, "silence", 1), "nothing moved for 3 s"),
    (Fault("HEAD", f"{MANIFEST}1$", "lie", 99), "was pushed, and the registry (has|does not)"),
]


@pytest.mark.parametrize(("fault", "said"), FINAL, ids=lambda f: str(getattr(f, "action", "")))
def test_what_does_not_pass_is_no_success(
    engine: Engine, image: images.ImageFacts, proxy: FaultProxy, fault: Fault, said: str
) -> None:
    proxy.faults.append(replace(fault))  # it counts down
    repository = f"{proxy.host}/lab/{uuid.uuid4().hex}"
    done: list[Pushed] = []
    how = replace(AT_ONCE, idle=3.0) if fault.action == "silence" else AT_ONCE
    with pytest.raises(NetworkError, match=said) as failed:
        pushed(engine, image, f"{repository}:1", patience=how, into=done)
    assert all(not each.reference.endswith(":1") for each in done)
    if fault.action in {403, 404, 418} and "does not say how" not in str(failed.value):
        assert proxy.count("PUT", MANIFEST, fault.action) <= 2  # containerd asks twice itself
    proxy.faults.clear()
    if fault.action != "lie":
        assert distribution.digest(engine, f"{repository}:1") == ""
    # And whatever was left half-way does not keep the next push from passing.
    (_, named) = pushed(engine, image, f"{repository}:1")
    assert distribution.digest(engine, named.reference) == named.digest


def test_one_registry_that_fails_does_not_keep_the_others(
    engine: Engine, image: images.ImageFacts, proxy: FaultProxy, port: int
) -> None:
    proxy.faults.append(Fault(".*", ".*", 404, 99))
    name = uuid.uuid4().hex
    good, done = f"127.0.0.1:{port}/lab/{name}", []
    with pytest.raises(NetworkError, match=proxy.host) as caught:
        pushed(engine, image, f"{proxy.host}/lab/{name}", good, into=done)
    assert len(caught.value.messages) == 1
    assert [each.reference.rpartition(":")[0] for each in done] == [good, good]


def test_names_go_through_the_sites_map(
    engine: Engine, image: images.ImageFacts, port: int
) -> None:
    name = uuid.uuid4().hex
    site = Site(registries=(("docker.io", f"127.0.0.1:{port}/hub"),))
    done = list(push(engine, image, wanted([f"{name}:1"], ""), site, ignore))
    assert done[-1].reference == f"127.0.0.1:{port}/hub/library/{name}:1"


# ---- with a password


def test_nobody_who_is_not_logged_in_gets_in(
    engine: Engine, image: images.ImageFacts, private: str
) -> None:
    with pytest.raises(NetworkError, match=f"(?s)nobody is logged in.*docker login {private}"):
        pushed(engine, image, f"{private}/lab/x")


def login(config: Path, host: str, password: str) -> None:
    auth = base64.b64encode(f"{USER}:{password}".encode()).decode()
    (config / "config.json").write_text(json.dumps({"auths": {host: {"auth": auth}}}))


def test_a_wrong_password(
    engine: Engine, image: images.ImageFacts, private: str, config: Path
) -> None:
    login(config, private, f"{PASSWORD}!")
    with pytest.raises(NetworkError, match=f"refuses user {USER}: ") as caught:
        pushed(engine, image, f"{private}/lab/x")
    assert PASSWORD not in str(caught.value)


def test_a_private_push_and_a_private_base(
    engine: Engine, image: images.ImageFacts, private: str, config: Path, name: str
) -> None:
    login(config, private, PASSWORD)
    done = pushed(engine, image, f"{private}/lab/{uuid.uuid4().hex}")
    reference = done[0].reference
    assert distribution.digest(engine, reference) == done[0].digest
    for each in done:
        engine.client.images.remove(each.reference)
    assert images.find(engine, reference) is None

    dockerfile = f"FROM {reference}\nLABEL dev.imagekit.test={uuid.uuid4().hex}\n"
    context = Context((ContextFile("Dockerfile", dockerfile.encode()),))
    built = build(engine, context, tags=[f"{name}:1"])
    assert images.find(engine, built.image_id) is not None
    assert images.pull(engine, reference).id == image.id
    (config / "config.json").unlink()
    with pytest.raises(NetworkError, match=r"basic auth|authorization"):
        images.pull(engine, reference)


# ---- the command line


def imagekit(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "imagekit", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_profile_is_pushed_by_its_plan(
    engine: Engine,
    proxy: FaultProxy,
    name: str,
    tmp_path: Path,
) -> None:
    file = tmp_path / "ik-push.yaml"
    file.write_text(f"profile: 1\ndescription: {name}\n")
    plan = resolve(profile.load(str(file)))
    _, own = tags(plan)
    made = images.import_root(engine, [archive()], own, labels=dict(labels(plan)))
    try:
        proxy.faults.append(Fault("PUT", f"{MANIFEST}latest", 503, 1))
        target = f"{proxy.host}/lab/{{profile}}"
        out, err = (first := imagekit("push", str(file), target)).communicate(timeout=60)
        assert first.returncode == 0, err
        fixed = f"{plan.digest[:12]}-{made.id.removeprefix('sha256:')[:12]}"
        references = [f"{proxy.host}/lab/ik-push:{t}" for t in (fixed, plan.digest[:12], "latest")]
        digest = distribution.digest(engine, references[0])
        assert out == "".join(f"{reference}@{digest}\n" for reference in references)
        out, err = (again := imagekit("push", str(file), target, "--json")).communicate(timeout=60)
        assert again.returncode == 0, err
        assert [each["sent"] for each in json.loads(out)["pushed"]] == [False] * 3
    finally:
        engine.client.images.remove(made.id, force=True)


def test_an_interrupted_push_claims_no_more_than_is_there(
    engine: Engine, image: images.ImageFacts, proxy: FaultProxy, port: int
) -> None:
    proxy.faults.append(Fault("PUT", f"{MANIFEST}1$", "silence", 1))
    repository = f"lab/{uuid.uuid4().hex}"
    running = imagekit("push", "--image", image.id, f"{proxy.host}/{repository}:1")

    def reached() -> None:
        if not proxy.count("PUT", f"{MANIFEST}1$"):
            raise NotYetError("the moving tag")

    until(reached, Deadline.after(60), pause=0.02)
    os.kill(running.pid, signal.SIGINT)
    out, err = running.communicate(timeout=60)
    assert running.returncode == 130, err
    assert "Traceback" not in err
    fixed = f"127.0.0.1:{port}/{repository}:{image.id.removeprefix('sha256:')[:12]}"
    digest = distribution.digest(engine, fixed)
    assert [line.rpartition("/")[2] for line in out.splitlines()] == [
        f"{fixed.rpartition('/')[2]}@{digest}"
    ]
    assert distribution.digest(engine, f"127.0.0.1:{port}/{repository}:1") == ""
