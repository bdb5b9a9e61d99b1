"""A product of matrices and a convolution by a framework on each of its devices.

The program runs with the framework's own Python, which may be 3.6. Its numbers are small and
whole: every kind of floating point that a GPU multiplies in has them exactly, so that what
comes back is known, and in no pattern that another order of them has, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from imagekit.checks.answer import answered
from imagekit.checks.check import AnswerError

TOLERANCE = 0.01
"""Of the largest result. Fast algorithms for convolutions (Winograd's) compute with fractions."""

# The frameworks' interfaces are in https://pytorch.org/docs (torch.cuda and conv2d of
# torch.nn.functional), https://www.tensorflow.org/api_docs/python/tf (config, nn.conv2d and
# get_build_info of sysconfig) and https://docs.jax.dev (jax.devices and jax.lax.conv). Memory
# is taken as it is needed, as others may use the GPU, too: https://www.tensorflow.org/guide/gpu
# and https://docs.jax.dev/en/latest/gpu_memory_allocation.html.
_PROGRAM = """
import json, os, sys, time

def numbers(shape, seed):
    if not shape:
        return float((seed >> 9) % 7 - 3)
    return [numbers(shape[1:], ((seed + i) * 1103515245 + 12345) % 2147483648)
            for i in range(shape[0])]

def flat(value):
    if not hasattr(value, "__iter__"):
        return [float(value)]
    return [number for part in value for number in flat(part)]

# Channels, rows, columns; what comes out, channels, rows, columns.
N, C, O, K, SIZE = 64, 4, 8, 3, 14
LEFT, RIGHT = numbers((N, N), 1), numbers((N, N), 2)
IMAGE, KERNELS = numbers((C, SIZE, SIZE), 3), numbers((O, C, K, K), 4)
PRODUCT = [[sum(a * b for a, b in zip(row, column)) for column in zip(*RIGHT)] for row in LEFT]
INNER = range(SIZE - K + 1)
CONVOLVED = [[[sum(IMAGE[c][y + v][x + u] * kernel[c][v][u]
                   for c in range(C) for v in range(K) for u in range(K))
               for x in INNER] for y in INNER] for kernel in KERNELS]

def deviation(found, expected):
    found, expected = flat(found), flat(expected)
    if len(found) != len(expected):
        return 1e9
    # What is no number differs from every number.
    worst = max(abs(f - e) if f - e == f - e else 1e9 for f, e in zip(found, expected))
    return worst / max(map(abs, expected))

def pytorch(names):
    import torch
    devices = names or ["cuda:%d" % i for i in range(torch.cuda.device_count())]
    def compute(device):
        product = torch.tensor(LEFT, device=device) @ torch.tensor(RIGHT, device=device)
        convolved = torch.nn.functional.conv2d(
            torch.tensor([IMAGE], device=device), torch.tensor(KERNELS, device=device))
        return product.cpu().tolist(), convolved.cpu().tolist()
    def called(device):
        return torch.cuda.get_device_name(device) if device.startswith("cuda") else device
    built_for = getattr(torch.cuda, "get_arch_list", list)()
    return torch.__version__, built_for, devices, called, compute

def tensorflow(names):
    import tensorflow as tf
    if tf.__version__.startswith("1."):
        old = getattr(tf, "compat", tf)
        old = getattr(old, "v1", tf)
        growing = old.ConfigProto(gpu_options=old.GPUOptions(allow_growth=True))
        old.enable_eager_execution(config=growing)
    experimental = getattr(getattr(tf, "config", None), "experimental", None)
    details = {}
    if hasattr(experimental, "list_physical_devices"):
        found = experimental.list_physical_devices("GPU")
        for i, device in enumerate(found):
            experimental.set_memory_growth(device, True)
            if hasattr(experimental, "get_device_details"):
                details["/GPU:%d" % i] = experimental.get_device_details(device)
        count = len(found)
    else:
        from tensorflow.python.eager import context
        count = context.num_gpus()
    devices = names or ["/GPU:%d" % i for i in range(count)]
    def compute(device):
        # Rows, columns, channels; for kernels what comes out is last.
        image = [[[IMAGE[c][y][x] for c in range(C)] for x in range(SIZE)] for y in range(SIZE)]
        kernels = [[[[KERNELS[o][c][v][u] for o in range(O)] for c in range(C)]
                    for u in range(K)] for v in range(K)]
        with tf.device(device):
            product = tf.matmul(tf.constant(LEFT), tf.constant(RIGHT))
            convolved = tf.nn.conv2d(
                tf.constant([image]), tf.constant(kernels), [1, 1, 1, 1], "VALID")
        for result in (product, convolved):
            if not result.device.lower().endswith(device.lower().replace("/", "/device:")):
                raise RuntimeError("computed on %s" % result.device)
        there = convolved.numpy().tolist()[0]
        there = [[[there[y][x][o] for x in INNER] for y in INNER] for o in range(O)]
        return product.numpy().tolist(), there
    def called(device):
        return details.get(device, {}).get("device_name") or device
    about = getattr(tf.sysconfig, "get_build_info", dict)()
    return tf.__version__, about.get("cuda_compute_capabilities", []), devices, called, compute

def jax(names):
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    import jax, numpy
    there = {}
    for kind in names or ["gpu"]:
        try:
            there.update((str(device), device) for device in jax.devices(kind))
        except RuntimeError as error:  # there is none of this kind
            print(error)
    def compute(device):
        def put(value):
            return jax.device_put(numpy.array(value, "float32"), there[device])
        product = put(LEFT) @ put(RIGHT)
        convolved = jax.lax.conv(put([IMAGE]), put(KERNELS), (1, 1), "VALID")
        return numpy.asarray(product).tolist(), numpy.asarray(convolved).tolist()
    def called(device):
        return there[device].device_kind
    return jax.__version__, [], list(there), called, compute

framework, *names = sys.argv[1:]
version, architectures, devices, called, compute = globals()[framework](names)
results = []
for device in devices:
    begun = time.time()
    result = dict(device=device, name="", error="", product=1e9, convolution=1e9)
    try:
        result["name"] = called(device)
        product, convolved = compute(device)
        result["product"] = deviation(product, PRODUCT)
        result["convolution"] = deviation(convolved, CONVOLVED)
    except Exception as error:
        result["error"] = "%s: %s" % (type(error).__name__, error)
    result["seconds"] = round(time.time() - begun, 3)
    results.append(result)
print("imagekit:" + json.dumps(dict(
    version=version, architectures=[str(a) for a in architectures], devices=results)))
"""


@dataclass(frozen=True, slots=True)
class Computed:
    """What came of one device.

    Attributes:
        device: as the framework calls it, such as ``cuda:0`` or ``/GPU:0``.
        name: the model, as far as the framework knows it.
        error: the exception; empty when there was none.
        product: the largest deviation of the matrix product, of its largest element.
        convolution: the same of the convolution.
        seconds: how long both took, the translation of code for the device included.
    """

    device: str
    name: str
    error: str
    product: float
    convolution: float
    seconds: float

    @property
    def trouble(self) -> str:
        """What went wrong; empty when the results are right."""
        if self.error:
            return f"{self.device}: {self.error}"
        wrong = {"product of matrices": self.product, "convolution": self.convolution}
        said = [f"a wrong {what}" for what, deviation in wrong.items() if deviation > TOLERANCE]
        return f"{self.device}: {' and '.join(said)}" if said else ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a framework did.

    Attributes:
        version: the framework's.
        architectures: what its binaries were built for, such as ``sm_80`` and
            ``compute_90``; empty where it does not say.
        devices: one for each.
    """

    version: str
    architectures: tuple[str, ...]
    devices: tuple[Computed, ...]


def command(python: str, framework: str, *devices: str) -> tuple[str, ...]:
    """What runs the program.

    Args:
        python: the interpreter that has the framework.
        framework: ``pytorch``, ``tensorflow`` or ``jax``.
        devices: what to compute on, as the framework calls it (``cpu``, ``/CPU:0``); all
            GPUs when none is named.
    """
    return (python, "-c", _PROGRAM, framework, *devices)


def read(text: str) -> Outcome | None:
    """What the program printed, among other things; None when it did not get that far."""
    try:
        seen: dict[str, Any] = answered(0, text)
    except AnswerError:
        return None
    devices: Sequence[dict[str, Any]] = seen["devices"]
    return Outcome(
        seen["version"],
        tuple(seen["architectures"]),
        tuple(Computed(**device) for device in devices),
    )
