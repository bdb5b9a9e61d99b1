"""A long build costs little memory: measured in a process of its own, by the kernel."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

from google.protobuf.timestamp_pb2 import Timestamp

from imagekit.engine.protocol.control_pb2 import StatusResponse, Vertex, VertexLog
from tests.unit.engine.conftest import Answer, FakeEngine

STEPS = 10_000
LOG = b"".join(b"%-523d\n" % number for number in range(20))  # as many lines as a step keeps
MOST = 64  # MiB above an idle client

# proc(5): VmRSS is what is used now, VmHWM the most that ever was.
CLIENT = """
import sys
from contextlib import closing
from imagekit.context import Context, ContextFile
from imagekit.engine.buildkit import build
from imagekit.engine.connection import connect
from imagekit.events import StepLog

def kib(name):
    line, = (line for line in open("/proc/self/status") if line.startswith(name))
    return int(line.split()[1])

size = 0
def count(event):
    global size
    if isinstance(event, StepLog):
        size += sum(len(line) + 1 for line in event.lines)

with closing(connect(sys.argv[1])) as engine:
    idle = kib("VmRSS")
    context = Context((ContextFile("Dockerfile", b"FROM scratch\\n"),))
    result = build(engine, context, on_event=count)
    print(len(result.steps), size, (kib("VmHWM") - idle) // 1024)
"""


def long_trace(fake: FakeEngine) -> Iterator[bytes]:
    """Many steps, each of which begins, prints, and ends; made while it is sent."""
    for number in range(STEPS):
        name = f"RUN step {number}"
        begun = Vertex(digest=name, name=name, started=Timestamp(seconds=10 + number))
        ended = Vertex(digest=name, name=name, started=begun.started, completed=begun.started)
        log = VertexLog(vertex=name, msg=LOG, stream=1)
        for record in (
            StatusResponse(vertexes=[begun]),
            StatusResponse(logs=[log]),
            StatusResponse(vertexes=[ended]),
        ):
            yield json.dumps(fake.trace(record)).encode() + b"\n"
    yield json.dumps(fake.result()).encode() + b"\n"


def test_ten_thousand_steps_and_a_hundred_megabytes_of_output(fake: FakeEngine) -> None:
    fake.has(fake.IMAGE)
    fake.streams["/build"] = Answer(long_trace(fake))
    done = subprocess.run(
        [sys.executable, "-c", CLIENT, fake.url], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    steps, size, used = map(int, done.stdout.split())
    assert (steps, size) == (STEPS, STEPS * len(LOG))
    assert size >= 100 * 10**6
    assert used <= MOST
