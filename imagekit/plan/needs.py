"""What a plan asks of the hardware that its image runs on."""

from __future__ import annotations

from imagekit.catalogue.hardware import Needs
from imagekit.plan.model import Plan
from imagekit.plan.wanted import TITLES


def needs(plan: Plan) -> Needs | None:
    """What a plan asks of GPUs and their driver; None without CUDA."""
    cuda = plan.cuda
    if cuda is None:
        return None
    subject = f"CUDA {cuda.version}"
    if plan.framework is not None:
        subject = f"{TITLES[plan.framework.name]} {plan.framework.release}"
    return Needs(subject, cuda.version, cuda.driver_min, cuda.cc_min, cuda.cc_max)
