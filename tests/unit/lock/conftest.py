"""A small image and what is known of its packages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from imagekit.contents import Conda, Contents, Deb, Dist
from imagekit.lock.checksums import Checksums
from imagekit.lock.model import Lock, LockedBase, Row, plan_keys
from imagekit.plan.model import VENV, Plan, Python

ONE, TWO, THREE = ("1" * 64, "2" * 64, "3" * 64)
BASE = LockedBase("debian:12-slim", f"sha256:{ONE}", (f"sha256:{TWO}",))
SITE = "/opt/venv/lib/python3.11/site-packages"
DPKG = Deb("dpkg", "amd64", "1.21.22")
TINI = Deb("tini", "amd64", "1:0.19.0-1+b3")
NUMPY = Dist(
    SITE,
    "numpy",
    "2.4.6",
    ("cp311-cp311-manylinux_2_27_x86_64", "cp311-cp311-manylinux_2_28_x86_64"),
)
CONDA = Conda("/opt/conda", "python", "3.7.16", "h7a1cb2a_0", "pkgs/main", "linux-64", THREE)
WHOLE = Contents("debian", "12", (DPKG, TINI), (NUMPY,), (CONDA,))
KNOWN = Checksums(
    listed={("tini", "1:0.19.0-1+b3", "amd64"): ONE},
    dists={
        ("numpy", "2.4.6"): {
            "numpy-2.4.6.tar.gz": ONE,
            "numpy-2.4.6-cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl": TWO,
            "numpy-2.4.6-cp311-cp311-musllinux_1_2_x86_64.whl": THREE,
        }
    },
)


@pytest.fixture
def plan(planned: Callable[[str], Plan]) -> Plan:
    python = Python("3.11", "os", VENV, "", (), (), (), "", (), ("numpy",), ())
    return replace(planned(""), python=python)


@pytest.fixture
def lock(plan: Plan) -> Lock:
    return Lock(
        profile="x",
        plan=plan.digest,
        keys=plan_keys(plan),
        base=BASE,
        apt=(Row("dpkg", "1.21.22", "amd64"), Row("tini", "1:0.19.0-1+b3", "amd64", (ONE,))),
        foreign=(),
        python=(Row("numpy", "2.4.6", "", (TWO,)),),
        conda=(("/opt/conda", (Row("python", "3.7.16", "h7a1cb2a_0", (THREE,)),)),),
    )
