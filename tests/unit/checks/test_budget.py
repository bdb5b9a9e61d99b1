from dataclasses import replace
from typing import Any

import pytest

from imagekit.checks.budget import Taken, excess, most
from imagekit.checks.subject import ImageConfig, Step
from imagekit.plan.model import Framework, Os, Python

MB = 1_000_000
PYTHON = Python("3.11", "os", "/opt/venv", "", (), (), (), "", (), (), ())


def test_packages_say_how_much_it_may_be(plan: Any) -> None:
    least = most(plan, Taken(0, 0, 0))
    assert most(plan, Taken(200 * MB, 0, 0)) == least + 240 * MB
    assert most(plan, Taken(0, 100 * MB, 50 * MB)) == least + 170 * MB


def test_a_framework_takes_no_more_than_it_was_measured_to(plan: Any) -> None:
    jax = replace(plan, framework=Framework("jax", "0.5.3"), python=PYTHON)
    with_cuda = Taken(0, 6_000 * MB, 0)
    assert most(jax, with_cuda) < 2_200 * MB
    own = replace(jax, python=replace(PYTHON, pip=("torch",)))
    assert most(own, with_cuda) > 7_000 * MB
    unknown = replace(jax, framework=Framework("pytorch", "1.12.1"))
    assert most(unknown, with_cuda) > 7_000 * MB


@pytest.mark.parametrize("image", ["pytorch/pytorch:2.1", "registry.example.edu/lab/base:1"])
def test_a_base_that_is_not_of_packages_has_no_budget(plan: Any, image: str) -> None:
    assert most(replace(plan, os=Os("debian12", image, "bookworm")), Taken(1, 1, 1)) == 0


def test_excess_names_the_largest_layers() -> None:
    history = (
        Step("debootstrap", 100 * MB),
        Step("COPY /opt/venv /opt/venv # buildkit", 3_000 * MB),
        Step(f"RUN /bin/sh -c {'x' * 80} pip install torch # buildkit", 700 * MB),
        Step("LABEL a=b", 0),
    )
    config = ImageConfig("sha256:aa", history=history)
    assert config.size == 3_800 * MB
    assert excess(config, 0) == excess(config, 3_800 * MB) == ""
    said = excess(config, 3_000 * MB)
    assert said.startswith("3800 MB where its packages account for 3000 MB at most; the largest")
    assert "3000 MB by 'COPY /opt/venv /opt/venv', 700 MB by '…" in said
    assert "x pip install torch', 100 MB by 'debootstrap'" in said
