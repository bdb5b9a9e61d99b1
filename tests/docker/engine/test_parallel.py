"""Many builds of the same at once."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Barrier
from typing import TYPE_CHECKING

import pytest

from imagekit.context import Context, ContextFile
from imagekit.engine.buildkit import BuildResult, build
from imagekit.engine.connection import connect

if TYPE_CHECKING:
    from imagekit.engine.connection import Engine

MANY = 25


@pytest.mark.parametrize("one_connection", [False, True])
def test_new_steps_run_once_and_give_one_image(
    engine: Engine, tiny_base: str, name: str, one_connection: bool
) -> None:
    step = f"RUN --mount=type=secret,id=s,required=true date +%s%N > /made # {uuid.uuid4().hex}"
    dockerfile = ContextFile("Dockerfile", f"FROM {tiny_base}\n{step}\n".encode())
    start = Barrier(MANY)

    def one(number: int) -> BuildResult:
        with closing(connect(engine.address)) as own:
            start.wait(60)
            return build(
                engine if one_connection else own,
                Context((dockerfile,)),
                tags=[f"{name}:{number}"],
                secrets={"s": b"sesame"},
            )

    with ThreadPoolExecutor(MANY) as pool:
        results = list(pool.map(one, range(MANY)))
    assert len({result.image_id for result in results}) == 1
    assert len(engine.client.images.get(results[0].image_id).tags) == MANY
