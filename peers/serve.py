"""What every peer's program does: it is started for one cell, tells in a line of JSON what it is, and then times steps
for as many seconds as each line of its standard input says, answering each with a line. So it is built once and can
wait, without computing, while others have their turn.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path

CHUNK_NS = 20e6  # steps that are timed together take at least this long
MOST_STEPS = 256

Span = Callable[[Callable[[], None]], tuple[float, float]]


def arguments(about: str | None, **more: dict) -> argparse.Namespace:
    """The options that every peer takes, and those of one."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--snapshot", type=Path, required=True, help="the step that is repeated before it is timed")
    parser.add_argument("--computed", type=Path, required=True, help="where to write what it gave, as safetensors")
    parser.add_argument("--preset", choices=("tiny", "full"), help="what is timed [the snapshot's own step]")
    parser.add_argument("--threads", type=int, metavar="N", help="of the host [the framework's default]")
    for name, options in more.items():
        parser.add_argument(f"--{name}", **options)
    return parser.parse_args()


def processor() -> str:
    """The host's, as it calls itself."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def threads(count: int) -> str:
    return "1 thread" if count == 1 else f"{count} threads"


def wall(work: Callable[[], None]) -> tuple[float, float]:
    """Nanoseconds by the device's clock, of which a processor has none, and by the wall."""
    begun = time.perf_counter_ns()
    work()
    took = float(time.perf_counter_ns() - begun)
    return took, took


def turn(step: Callable[[], None], seconds: float, span: Span = wall) -> dict:
    """Steps for about that long, after a tenth of it unmeasured. `span` runs what it is given to its end."""
    begun = time.perf_counter()
    took = [span(step)[1]]
    while time.perf_counter() - begun < seconds / 10:
        took.append(span(step)[1])
    # The shortest: one that another program held up says nothing of the others.
    count = max(1, min(MOST_STEPS, round(CHUNK_NS / min(took))))

    def chunk() -> None:
        for _ in range(count):
            step()

    spans = []
    begun, computed = time.perf_counter(), time.process_time_ns()
    while not spans or time.perf_counter() - begun < seconds:
        spans.append(span(chunk))
    computed = time.process_time_ns() - computed
    return {
        "time_s": seconds, "steps_per_submit": count, "step_ns": [device / count for device, _ in spans],
        "wall_ns": [wall / count for _, wall in spans], "cpu_ns": computed / count / len(spans),
    }


def serve(prepare: Callable[[], tuple[dict, Callable[[], dict]]]) -> None:
    """`prepare` gives what the peer is, and what takes a turn of so many seconds."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what frameworks print is no answer

    def answer(value: dict) -> None:
        print(json.dumps(value), file=answers, flush=True)

    begun = time.perf_counter_ns()
    try:
        about, take = prepare()
    except Exception as error:  # whatever a framework cannot do is told, not traced
        answer({"error": f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"})
        sys.exit(1)
    answer(about | {"build_ns": time.perf_counter_ns() - begun})
    for line in sys.stdin:
        answer(take(float(line)))
