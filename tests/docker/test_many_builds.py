"""A whole course presses the button at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Barrier

from imagekit import site
from imagekit.build import Options, build
from imagekit.engine.connection import Engine, connect
from imagekit.events import ignore
from imagekit.plan.model import Plan

MANY = 25


def test_one_profile_built_many_times_at_once_is_one_image(
    engine: Engine, image: str, plan: Plan
) -> None:
    place = site.load()
    start = Barrier(MANY)

    def one(_: int) -> str:
        with closing(connect(engine.address)) as own:
            start.wait(60)
            return build(own, plan, place, Options(), ignore).image_id

    with ThreadPoolExecutor(MANY) as pool:
        assert set(pool.map(one, range(MANY))) == {image}
