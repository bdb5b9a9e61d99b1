"""A notebook's cell that computes with the framework."""

from __future__ import annotations

from imagekit.plan.model import Framework

# A product of two matrices; each of its 64 elements is 8. TensorFlow 1 computes in a session.
_PRODUCT = {
    "pytorch": "import torch as m; y = m.ones(8, 8) @ m.ones(8, 8)",
    "tensorflow": (
        "import tensorflow as m; y = m.linalg.matmul(m.ones((8, 8)), m.ones((8, 8))); "
        "y = y if m.__version__ > '2' else m.compat.v1.Session().run(y); "
        "y = getattr(y, 'numpy', lambda: y)()"
    ),
    "jax": "import jax as m; y = m.numpy.ones((8, 8)) @ m.numpy.ones((8, 8))",
}


def on_cpu(framework: Framework) -> str:
    """Code that prints ``RELEASE|512.0`` at its end.

    On the CPU, whether or not the machine has a GPU: a framework would take all of its memory,
    and another check's.
    """
    return (
        "import os; os.environ.update(CUDA_VISIBLE_DEVICES='-1', JAX_PLATFORMS='cpu')\n"
        f"{_PRODUCT[framework.name]}\n"
        "print(m.__version__.partition('+')[0], float(y.sum()), sep='|')"
    )
