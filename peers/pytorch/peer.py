#!/usr/bin/env python3
"""PyTorch as a peer: `../run.py` starts it for a cell.

It repeats the snapshot's step in f32 on its device, as it is then timed, and writes outputs and gradients; a timed step
draws its own dropout and noise, and a training step updates with torch.optim.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

sys.path.insert(1, str(Path(__file__).resolve().parents[1]))
import serve
from bench import HOWS, prepared, start, stepper, strict, trained_values
from snapshot import grouped, stored
from step import evaluate, opened


def on(device: torch.device, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Floats in f32, as they are timed."""
    return {name: (t.float() if t.is_floating_point() else t).to(device) for name, t in tensors.items()}


def span_of(device: torch.device) -> serve.Span:
    """Times what the device does, by its own events where it has them."""
    if device.type != "cuda":
        return serve.wall

    def span(work: Callable[[], None]) -> tuple[float, float]:
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))

        def whole() -> None:
            begin.record()
            work()
            end.record()
            torch.cuda.synchronize(device)

        took = serve.wall(whole)[1]
        return begin.elapsed_time(end) * 1e6, took

    return span


def prepare(arguments) -> tuple[dict, Callable[[float], dict]]:
    device = torch.device(arguments.device)
    cuda = device.type == "cuda"
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    strict(device)

    snapshot, model, inputs = opened(arguments.snapshot)
    mode = snapshot.mode
    params, inputs = on(device, snapshot.group("param")), on(device, inputs)
    forward = prepared(model, arguments.how)
    outputs, gradients = evaluate(model, params, inputs, on(device, snapshot.group("random")), mode, forward)
    outputs = {name: value for name, value in outputs.items() if not name.startswith("after/")}
    computed = grouped("output", outputs) | grouped("grad", gradients)
    save_file({name: stored(value.cpu()) for name, value in computed.items()}, arguments.computed)

    if arguments.preset:
        sizes = dict(model.SIZES[arguments.preset])
        params, inputs = start(model, sizes, mode, device)
    step = stepper(model, mode, params, inputs, device, arguments.how)
    used = "CUDA" if cuda else serve.threads(torch.get_num_threads())
    about = {
        "framework": "PyTorch", "version": torch.__version__, "how": f"{arguments.how}, {used}",
        "device": {
            "name": torch.cuda.get_device_name(device) if cuda else serve.processor(),
            "type": "discrete" if cuda else "cpu",
            "driver": f"CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}" if cuda else "ATen, oneDNN",
        },
        "clock": "timestamps" if cuda else "wall", "threads": None if cuda else torch.get_num_threads(),
        "parameters": trained_values(model, mode, params),
        "batch": next(iter(inputs.values())).shape[0],
    }
    span = span_of(device)

    def take(seconds: float) -> dict:
        result = serve.turn(step, seconds, span)
        return result | {"memory_bytes": torch.cuda.max_memory_allocated(device) if cuda else None}

    return about, take


if __name__ == "__main__":
    chosen = serve.arguments(
        __doc__,
        device=dict(default="cuda" if torch.cuda.is_available() else "cpu"),
        how=dict(choices=HOWS, default="eager"),
    )
    serve.serve(lambda: prepare(chosen))
