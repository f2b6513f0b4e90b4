#!/usr/bin/env python3
"""tinygrad as a peer: `../run.py` starts it for a cell.

For inference it runs the PyTorch model's ONNX file; for training the models that are written in tinygrad (`models/`). Either
is compiled once (TinyJit). On WEBGPU, through Dawn, it computes on the same adapter as fathom: the first that the Vulkan
loader finds. CPU needs clang, which `CC` may name.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

sys.path[1:1] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[1] / "pytorch")]
import serve

DEVICES = ("WEBGPU", "CPU", "CUDA")


def choose(device: str, threads: int | None) -> None:
    """Before tinygrad is imported. Dawn's library may come with the package `dawn-python`."""
    os.environ["DEV"] = device
    if threads:
        os.environ["NUM_CPU_THREADS"] = str(threads)
        os.environ.setdefault("PARALLEL", str(os.cpu_count()))  # compiling may take them all
    found = importlib.util.find_spec("pydawn")
    if device == "WEBGPU" and found and "WEBGPU_PATH" not in os.environ:
        libraries = [path for place in found.submodule_search_locations for path in Path(place).glob("lib/*x86_64.so")]
        if libraries:
            os.environ["WEBGPU_PATH"] = str(libraries[0])


class Inference:
    """A step's ONNX file in tinygrad, its inputs on the device."""

    def __init__(self, step) -> None:
        from tinygrad import Tensor, TinyJit
        from tinygrad.nn.onnx import OnnxRunner
        from training import REPLAYED

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.onnx"
            step.export(path)
            runner = OnnxRunner(path)
            self.inputs = {n: Tensor(v.numpy()).realize() for n, v in step.fed.items() if n in runner.graph_inputs}
            self.run = TinyJit(lambda **inputs: {n: v.realize() for n, v in runner(inputs).items()})
            for _ in range(REPLAYED):
                self.results = self.run(**self.inputs)

    def step(self) -> None:
        self.run(**self.inputs)

    def computed(self) -> dict:
        import torch

        return {f"output/{name}": torch.from_numpy(value.numpy().copy()) for name, value in self.results.items()}


def infer(arguments) -> tuple[dict, Callable[[], None], dict]:
    """What the snapshot's step gave; the step that is timed; and what is told of it."""
    from export import of_preset, of_snapshot

    step = of_snapshot(arguments.snapshot)
    compiled = Inference(step)
    computed = compiled.computed()
    if arguments.preset:
        step = of_preset(step.model, arguments.preset)
        compiled = Inference(step)
    return computed, compiled.step, {"parameters": step.parameters, "batch": step.batch}


def train(arguments) -> tuple[dict, Callable[[], None], dict]:
    """The same of training; a timed step draws its own dropout and noise."""
    import torch
    from bench import start, trained_values
    from step import opened
    from training import REPLAYED, Training

    snapshot, model, inputs = opened(arguments.snapshot)
    params, state = snapshot.group("param"), snapshot.group("state")
    training = Training(snapshot.workload, model, params, inputs, state, snapshot.step)
    computed = training.computed(snapshot.group("random"))
    if arguments.preset:
        params, inputs = start(model, dict(model.SIZES[arguments.preset]), "train", torch.device("cpu"))
        training = Training(snapshot.workload, model, params, inputs, {}, 0)
    for _ in range(REPLAYED):
        training.step()
    batch = next(iter(inputs.values())).shape[0]
    return computed, training.step, {"parameters": trained_values(model, "train", params), "batch": batch}


def span(work: Callable[[], None]) -> tuple[float, float]:
    """By the wall, to the end of what the device does."""
    from tinygrad import Device

    def whole() -> None:
        work()
        Device[Device.DEFAULT].synchronize()

    return serve.wall(whole)


def prepare(arguments) -> tuple[dict, Callable[[float], dict]]:
    choose(arguments.device, arguments.threads)
    from safetensors.torch import save_file
    from snapshot import read, stored

    computed, step, told = (train if read(arguments.snapshot).mode == "train" else infer)(arguments)
    save_file({name: stored(value) for name, value in computed.items()}, arguments.computed)
    span(step)
    from tinygrad.helpers import NUM_CPU_THREADS

    cpu, webgpu = arguments.device == "CPU", arguments.device == "WEBGPU"
    return told | {
        "framework": "tinygrad", "version": importlib.metadata.version("tinygrad"),
        "how": f"{arguments.device}, TinyJit" + (f", {serve.threads(NUM_CPU_THREADS.value)}" if cpu else ""),
        "device": {"name": serve.processor() if cpu else arguments.on, "driver": arguments.device,
                   "type": "cpu" if cpu else "other", "backend": "webgpu" if webgpu else "own"},
        "clock": "wall", "threads": NUM_CPU_THREADS.value if cpu else None,
    }, lambda seconds: serve.turn(step, seconds, span)


if __name__ == "__main__":
    chosen = serve.arguments(
        __doc__,
        device=dict(choices=DEVICES, default="WEBGPU"),
        on=dict(default="the first adapter", help="name of the adapter, which it does not tell"),
    )
    serve.serve(lambda: prepare(chosen))
